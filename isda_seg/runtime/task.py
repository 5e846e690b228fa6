"""Interface between run.py and a task package."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from mmengine.config import Config

SINGLE = 'single'  # protocol without test-time augmentation


class Evaluate(Protocol):
    """Test of a checkpoint with one or more protocols.

    Args:
        cfg: config as ``load_config`` returns it; ``likelihood=False`` leaves out "nll" and "ece".
        config: path of the config.
        checkpoint: path of the checkpoint.
        protocols: names of evaluation protocols.
        show_dir: folder for visualisations of the first protocol.
        show_most: maximum number of visualisations.
        taus: values of tau for logit adjustment (Menon et al., ICLR 2021, Eq. 9). For each tau, metrics are also
            computed with ``tau * log prior`` subtracted from the logits, in the same pass over the data.
        keep: called with the results so far after each of several protocols.
        quiet: print a concise log to the console.

    Returns:
        {"protocols": {name: {metric: value}}, ...} with the entries of ``run_record.result``. With taus a protocol has
        a further entry "logit_adjustment": {"0.5": {metric: value}}.
    """

    def __call__(self, cfg: Config, config: str, checkpoint: str, protocols: tuple[str, ...] = ...,
                 show_dir: str | None = None, show_most: int | None = None, taus: Sequence[float] = (),
                 keep: Callable[[dict[str, Any]], None] | None = None, quiet: bool = False) -> dict[str, Any]:
        """Return the content of a result file."""
        ...


class Task(NamedTuple):
    """Data check, evaluation and protocols of a task."""
    check: Callable[[Config], None]            # checks the data and pretrained weights of a training config
    evaluate: Evaluate
    summary: Callable[[dict[str, Any], str], str]  # formats the content of a result file, with a name
    protocols: tuple[str, ...]                 # supported evaluation protocols


def table(columns: Sequence[str], rows: Mapping[str, Sequence[str]], corner: str = '') -> str:
    """Format {label: cells} as lines of columns separated by '|'; the columns have at least the width of their name."""
    width = max(map(len, [corner, *rows]))
    return '\n'.join([' | '.join([corner.ljust(width), *columns]),
                      *(' | '.join([label.ljust(width), *map(str.rjust, cells, map(len, columns))])
                        for label, cells in rows.items())])
