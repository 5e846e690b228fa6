"""tools/analyse.py tightness on real images: result file, resume and invalid arguments."""
import json

import pytest
from helpers import tiny

from isda_seg.paper.tightness.series import final_means, final_table

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]

ISDA = tiny.ROOT / 'configs' / 'miniature' / 'resnet8_isda_cifar10-1k.py'
SMALL = ('--cfg-options', 'train_dataloader.dataset.indices=96', 'train_dataloader.batch_size=32',
         'train_cfg.max_epochs=6', 'val_dataloader.dataset.indices=20')


@pytest.fixture(scope='module')
def result(tmp_path_factory, data_folder):
    """A run of six epochs on 96 images, and the same command once more with --resume."""
    folder = tmp_path_factory.mktemp('analyse')
    arguments = ('tightness', ISDA, '--work-dir', folder, '--seeds', 3, '--interval', 3, '--images', 64, '--samples',
                 100, '--strengths', 0, 0.5, 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ISDA_SEG_DATA', str(data_folder('cifar10').parent))
        tiny.run_tool(patch, 'analyse.py', *arguments, *SMALL)
        first = json.loads((folder / 'tightness.json').read_text())
        tiny.run_tool(patch, 'analyse.py', *arguments, '--resume', *SMALL)
    return folder, first, json.loads((folder / 'tightness.json').read_text())


def test_a_result_has_points_strengths_classes_and_provenance(result):
    folder, found, _ = result
    run = found['runs']['3']
    assert [(point['step'], point['strength'], point['logit_vectors']) for point in run['points']] == [(3, 0.5, 64),
                                                                                                 (6, 1.0, 64)]
    assert [entry['strength'] for entry in run['strengths']] == [0, 0.5, 1]
    assert [entry['classes'] for entry in run['classes']] == [2, 5, 10]
    assert (found['kind'], found['seeds'], found['seed'], found['samples']) == ('tightness', [3], 3, 100)
    assert {'command', 'commit', 'hardware', 'versions'} <= set(found)
    assert (folder / 'tightness.png').stat().st_size > 10_000


def test_the_last_point_is_the_trained_model_at_lambda_0(result):
    run = result[1]['runs']['3']
    measures = ('cross_entropy', 'expected', 'standard_error', 'bound', 'gap_ratio')
    assert {tuple(entry[name] for name in measures)
            for entry in (run['points'][-1], run['strengths'][-1], run['classes'][-1])} == {
        tuple(run['points'][-1][name] for name in measures)}


def test_recorded_losses_satisfy_jensens_inequality(result):
    for entry in sum(result[1]['runs']['3'].values(), []):
        three = 3 * entry['standard_error']
        assert entry['cross_entropy'] <= entry['expected'] + three
        assert entry['expected'] - three <= entry['bound'] + 1e-12


def test_a_resumed_run_measures_the_same_values(result):
    _, first, again = result
    assert again['runs'] == first['runs']


def test_the_table_shows_means_and_spread_over_seeds():
    runs = {str(seed): dict(points=[dict(head='fc', cross_entropy=1.0, expected=1.5, bound=2.0, gap_ratio=ratio)])
            for seed, ratio in enumerate((2.0, 3.0))}
    final = final_means(runs)
    assert final['fc']['gap_ratio'] == pytest.approx(dict(mean=2.5, sd=0.5 ** 0.5))
    assert final_table(final).splitlines()[-1] == (
        '| fc | 1.0000 ± 0.0000 | 1.5000 ± 0.0000 | 2.0000 ± 0.0000 | 2.5000 ± 0.7071 |')


@pytest.mark.parametrize('options, message', [
    (('--strengths', '-1'), 'a value of --strengths must be a finite number >= 0, got -1.0'),
    (('--samples', '3'), 'an even number of at least 4, got 3')])
def test_invalid_numbers_are_errors_before_training(options, message, tmp_path, monkeypatch, data_folder):
    monkeypatch.setenv('ISDA_SEG_DATA', str(data_folder('cifar10').parent))
    with pytest.raises(ValueError, match=message):
        tiny.run_tool(monkeypatch, 'analyse.py', 'tightness', ISDA, '--work-dir', tmp_path, *options, *SMALL)
    assert list(tmp_path.glob('*/*.pth')) == []
