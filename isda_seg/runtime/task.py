"""What run.py needs from a task package: one value per task."""
from collections.abc import Callable
from typing import Any, NamedTuple

from mmengine.config import Config


class Task(NamedTuple):
    """The data check, the evaluation and the protocols of a task."""
    check: Callable[[Config], None]            # of a training config: its data and what its model starts from
    evaluate: Callable[..., dict[str, Any]]    # of a checkpoint: the content of a result file
    summary: Callable[[dict[str, Any], str], str]  # of that content and a name: lines for the screen
    protocols: tuple[str, ...]                 # in which a checkpoint can be evaluated
