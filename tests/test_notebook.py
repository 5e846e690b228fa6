"""The notebook runs from top to bottom.

Its cells are plain Python, so they are executed here in one namespace: nbconvert and nbmake would add Jupyter to the
requirements of the tests.
"""
import json

import pytest
from helpers.documents import ROOT

pytestmark = pytest.mark.exhaustive

CELLS = json.loads((ROOT / 'docs' / 'digits.ipynb').read_text())['cells']
CODE = [cell for cell in CELLS if cell['cell_type'] == 'code']


@pytest.fixture(scope='module')
def names():
    space: dict = {}
    for cell in CODE:
        exec(compile(''.join(cell['source']), f'digits.ipynb, cell {cell["id"]}', 'exec'), space)
    return space


def test_the_notebook_stores_no_output():
    assert [cell['id'] for cell in CODE if cell['outputs'] or cell['execution_count']] == []


def test_both_runs_of_each_pair_learn_the_digits(names):
    assert [seed for seed, _ in names['results']] == [0, 0, 1, 1, 2, 2]
    assert max(error for error, _ in names['results'].values()) < 20
    model, _, _ = names['train'](0, 0.0)
    assert names['measure'](model, names['split'](0)[0])[0] == 0  # it has fitted its training images


def test_isda_has_observed_each_training_image_in_each_epoch(names):
    assert names['criterion'].statistics.count.tolist() == [names['EPOCHS'] * 10] * 10
    assert (names['criterion'].strength, names['table'].shape) == (2.0, (10, 10))
