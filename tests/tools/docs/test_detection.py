"""Detectors are shown by their box and mask mAP and by the backbone they started from."""
from docs.detection import COLUMNS, backbone, docstring_line

BACKBONE = dict(checkpoint='mmdet.pth', sha256='0123456789abcdef', tensors=265)


def result(box, mask=None, seed=0, **others):
    measures = {'bbox_mAP': box, 'bbox_mAP_50': 2 * box, 'bbox_mAP_75': None}
    measures |= {} if mask is None else {'segm_mAP': mask}
    training = [dict(seed=seed, commit='abc', hardware='a machine', date='2026-01-02T03:04:05')]
    return dict(dict(protocols=dict(single=measures), training=training, backbone=BACKBONE), **others)


def test_a_missing_measure_is_an_empty_cell():
    assert {title: cell([result(20.0, 18.0)]) for title, cell in COLUMNS.items()} == {
        'box mAP': '20.00', 'box AP50': '40.00', 'box AP75': '', 'mask mAP': '18.00', 'mask AP50': '', 'mask AP75': '',
        'backbone': 'mmdet.pth (0123456789ab)'}


def test_seeds_are_averaged_and_each_backbone_is_named_once():
    runs = [result(20.0), result(21.0, seed=1), result(22.0, seed=2, backbone=None)]
    assert docstring_line(runs) == 'box mAP 21.00 ± 1.00 (mean ± sd, seeds 0, 1, 2)'
    assert backbone(runs) == 'mmdet.pth (0123456789ab), random'


def test_a_docstring_has_box_and_mask_results_or_not_yet_run():
    assert docstring_line([result(0.3, 0.2)]) == 'box mAP 0.30, mask mAP 0.20 (seed 0, one run)'
    assert docstring_line(None) == 'not yet run'
