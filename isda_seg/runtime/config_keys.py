"""The dicts in a config, and which of its keys something reads: MMEngine takes any other and trains as without it."""
import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

# The Runner's arguments, what it looks up besides, and what reading a config and testing look up.
READ = frozenset(inspect.signature(Runner).parameters) - {'cfg'} | {
    'activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters',
    'model_wrapper_cfg', 'pictures', 'sync_bn', 'tta_model', 'vis_backends'}
CLOSE = 0.85  # similarity above which an unused name is a misspelt key


def dicts(node: Any) -> Iterator[Any]:
    """The dicts in a nest of dicts, lists and tuples, outer ones first; each may be changed when it comes."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from dicts(child)


def type_name(node: Any) -> str:
    """The name of what a dict of a config builds, without scope: its ``type`` is a name, or in Python configs a class.

    '' for what is no dict, or has no type.
    """
    kind = node.get('type', '') if isinstance(node, Mapping) else ''
    return kind.rsplit('.', 1)[-1] if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def check_names(cfg: Config) -> None:
    """Refuse a misspelt key of a config file: a name that nothing reads, not even the file itself.

    Raises:
        ValueError: names the key, and what might have been meant.
    """
    for name in cfg:
        close = difflib.get_close_matches(name, READ, n=1, cutoff=CLOSE)
        if name not in READ and close and len(re.findall(rf'\b{name}\b', cfg.text)) < 2:
            raise ValueError(f'nothing reads the key {name} of {cfg.filename}: did you mean {close[0]}?')


def check_options(cfg: Config, options: Iterable[str]) -> None:
    """Options set what something reads: a key may be new, in a dict of the config that is there.

    Args:
        options: keys as --cfg-options takes them, with dots.

    Raises:
        ValueError: names the option, and what might have been meant.
    """
    for option in options:
        first, *inner = option.split('.')
        if first not in READ:
            if first in cfg:
                raise ValueError(f'the option {option} changes nothing: {first} is a name that the config file uses '
                                 'while it is read. Set the keys that got its value, such as '
                                 'train_dataloader.dataset.pipeline for train_pipeline')
            raise ValueError(f'nothing reads the option {option}: {_instead(first, READ)}')
        path, node = first, cfg.get(first)
        for name in inner[:-1]:
            if isinstance(node, Mapping) and name not in node:
                raise ValueError(f'nothing reads the option {option}: in {cfg.filename or "the config"}, '
                                 f'{path} has no {name}; {_instead(name, node)}')
            path, node = f'{path}.{name}', _child(node, name)


def _child(node: Any, name: str) -> Any:
    """None where MMEngine is the one to say what is wrong: an index that a list has not, a value that holds nothing."""
    if isinstance(node, Mapping):
        return node[name]
    if isinstance(node, (list, tuple)) and name.isdecimal() and int(name) < len(node):
        return node[int(name)]
    return None


def _instead(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f'did you mean {close[0]}?' if close else f'it knows {", ".join(sorted(known))}'
