"""Names of classes as keys of results."""
from collections import Counter
from collections.abc import Sequence


def unique_names(classes: Sequence[str]) -> list[str]:
    """Return the names, with the index appended where several classes share one: 'car (class 3)'."""
    counts = Counter(map(str, classes))
    numbered = [f'{name} (class {index})' for index, name in enumerate(classes)]
    names = [number if counts[str(name)] > 1 else str(name) for name, number in zip(classes, numbered, strict=True)]
    return names if len(set(names)) == len(names) else numbered
