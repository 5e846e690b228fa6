"""Names of classes: their check, and their use as keys of results."""
import os
from collections import Counter
from collections.abc import Sequence
from typing import Any


def unique_names(classes: Sequence[str]) -> list[str]:
    """Return the names, with the index appended where several classes share one: 'car (class 3)'."""
    counts = Counter(map(str, classes))
    numbered = [f'{name} (class {index})' for index, name in enumerate(classes)]
    names = [number if counts[str(name)] > 1 else str(name) for name, number in zip(classes, numbered, strict=True)]
    return names if len(set(names)) == len(names) else numbered


def check_class_names(dataset: dict[str, Any], kind: Any) -> None:
    """Check the names of the classes in the config of a dataset, or in its class ``kind``.

    A single string must be the path of a file with one name per line. The metainfo must have no key without effect.
    """
    known = {**(getattr(kind, 'METAINFO', None) or {}), **(dataset.get('metainfo') or {})}
    unread = [key for key in dataset.get('metainfo') or {} if key in ('CLASSES', 'PALETTE')]
    if unread:
        raise ValueError(f'the metainfo of {dataset.get("type")} has the key {unread[0]} of earlier versions, which '
                         f'has no effect. Write {unread[0].lower()}')
    classes = known.get('classes')
    if isinstance(classes, str) and not os.path.isfile(classes):
        raise ValueError(f'the classes of {dataset.get("type")} are the string {classes!r}, which is neither a '
                         f'tuple of names nor an existing file. For a single class write classes=({classes!r},)')
