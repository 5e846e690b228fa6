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


def test_gain_imports_only_packages_of_its_extra():
    loaded = tiny.loaded_by(f'import runpy; runpy.run_path({str(tiny.ROOT / "tools" / "gain.py")!r})')
    assert {'sklearn', 'scipy', 'matplotlib', 'isda_seg.paper.series.gain_report'} <= set(loaded)
    assert [*tiny.of_openmmlab(loaded), *(name for name in ('cv2', 'torchvision') if name in loaded)] == []


def test_ten_images_per_digit_train_and_splits_are_disjoint(gain):
    halves = [gain['digits'](3, held_out) for held_out in (False, True)]
    assert [torch.bincount(labels).tolist() for _, labels, _, _ in halves] == [[10] * 10] * 2
    assert [len(labels) for *_, labels in halves] == [797, 800]
    parts = [{image.numpy().tobytes() for image in images} for half in halves for images in half[::2]]
    assert [len(one & other) for place, one in enumerate(parts) for other in parts[:place]] == [0] * 6
    assert not torch.equal(gain['digits'](4)[0], halves[0][0])


def test_a_run_is_reproducible_and_strength_0_is_cross_entropy(gain, monkeypatch):
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


def test_the_interval_is_the_paired_t_interval():
    runs = {0: [2.0, 4.0, 6.0], 1.5: [1.0, 2.0, 3.0]}
    names = {'error': 'test error, %', 'train': 'training accuracy, %'}
    found = compare_strengths({strength: [dict(error=value, train=100.0) for value in values]
                               for strength, values in runs.items()}, names)
    error = found[1.5]['error']
    half = 4.30265 / 3 ** 0.5  # t of 2 degrees of freedom at 97.5 %, standard deviation 1
    assert (error['mean'], error['difference']) == (2.0, -2.0)
    assert error['interval'] == pytest.approx([-2 - half, -2 + half], rel=1e-5)
    assert report(found, names).splitlines()[3] == '| test error, % | 1.5 | 2.000 | -2.000 | -4.484 to +0.484 |'


@pytest.fixture(scope='module')
def segmentation():
    pytest.importorskip('cv2')
    return runpy.run_path(str(tiny.ROOT / 'tools' / 'gain_segmentation.py'))


def test_pairs_and_the_sweep_have_different_scenes(segmentation):
    drawn = [segmentation['scenes'](*which, 2)[0] for which in ((1, 'train'), (2, 'train'), (0, 'val'), (1, 'val'))]
    images = {image.numpy().tobytes() for images in drawn for image in images}
    assert len(images) == 8


def test_miou_at_tau_equals_the_miou_of_adjusted_logits(segmentation):
    torch.manual_seed(0)
    labels = torch.randint(0, 19, (2, 8, 8))
    labels[0, :2] = 255
    logits = torch.randn(2, 19, 8, 8) + torch.nn.functional.one_hot(labels.clamp(max=18), 19).movedim(-1, 1)
    prior = torch.randn(19)
    found = segmentation['evaluate'](lambda images: logits, torch.zeros(2, 3, 8, 8), labels, prior, 0.42)
    for name, tau in (('miou', 0.42), ('miou_0', 0), ('miou_0.7', 0.7)):
        predicted = (logits - tau * prior.view(-1, 1, 1)).argmax(dim=1)
        known, ious = labels != 255, []
        for c in range(19):
            own, guessed = (labels == c) & known, (predicted == c) & known
            ious.append(int((own & guessed).sum()) / int((own | guessed).sum()))
        assert found[name] == pytest.approx(100 * sum(ious) / 19, rel=1e-5)
    hits = (logits.argmax(dim=1) == labels)[labels != 255]
    assert found['accuracy'] == pytest.approx(100 * float(hits.float().mean()), rel=1e-5)


def test_a_segmentation_run_is_reproducible_and_strength_0_is_its_baseline(segmentation, monkeypatch):
    names = segmentation['run'].__globals__
    for name, value in (('STEPS', 8), ('TEST_SCENES', 2), ('SIZE', (32, 64))):
        monkeypatch.setitem(names, name, value)
    baseline = segmentation['run'](0, 0)
    assert segmentation['run'](0, 0) == baseline
    assert segmentation['run'](0, 50.0)['nll'] != baseline['nll']

    class LogitAdjusted(torch.nn.Module):
        def __init__(self, covariance, ignore_index, logit_adjustment):
            super().__init__()
            self.tau, self.count = logit_adjustment, torch.zeros(19)

        def forward(self, logits, labels):
            on_grid = labels[:, 1::2, 1::2]  # nearest-exact to the features at stride 2
            self.count += torch.bincount(on_grid[on_grid != 255], minlength=19)
            count = self.count.clamp(min=1)
            prior = (count / count.sum()).log().view(-1, 1, 1)
            return torch.nn.functional.cross_entropy(logits + self.tau * prior, labels, ignore_index=255)

    monkeypatch.setitem(names, 'ISDACriterion', LogitAdjusted)
    monkeypatch.setitem(names, 'attach', lambda loss, classifier: None)
    assert segmentation['run'](0, 0) == pytest.approx(baseline, rel=1e-3)
