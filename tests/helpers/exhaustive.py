"""Parametrised tests of which `make test` runs one case of each kind, and `make test-all` and CI every case."""

from collections.abc import Callable, Iterable

import pytest


def exhaustive(names: str, values: Iterable[object], kind: Callable[[object], object] = lambda value: None,
               **options: object) -> pytest.MarkDecorator:
    """``pytest.mark.parametrize``, with the mark `exhaustive` on each value but the first of its kind."""
    seen: set[object] = set()
    cases = []
    for value in values:
        of = kind(value)
        marks = [pytest.mark.exhaustive] if of in seen else []
        seen.add(of)
        cases.append(pytest.param(*(value if ',' in names else [value]), marks=marks))
    return pytest.mark.parametrize(names, cases, **options)


any_number_of_classes = exhaustive('num_classes', [2, 11, 19, 21, 150], kind=lambda classes: classes == 2)
any_ignore_index = exhaustive('ignore_index', [255, -1, -100, 0, 1, None],
                              kind=lambda index: index if index is None else index in (0, 1))  # of a class or not
