"""The figure of the gain: a point for every series that says how well it fitted, above zero where ISDA is better."""
import cv2

from isda_seg.analysis.series.gain_figure import Point, draw_gain, points


def entry(name, mean, interval, fitted=None):
    measures = {name: dict(mean=mean, t=interval, baseline=40.0)}
    if fitted is not None:
        measures['training_accuracy'] = dict(mean=0.0, t=[0, 0], baseline=fitted)
    return dict(comparisons={'first': dict(measures={name: dict(mean=9.0, t=[8.0, 10.0])}),
                             'shown': dict(measures=measures)})


def test_an_error_that_falls_is_a_gain_and_a_series_without_training_accuracy_or_interval_has_no_point():
    found = points([('A', 'shown', entry('top1_error', -1.5, [-2.0, -1.0], 90.0)),
                    ('B', 'shown', entry('single', -0.5, [-1.5, 0.5], 99.0)),
                    ('C', 'shown', entry('single', 1.0, None, 9.0)),
                    ('D', None, entry('single', 1.0, [0.0, 2.0], 9.0))])
    assert found == [Point('A', 90.0, 1.5, 0.5), Point('B', 99.0, -0.5, 1.0)]


def test_the_picture_is_written_with_many_points_or_none(tmp_path):
    for number in (0, 5):
        draw_gain([Point(f'series {place}', 90.0 + place, place / 4, 0.5) for place in range(number)],
                  tmp_path / f'{number}.png')
    assert [cv2.imread(str(tmp_path / f'{number}.png')).shape for number in (0, 5)] == [(540, 960, 3)] * 2
