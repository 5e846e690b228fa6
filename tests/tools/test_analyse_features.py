"""The tool on a model of two training steps and on the same weights without ISDA's statistics."""

import json
from types import SimpleNamespace

import cv2
import pytest
import torch
from helpers import tiny

pytestmark = pytest.mark.exhaustive

pytest.importorskip('sklearn')
from isda_seg.core import margin_variance  # noqa: E402
from isda_seg.paper.features.features_report import summary  # noqa: E402


@pytest.fixture(scope='module')
def looked(tmp_path_factory):
    """Both models looked at, side by side."""
    folder = tmp_path_factory.mktemp('features')
    models = tiny.trained_pair(folder)
    with pytest.MonkeyPatch.context() as patch:
        tiny.run_tool(patch, 'analyse.py', 'features', *models, '--work-dir', folder / 'work', '--per-class', 12,
                      '--perplexity', 8, '--out', folder / 'out')
    return SimpleNamespace(models=models, folder=folder, found=json.loads((folder / 'out/features.json').read_text()))


def test_equal_weights_have_equal_features_with_and_without_isda(looked):
    plain, isda = looked.found['models']
    assert [plain['name'], isda['name']] == ['tiny_1xb2', 'tiny_isda_1xb2']
    for key in ('images', 'samples', 'separation', 'confusion'):
        assert plain[key] == isda[key]
    assert plain['spreads'] == isda['spreads'][1:]
    assert [spread['source'] for spread in isda['spreads']] == [
        'statistics of ISDA in the checkpoint, diagonal covariances', 'test data, full covariances']


def test_classes_without_samples_are_omitted_and_named(looked):
    samples = looked.found['models'][0]['samples']
    assert list(samples.values()) == [12] * 5 + [0] * 6  # five of the eleven are painted
    absent = ', '.join(list(samples)[5:])
    assert summary(looked.found['models']).count(f'warning: no sample of {absent}; excluded from the t-SNE') == 2


def test_the_table_is_read_from_the_checkpoint(looked):
    state = torch.load(looked.models[3], weights_only=False)['state_dict']
    weight, covariance = (state[f'decode_head.{name}'] for name in ('conv_seg.weight',
                                                                    'loss_decode.statistics.covariance'))
    table = torch.tensor(looked.found['models'][1]['spreads'][0]['table'])
    torch.testing.assert_close(table, margin_variance(weight.flatten(1), covariance), rtol=1e-4, atol=1e-6)


def test_the_result_records_its_arguments_and_the_figures_exist(looked):
    found = looked.found
    assert (found['kind'], found['split'], found['per_class'], found['perplexity'], found['seed']) == (
        'features', 'test', 12, 8, 0)
    assert found['models'][1]['training'][0]['seed'] == 0
    for name in ('embedding', 'spectrum', 'table'):
        assert cv2.imread(str(looked.folder / 'out' / f'{name}.png')).shape[0] > 300


def test_a_config_without_a_checkpoint_is_an_error(looked, monkeypatch):
    with pytest.raises(ValueError, match='takes CONFIG CHECKPOINT of one or two models, got 3 paths'):
        tiny.run_tool(monkeypatch, 'analyse.py', 'features', *looked.models[:3])


def test_missing_scikit_learn_is_an_error_with_a_remedy(looked, monkeypatch):
    monkeypatch.setattr('isda_seg.compat.find_spec', lambda name: None)
    with pytest.raises(ImportError, match=r"needs scikit-learn.*pip install -c constraints.txt -e '\.\[gain\]'"):
        tiny.run_tool(monkeypatch, 'analyse.py', 'features', *looked.models[:2])
