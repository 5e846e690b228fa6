"""tools/gain.py: what a pair has in common, what it measures, and how it is compared."""
import runpy

import pytest
import torch
from helpers import tiny

from isda_seg.paper.series.gain_report import compare_strengths, report

pytest.importorskip('sklearn')


@pytest.fixture(scope='module')
def gain():
    return runpy.run_path(str(tiny.ROOT / 'tools' / 'gain.py'))


def test_it_needs_no_more_than_its_extra_of_the_package_installs():
    loaded = tiny.loaded_by(f'import runpy; runpy.run_path({str(tiny.ROOT / "tools" / "gain.py")!r})')
    assert {'sklearn', 'scipy', 'matplotlib', 'isda_seg.paper.series.gain_report'} <= set(loaded)
    assert [*tiny.of_openmmlab(loaded), *(name for name in ('cv2', 'torchvision') if name in loaded)] == []


def test_ten_images_of_each_digit_train_and_no_image_serves_twice(gain):
    halves = [gain['digits'](3, held_out) for held_out in (False, True)]
    assert [torch.bincount(labels).tolist() for _, labels, _, _ in halves] == [[10] * 10] * 2
    assert [len(labels) for *_, labels in halves] == [797, 800]
    parts = [{image.numpy().tobytes() for image in images} for half in halves for images in half[::2]]
    assert [len(one & other) for place, one in enumerate(parts) for other in parts[:place]] == [0] * 6
    assert not torch.equal(gain['digits'](4)[0], halves[0][0])


def test_a_seed_repeats_its_run_and_strength_0_is_plain_cross_entropy(gain, monkeypatch):
    monkeypatch.setitem(gain['run'].__globals__, 'EPOCHS', 2)
    plain = gain['run'](0, 0)
    assert gain['run'](0, 0) == plain
    assert gain['run'](0, 50.0)['nll'] != plain['nll']

    class Plain(torch.nn.CrossEntropyLoss):
        def __init__(self, covariance):
            super().__init__()

    monkeypatch.setitem(gain['run'].__globals__, 'ISDACriterion', Plain)
    monkeypatch.setitem(gain['run'].__globals__, 'attach', lambda loss, classifier: None)
    assert gain['run'](0, 0) == pytest.approx(plain, rel=1e-5)


def test_arms_are_compared_seed_by_seed_and_the_interval_is_that_of_students_t():
    runs = {0: [2.0, 4.0, 6.0], 1.5: [1.0, 2.0, 3.0]}
    found = compare_strengths({strength: [dict(error=value, nll=value, ece=value, train=100.0) for value in values]
                     for strength, values in runs.items()})
    error = found[1.5]['error']
    half = 4.30265 / 3 ** 0.5  # t of 2 degrees of freedom at 97.5 %, standard deviation 1
    assert (error['mean'], error['difference']) == (2.0, -2.0)
    assert error['interval'] == pytest.approx([-2 - half, -2 + half], rel=1e-5)
    assert report(found).splitlines()[3] == '| test error, % | 1.5 | 2.000 | -2.000 | -4.484 to +0.484 |'
