"""Validation of config keys: MMEngine silently ignores an unknown or misspelt key."""
import difflib
import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

# Arguments of the Runner, and further keys that the Runner, config reading and testing look up.
READ = frozenset(inspect.signature(Runner).parameters) - {'cfg'} | {
    'activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters',
    'likelihood', 'model_wrapper_cfg', 'pictures', 'sync_bn', 'tta_model', 'vis_backends'}
CLOSE = 0.85  # similarity above which an unknown name counts as a misspelt key


def dicts(node: Any) -> Iterator[Any]:
    """Yield all dicts in nested dicts, lists and tuples, parents first; the caller may modify each one."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from dicts(child)


def named_dicts(node: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield dotted paths, as in --cfg-options, and all dicts in nested dicts, lists and tuples, as ``dicts`` does."""
    if isinstance(node, dict):
        yield name, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, child in list(children):
        yield from named_dicts(child, f'{name}.{key}')


def type_name(node: Any) -> str:
    """Return the class name in the ``type`` of a config dict, without scope.

    In Python configs ``type`` is a class. The result is '' if ``node`` is not a dict or has no type.
    """
    kind = node.get('type', '') if isinstance(node, Mapping) else ''
    return kind.rsplit('.', 1)[-1] if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def check_names(cfg: Config) -> None:
    """Raise an error for a misspelt top-level key of a config file.

    A key that the file itself uses more than once is an intermediate variable and passes.

    Raises:
        ValueError: a misspelt key; the message suggests the correct one.
    """
    for name in cfg:
        close = difflib.get_close_matches(name, READ, n=1, cutoff=CLOSE)
        if name not in READ and close and len(re.findall(rf'\b{name}\b', cfg.text)) < 2:
            raise ValueError(f'unknown key {name} in {cfg.filename}: did you mean {close[0]}?')


def check_options(cfg: Config, options: Iterable[str]) -> None:
    """Raise an error for an option that has no effect; a new key is accepted inside an existing dict of the config.

    Args:
        cfg: config to which the options will be applied.
        options: dotted keys, as in --cfg-options.

    Raises:
        ValueError: an option without effect; the message suggests the correct one.
    """
    for option in options:
        first, *inner = option.split('.')
        if first not in READ:
            if first in cfg:
                raise ValueError(f'the option {option} has no effect: {first} is only a variable inside the config '
                                 'file. Set the keys that received its value, such as '
                                 'train_dataloader.dataset.pipeline for train_pipeline')
            raise ValueError(f'unknown option {option}: {_suggestion(first, READ)}')
        path, node = first, cfg.get(first)
        for name in inner[:-1]:
            if isinstance(node, Mapping) and name not in node:
                raise ValueError(f'unknown option {option}: in {cfg.filename or "the config"}, '
                                 f'{path} has no {name}; {_suggestion(name, node)}')
            path, node = f'{path}.{name}', _child(node, name)


def _child(node: Any, name: str) -> Any:
    """Return an entry of a dict or list; None for a bad index or another value, which MMEngine reports itself."""
    if isinstance(node, Mapping):
        return node[name]
    if isinstance(node, (list, tuple)) and name.isdecimal() and int(name) < len(node):
        return node[int(name)]
    return None


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f'did you mean {close[0]}?' if close else f'the known keys are {", ".join(sorted(known))}'
