"""Parametrised tests of which `make test` runs the first cases, and `make test-all` and CI every one."""

from collections.abc import Iterable

import pytest


def exhaustive(names: str, values: Iterable[object], short: int = 1, **options: object) -> pytest.MarkDecorator:
    """``pytest.mark.parametrize``, with the values after the first ``short`` ones marked exhaustive."""
    cases = [value if isinstance(value, type(pytest.param())) else pytest.param(*(value if ',' in names else [value]))
             for value in values]
    cases[short:] = [case._replace(marks=[*case.marks, pytest.mark.exhaustive]) for case in cases[short:]]
    return pytest.mark.parametrize(names, cases, **options)
