"""Interface between run.py and a task package."""
from collections.abc import Callable
from typing import Any, NamedTuple

from mmengine.config import Config


class Task(NamedTuple):
    """Data check, evaluation and protocols of a task."""
    check: Callable[[Config], None]            # checks the data and pretrained weights of a training config
    evaluate: Callable[..., dict[str, Any]]    # evaluates a checkpoint: returns the content of a result file
    summary: Callable[[dict[str, Any], str], str]  # formats that content, with a name, for the console
    protocols: tuple[str, ...]                 # supported evaluation protocols
