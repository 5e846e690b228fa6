"""Every test compares a value, rather than only running code or checking that a number is finite; names are short."""

import ast
import functools
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
COMPARING_CALLS = {'equal', 'allclose', 'isclose', 'array_equal', 'gradcheck', 'issubset'}  # inside an assert
ASSERTING_CALLS = {'assert_close', 'assert_allclose', 'assert_array_equal', 'assert_equal', 'assert_array_less'}
LONGEST_NAME = 70
FINITENESS = {'isfinite', 'isnan', 'isinf'}
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def called(node):
    """Return the last name of a called function: `equal` for torch.equal(...). None for other nodes."""
    if not isinstance(node, ast.Call):
        return None
    return getattr(node.func, 'attr', getattr(node.func, 'id', None))


def is_none(node):
    return isinstance(node, ast.Constant) and node.value is None


def is_comparison(node):
    """Return whether a comparison fixes a value: a check for "not None" or for finiteness does not."""
    if isinstance(node, ast.Compare):
        finiteness = any(called(inner) in FINITENESS for inner in ast.walk(node))
        differs = any(isinstance(operator, (ast.IsNot, ast.NotEq)) for operator in node.ops)
        return not finiteness and not (differs and any(map(is_none, (node.left, *node.comparators))))
    return called(node) in COMPARING_CALLS


def compares(function, helpers):
    """Return whether a function asserts a comparison, expects an error message, or calls a helper that does."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) and any(is_comparison(inner) for inner in ast.walk(node.test)):
            return True
        if called(node) in ASSERTING_CALLS or called(node) in helpers:
            return True
        if called(node) == 'raises' and any(keyword.arg == 'match' for keyword in node.keywords):
            return True
    return False


def comparing_helpers(trees, known=()):
    """Return the names of the helpers `assert_*` that compare values, directly or through another such helper."""
    candidates = [node for tree in trees for node in ast.walk(tree)
                  if isinstance(node, FUNCTIONS) and node.name.startswith('assert_')]
    helpers = {*known}
    for _ in candidates:
        helpers = {*known, *(f.name for f in candidates if compares(f, helpers))}
    return helpers


@functools.cache
def shared_helpers():
    """Return the comparing helpers of all files that are not test modules."""
    return comparing_helpers([ast.parse(path.read_text()) for path in TESTS.rglob('*.py')
                              if not path.name.startswith('test_')])


def without_comparison(tree, known=()):
    helpers = comparing_helpers([tree], known)
    return [node.name for node in ast.walk(tree) if isinstance(node, FUNCTIONS) and node.name.startswith('test')
            and not compares(node, helpers)]


@pytest.mark.parametrize('body', [
    'run()', 'assert x', 'assert run()', 'assert not x', 'x == 1', 'assert x is not None', 'assert None is not x',
    'assert x != None', 'assert torch.isfinite(x).all()', 'assert torch.isfinite(x).all() == True',
    'assert math.isnan(x) is False', 'torch.equal(x, y)', 'assert isinstance(x, int)',
    'assert_nothing(x)', 'assert_of_itself(x)',
    'with pytest.raises(ValueError):\n        run()',
])
def test_the_rule_rejects_a_test_that_compares_nothing(body):
    source = ('def assert_nothing(x):\n    assert x\n\n\ndef assert_of_itself(x):\n    assert_of_itself(x)\n\n\n'
              f'def test_it():\n    {body}\n')
    assert without_comparison(ast.parse(source)) == ['test_it']


@pytest.mark.parametrize('body', [
    'assert x == 1', 'assert 0 < x <= 1', 'assert x is y', 'assert x is None', 'assert (x >= 0).all()',
    'assert torch.equal(x, y)', 'assert not torch.equal(x, y)', 'assert all(a == b for a, b in x)',
    'torch.testing.assert_close(x, y)', 'np.testing.assert_allclose(x, y)', 'assert gradcheck(f, x)',
    'assert_same(x)', 'assert_through(x)',
    'with pytest.raises(ValueError, match="4"):\n        run()', 'for x in y:\n        assert x == 1',
])
def test_the_rule_accepts_a_test_that_compares_a_value(body):
    source = ('def assert_through(x):\n    assert_same(x)\n\n\ndef assert_same(x):\n    assert x == 1\n\n\n'
              f'class TestIt:\n    def test_it(self):\n        {body.replace(chr(10), chr(10) + "    ")}\n')
    assert without_comparison(ast.parse(source)) == []


@pytest.mark.parametrize('path', sorted(TESTS.rglob('test_*.py')), ids=lambda path: str(path.relative_to(TESTS)))
def test_every_test_compares_a_value(path):
    assert without_comparison(ast.parse(path.read_text()), shared_helpers()) == []


def test_test_names_have_at_most_70_characters():
    names = [node.name for path in TESTS.rglob('test_*.py') for node in ast.walk(ast.parse(path.read_text()))
             if isinstance(node, FUNCTIONS) and node.name.startswith('test')]
    assert [name for name in names if len(name) > LONGEST_NAME] == []


def test_no_class_of_the_package_is_collected_as_a_test():
    classes = [node.name for path in (TESTS.parent / 'isda_seg').rglob('*.py')
               for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)]
    assert len(classes) > 100
    assert [name for name in classes if name.startswith('Test')] == []
