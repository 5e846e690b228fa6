"""The figure of the gain: a point per setting that says how well it fitted, above zero where ISDA is better."""
import json

import cv2
import pytest

from docs.gain_figure import draw_gain
from docs.gain_series import Gain, recorded_gains


def entry(name, mean, interval, fitted=None):
    measures = {name: dict(mean=mean, t=interval, baseline=40.0, arm=40.0 + mean, by_seed=[mean, mean])}
    if fitted is not None:
        measures['training_accuracy'] = dict(mean=0.0, t=[0, 0], baseline=fitted)
    other = {name: dict(mean=9.0, t=[8.0, 10.0], baseline=1.0, arm=10.0, by_seed=[9.0])}
    return dict(kind='paired', comparisons={'first': dict(measures=other), 'shown': dict(measures=measures)})


@pytest.fixture
def gains(tmp_path):
    entries = {'A': entry('top1_error', -1.5, [-2.0, -1.0], 90.0), 'B': entry('single', -0.5, [-1.5, 0.5], 99.0),
               'C': entry('single', 1.0, None, 9.0), 'D': entry('single', 1.0, [0.0, 2.0])}
    (tmp_path / 'plan.json').write_text(json.dumps([dict(name=name, title=name, arm='shown') for name in entries]))
    for name, found in entries.items():
        (tmp_path / f'{name}.json').write_text(json.dumps(found))
    found = recorded_gains(tmp_path)
    return [*found.shown, *found.unfitted]


def test_a_lower_error_is_a_gain_and_has_a_training_accuracy(gains):
    assert gains[:2] == [
        Gain('classification', 'A', 'test error', 2, 40.0, 38.5, -1.5, (-2.0, -1.0), None, 90.0, 'A'),
        Gain('segmentation', 'B', 'mIoU', 2, 40.0, 39.5, -0.5, (-1.5, 0.5), None, 99.0, 'B')]
    assert [found.verdict for found in gains] == ['better', '', '', '']
    assert [(found.interval, found.fitted) for found in gains[2:]] == [((0.0, 2.0), None), (None, 9.0)]


def test_a_series_without_training_accuracy_or_interval_has_no_point(gains, tmp_path):
    draw_gain(gains, tmp_path / 'all.png')
    draw_gain(gains[:2], tmp_path / 'shown.png')
    draw_gain(gains[:1], tmp_path / 'one.png')
    every, shown, one = (cv2.imread(str(tmp_path / f'{name}.png')) for name in ('all', 'shown', 'one'))
    assert (every == shown).all() and (shown != one).any()


def test_points_above_zero_mean_isda_is_better(tmp_path):
    for name, measure, difference in (('error', 'test error', -1.0), ('mIoU', 'mIoU', 1.0)):
        bounds = (difference - 0.5, difference + 0.5)
        draw_gain([Gain('classification', 'A', measure, 2, 40.0, 40.0 + difference, difference, bounds, None, 90.0)],
                  tmp_path / f'{name}.png')
    error, miou = (cv2.imread(str(tmp_path / f'{name}.png')) for name in ('error', 'mIoU'))
    assert (error[150:] == miou[150:]).all()  # but for the name of the measure in the legend at the top


def test_the_figure_is_written_for_any_number_of_points(tmp_path):
    for number in (0, 5):
        draw_gain([Gain('segmentation', f'setting {place}', 'mIoU', 8, 40.0, 40.0 + place / 4, place / 4,
                        (place / 4 - 0.5, place / 4 + 0.5), None, 90.0 + place) for place in range(number)],
                  tmp_path / f'{number}.png')
    assert [cv2.imread(str(tmp_path / f'{number}.png')).shape for number in (0, 5)] == [(540, 960, 3)] * 2
