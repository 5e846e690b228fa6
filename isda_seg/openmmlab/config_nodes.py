"""The dicts of a nested config, their types, and misspelt names. Neither torch nor MMEngine is imported."""
import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def dicts(node: Any) -> Iterator[Any]:
    """Yield all dicts in nested dicts, lists and tuples, parents first; the caller may modify each one."""
    return (found for _, found in named_dicts(node))


def named_dicts(node: Any, name: str = '') -> Iterator[tuple[str, Any]]:
    """Yield dotted paths, as in --cfg-options, and all dicts in nested dicts, lists and tuples, as ``dicts`` does."""
    if isinstance(node, dict):
        yield name, node
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, (list, tuple)) else ()
    for key, child in list(children):
        yield from named_dicts(child, f'{name}.{key}' if name else str(key))


def type_name(node: Any) -> str:
    """Return the class name in the ``type`` of a config dict, without scope.

    In Python configs ``type`` is a class. The result is '' if ``node`` is not a dict or has no type.
    """
    kind = node.get('type', '') if isinstance(node, Mapping) else ''
    return kind.rsplit('.', 1)[-1] if isinstance(kind, str) else getattr(kind, '__name__', str(kind))


def did_you_mean(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return 'did you mean X?' with the known name closest to ``name``; '' if all are less similar than ``cutoff``."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return f'did you mean {close[0]}?' if close else ''
