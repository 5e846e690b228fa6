"""The detection tables hold what result files and docstrings say, and a caveat beside numbers that prove nothing."""
import pytest

from isda_seg.analysis.tables.detection import COLUMNS, backbone, docstring_line, paper, section, table

BACKBONE = dict(checkpoint='mmdet.pth', sha256='0123456789abcdef', tensors=265)


def result(box, mask=None, seed=0, **others):
    measures = {'bbox_mAP': box, 'bbox_mAP_50': 2 * box, 'bbox_mAP_75': None}
    measures |= {} if mask is None else {'segm_mAP': mask}
    training = [dict(seed=seed, commit='abc', hardware='a machine', date='2026-01-02T03:04:05')]
    return dict(dict(protocols=dict(single=measures), training=training, backbone=BACKBONE), **others)


@pytest.fixture
def configs(tmp_path):
    (tmp_path / 'coco').mkdir()
    paths = [tmp_path / 'coco' / f'{name}.py' for name in ('a', 'b')]
    for path in paths:
        path.write_text('"""Title.\n\nPaper:     38.6 box mAP\nResult:    not yet run\n"""\n')
    return paths


def test_a_row_shows_the_measures_the_papers_number_and_the_backbone(configs):
    rows = [row.strip('| ').split(' | ') for row in table(configs, dict(b=[result(20.0, 18.0)])).splitlines()]
    assert len({len(row) for row in rows[::3]}) == 1
    found = dict(zip(rows[0], rows[3], strict=True))
    assert (found['box mAP'], found['box AP50'], found['mask mAP'], found['paper']) == ('20.00', '40.00', '18.00',
                                                                                        '38.6 box mAP')
    assert (found['box AP75'].strip(), found['mask AP50'].strip()) == ('', '')
    assert (found['backbone'], found['trained at commit'], found['date']) == ('mmdet.pth (0123456789ab)', 'abc',
                                                                              '2026-01-02')
    assert table(configs, {}).splitlines()[2] == (
        '| [a](coco/a.py) | not yet run |' + '  |' * len(COLUMNS) + ' 38.6 box mAP |' + '  |' * 4)


def test_several_seeds_are_averaged_and_every_backbone_is_named_once():
    runs = [result(20.0), result(21.0, seed=1), result(22.0, seed=2, backbone=None)]
    assert docstring_line(runs, 'coco') == 'box mAP 21.00 ± 1.00 (mean ± sd, seeds 0, 1, 2)'
    assert backbone(runs) == 'mmdet.pth (0123456789ab), random'


def test_a_number_that_only_shows_the_path_says_so_beside_it(tmp_path):
    caveat = 'shows that the path works and says nothing about a backbone'
    assert docstring_line([result(0.3, 0.2)], 'coco256') == f'box mAP 0.30, mask mAP 0.20 (seed 0, one run); {caveat}'
    assert docstring_line([result(0.3)], 'coco') == 'box mAP 0.30 (seed 0, one run)'
    assert docstring_line(None, 'coco256') == 'not yet run'
    assert caveat in section([], {}, tmp_path / 'coco256')
    assert caveat not in section([], {}, tmp_path / 'coco')


def test_pictures_that_are_there_are_shown(tmp_path):
    (tmp_path / 'coco256').mkdir()
    (tmp_path / 'coco256' / '7.png').touch()
    assert section([], {}, tmp_path / 'coco256').splitlines()[-1] == (
        '![Ground truth and prediction, image 7](results/coco256/7.png)')


def test_a_config_without_the_papers_number_has_an_empty_cell():
    assert (paper('"""Title.\n\nRun: x\n"""'), paper('Paper:     38.6 box mAP\nResult: x')) == ('', '38.6 box mAP')
