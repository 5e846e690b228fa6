"""Columns of the tasks: errors, mIoU of each protocol, box and mask mAP with the backbone of the start."""
from docs.columns import CLASSIFICATION, DETECTION, SEGMENTATION, backbone

BACKBONE = dict(checkpoint='mmdet.pth', sha256='0123456789abcdef', tensors=265)


def run(seed=0, **measures):
    return dict(protocols=dict(single=measures), training=[dict(seed=seed)])


def result(box, mask=None, seed=0, **others):
    measures = {'bbox_mAP': box, 'bbox_mAP_50': 2 * box, 'bbox_mAP_75': None}
    measures |= {} if mask is None else {'segm_mAP': mask}
    return dict(dict(run(seed, **measures), backbone=BACKBONE), **others)


def test_a_missing_measure_is_an_empty_cell():
    assert {title: cell([result(20.0, 18.0)]) for title, cell in DETECTION.cells.items()} == {
        'box mAP': '20.00', 'box AP50': '40.00', 'box AP75': '', 'mask mAP': '18.00', 'mask AP50': '', 'mask AP75': '',
        'backbone': 'mmdet.pth (0123456789ab)'}


def test_seeds_are_averaged_and_each_backbone_is_named_once():
    runs = [result(20.0), result(21.0, seed=1), result(22.0, seed=2, backbone=None)]
    assert DETECTION.docstring_line(runs) == 'box mAP 21.00 ± 1.00 (mean ± sd, seeds 0, 1, 2)'
    assert backbone(runs) == 'mmdet.pth (0123456789ab), random'


def test_a_docstring_has_box_and_mask_results_or_not_yet_run():
    assert DETECTION.docstring_line([result(0.3, 0.2)]) == 'box mAP 0.30, mask mAP 0.20 (seed 0, one run)'
    assert DETECTION.docstring_line(None) == 'not yet run'


def test_a_classifier_has_errors_named_with_their_unit():
    errors = [dict(top1_error=error, top1_error_last10=error + 1) for error in (22.0, 24.0)]
    one, pair = [run(3, **errors[0], top5_error=6.5)], [run(seed, **each) for seed, each in enumerate(errors)]
    assert [cell(one) for cell in CLASSIFICATION.cells.values()] == ['22.00', '23.00', '6.50']
    assert [cell(pair) for cell in CLASSIFICATION.cells.values()] == ['23.00 ± 1.41', '24.00 ± 1.41', '']
    assert CLASSIFICATION.docstring_line(one) == (
        '22.00 % top-1 error, 23.00 % mean of the last epochs, 6.50 % top-5 error (seed 3, one run)')


def test_missing_protocol_has_an_empty_cell():
    runs = [run(3, mIoU=mean) for mean in (38.0, 40.0)]
    assert {title: cell(runs) for title, cell in SEGMENTATION.cells.items()} == {
        'single': '39.00 ± 1.41', 'ms': '', 'ms-flip': ''}
    assert SEGMENTATION.docstring_line(runs) == 'mIoU single 39.00 ± 1.41 (mean ± sd, seeds 3, 3)'
