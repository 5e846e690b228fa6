"""tools/show_directions.py writes figures and their numbers from a config and its checkpoint, with and without ISDA."""

import json

import pytest
from helpers import tiny

pytestmark = pytest.mark.exhaustive


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """(config, checkpoint) of the plain and of the ISDA run, two iterations each."""
    folder = tmp_path_factory.mktemp('trained')
    runs = []
    for config in tiny.write_configs(folder / 'tiny'):
        tiny.train(config, folder / config.stem, {'train_cfg.max_iters': 2})
        runs.append((config, folder / config.stem / 'iter_2.pth'))
    return runs


def shown(monkeypatch, tmp_path, run, *options):
    tiny.run_tool(monkeypatch, 'show_directions.py', *run, '--work-dir', tmp_path / 'work', '--queries', 3,
                  '--shown', 1, '--neighbours', 2, *options)
    folder = tmp_path / ('out' if '--out' in options else 'work/directions')
    return json.loads((folder / 'directions.json').read_text())


def test_an_isda_checkpoint_uses_its_statistics_and_lambda_0(monkeypatch, tmp_path, trained, capsys):
    before = trained[1][1].read_bytes()
    report = shown(monkeypatch, tmp_path, trained[1], '--classes', 'sky', 'road', '--out', tmp_path / 'out')
    assert (report['statistics'], report['covariance'], report['strength']) == ('the checkpoint', 'diagonal', 7.5)
    assert list(report['classes']) == ['sky', 'road']
    for found in report['classes'].values():
        assert found['queries'] == 3
        assert [len(row['neighbours']) for row in found['shown'][0]] == [2] * 11
        assert found['shares']['unmoved']['new'] == found['shares']['unmoved']['length'] == 0
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'sky.png', 'road.png', 'directions.json'}
    assert f'wrote {tmp_path}/out/sky.png' in capsys.readouterr().out
    assert trained[1][1].read_bytes() == before


def test_a_baseline_checkpoint_uses_the_moments_of_the_split(monkeypatch, tmp_path, trained, capsys):
    report = shown(monkeypatch, tmp_path, trained[0], '--classes', 'sky', '--split', 'val', '--head', 'auxiliary_head')
    assert (report['statistics'], report['head'], report['strength']) == ('the val split', 'auxiliary_head', 7.5)
    assert 'contains no statistics; the diagonal covariance of each class is computed from the val split' in \
        capsys.readouterr().out


def test_an_unknown_class_is_an_error_that_lists_the_classes(monkeypatch, tmp_path, trained):
    with pytest.raises(ValueError, match="unknown class 'lorry'. Choose from sky, building, pole"):
        shown(monkeypatch, tmp_path, trained[1], '--classes', 'lorry')
    assert list((tmp_path / 'work' / 'directions').iterdir()) == []
