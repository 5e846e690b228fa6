"""Every dict in a config, however deep: what tools look through and change in place."""
from collections.abc import Iterator
from typing import Any


def dicts(node: Any) -> Iterator[Any]:
    """The dicts in a nest of dicts, lists and tuples, outer ones first; each may be changed when it comes."""
    if isinstance(node, dict):
        yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from dicts(child)
