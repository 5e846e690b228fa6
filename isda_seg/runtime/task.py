"""Interface between run.py and a task package."""
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from mmengine.config import Config

from isda_seg.runtime.logit_adjustment import check_taus

SINGLE = 'single'  # protocol without test-time augmentation
FLAGS = dict(show_dir='--show-dir', show_most='--show-most', taus='--logit-adjustment')


class Task(NamedTuple):
    """Checks and evaluation of a task.

    ``evaluate(cfg, config, checkpoint, ..., quiet=False)`` tests the file ``checkpoint`` with ``cfg``, which
    ``load_config`` read from the file ``config``. It returns the content of a result file: {"protocols": {name:
    {metric: value}}, ...} with the entries of ``run_record.result``. ``arguments`` returns its further arguments.
    """
    name: str
    check: Callable[[Config], None]            # checks the data and pretrained weights of a training config
    check_data: Callable[[Config, tuple[str, ...]], None]  # checks the data of splits
    evaluate: Callable[..., dict[str, Any]]
    summary: Callable[[dict[str, Any], str], str]  # formats the content of a result file, with a name
    options: frozenset[str]                    # supported arguments of ``evaluate``, keys of ``FLAGS``
    protocols: tuple[str, ...] = (SINGLE,)     # supported evaluation protocols

    def arguments(self, protocols: Sequence[str], keep: Callable[[dict[str, Any]], None] | None = None,
                  **options: Any) -> dict[str, Any]:
        """Return the arguments of ``evaluate`` for these options of tools/test.py; options that are None are left out.

        ``keep`` is called with the results so far after each protocol. ``show_dir`` is the folder for visualisations of
        the first protocol, ``show_most`` their maximum number. For each of ``taus`` (logit adjustment, Menon et al.,
        Eq. 9), a protocol has a further entry "logit_adjustment": {"0.5": {metric: value}}, from the same pass over the
        data.
        """
        given = {name: value for name, value in options.items() if value is not None}
        if unknown := [FLAGS[name] for name in given if name not in self.options]:
            raise ValueError(f'{self.name} does not support {" and ".join(unknown)}. Omit it')
        if not set(protocols) <= set(self.protocols):
            raise ValueError(f'{self.name} supports only the protocol {", ".join(self.protocols)}, got '
                             f'{list(protocols)}')
        if 'taus' in given:
            given['taus'] = check_taus(given['taus'])
        return given if len(self.protocols) == 1 else dict(given, protocols=tuple(protocols), keep=keep)


def table(columns: Sequence[str], rows: Mapping[str, Sequence[str]], corner: str = '') -> str:
    """Format {label: cells} as lines of columns separated by '|'; the columns have at least the width of their name."""
    width = max(map(len, [corner, *rows]))
    return '\n'.join([' | '.join([corner.ljust(width), *columns]),
                      *(' | '.join([label.ljust(width), *map(str.rjust, cells, map(len, columns))])
                        for label, cells in rows.items())])
