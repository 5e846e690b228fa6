"""Fig. 9 shows means over seeds."""
import pytest

from isda_seg.paper.tightness.figure import draw_tightness


def entry(more, **of):
    """Gaps of 1 and 2 above a cross-entropy of 1 + more, and a ratio of 2."""
    return dict(head='fc', unit='epoch', cross_entropy=1 + more, expected=2 + more, bound=3 + more, gap_ratio=2.0,
                standard_error=0.3, **of)


def run(more):
    return dict(points=[entry(more, step=step, strength=step / 4) for step in (2, 4)],
                strengths=[entry(more, strength=strength) for strength in (0, 1, 2)],
                classes=[entry(more, classes=2), dict(entry(more, classes=5), gap_ratio=None), entry(more, classes=10)])


def test_panels_show_means_over_seeds(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr('isda_seg.paper.tightness.figure.save_figure', lambda figure, out: shown.append(figure))
    result = dict(config='a.py', samples=8, final=dict(fc={}), runs={'0': run(0), '1': run(2)})
    draw_tightness(result, tmp_path / 'f.png')
    training, strength, classes = shown[0].axes
    lines = {line.get_label(): line.get_xydata().tolist() for axis in shown[0].axes for line in axis.get_lines()}
    assert lines['cross-entropy'] == [[2, 2], [4, 2]]
    assert lines['expectation'] == [[2, 3], [4, 3]]
    assert lines['bound'] == [[2, 4], [4, 4]]
    (low, high), _ = training.containers[0].lines[2][0].get_segments()
    assert high[1] - low[1] == pytest.approx(2 * 1.96 * 0.3 / 2 ** 0.5)  # of the mean of two seeds
    assert lines['bound minus cross-entropy'] == [[1, 2], [2, 2]]  # no strength 0 on a logarithmic axis
    assert lines['(bound - CE) / (expectation - CE)'] == [[2, 2], [10, 2]]
    assert [axis.get_xlabel() for axis in (training, strength, classes)] == [
        'epoch', 'strength lambda', 'classes in the softmax']
    assert training.get_title() == 'fc, training with lambda up to 1'
