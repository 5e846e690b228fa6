"""Properties of Temporal Ensembling, compared with a reference average."""
import numpy as np
import pytest
import torch
from helpers import state_invariants
from helpers.tiny_semi import CLASSES, Linear, images, softmax
from torch.testing import assert_close

from isda_seg.semi.temporal_ensembling import TemporalEnsembling

IMAGES = 5


def prepared(images=IMAGES, **keys):
    method = TemporalEnsembling(**keys)
    method.prepare(images, CLASSES)
    return method


def step(method, student, index, seed):
    batch = images(len(index), seed)
    logits, term = method(student, dict(views=[batch], index=torch.tensor(index)))
    return softmax(logits.detach().numpy()), term


def test_targets_are_bias_corrected_means_of_predictions():
    method, student = prepared(alpha=0.6), Linear()
    ensemble, epochs = np.zeros((IMAGES, CLASSES)), np.zeros(IMAGES)
    targets = np.zeros((IMAGES, CLASSES))
    for epoch, batches in enumerate([[[0, 1, 2], [3, 4]], [[4, 2], [0]], [[3, 1, 0], [2, 4]]]):  # epoch 1 lacks 1 and 3
        for number, index in enumerate(batches):
            probabilities, term = step(method, student, index, 10 * epoch + number)
            assert_close(term.item(), ((probabilities - targets[index]) ** 2).mean(), rtol=1e-5, atol=1e-7)
            ensemble[index] = 0.6 * ensemble[index] + 0.4 * probabilities
            epochs[index] += 1
        method.after_epoch()
        seen = epochs > 0
        targets[seen] = ensemble[seen] / (1 - 0.6 ** epochs[seen, None])
        assert_close(method.targets.double(), torch.from_numpy(targets), rtol=1e-5, atol=1e-6)
    assert method.epochs.tolist() == [3, 2, 3, 2, 3]


def test_the_gradient_treats_targets_as_constants():
    method, student = prepared(), Linear()
    step(method, student, [0, 1, 2], 1)
    method.after_epoch()
    _, term = step(method, student, [0, 1, 2], 2)
    found, = torch.autograd.grad(term, student.weight)
    target = method.targets[:3].double()
    expected, = torch.autograd.grad(((student(images(3, 2)).softmax(1) - target) ** 2).mean(), student.weight)
    assert_close(found, expected, rtol=1e-5, atol=1e-8)
    assert not method.targets.requires_grad


def test_the_weight_is_0_until_every_image_has_a_target():
    method = prepared(eta_2=30.0, ramp_epochs=0)
    weights = []
    for method.epoch in (0.0, 0.99, 1.0):
        weights.append(method.weight)
    assert weights == [0.0, 0.0, 30.0]


def test_image_seen_twice_in_an_epoch_uses_its_mean():
    method, student = prepared(), Linear()
    first, _ = step(method, student, [2], 1)
    second, _ = step(method, student, [2], 2)
    method.after_epoch()
    assert_close(method.targets[2].double().numpy(), (first + second)[0] / 2, rtol=1e-6, atol=1e-7)
    assert method.epochs.tolist() == [0, 0, 1, 0, 0]


def epoch(method, number):
    """All images but one, in two batches; another one is left out each time."""
    student, order = Linear(), [image for image in range(IMAGES) if image != number % IMAGES]
    for part, index in enumerate((order[:2], order[2:])):
        step(method, student, index, 10 * number + part)
    method.after_epoch()


@pytest.mark.parametrize('make', [prepared, TemporalEnsembling], ids=['with data', 'without'])
def test_checkpoint_loads_with_and_without_data(make):
    method, fresh = prepared(), make()
    epoch(method, 0)
    fresh.load_state_dict(method.state_dict())
    assert sorted(method.state_dict()) == ['ensemble', 'epochs', 'targets']
    state_invariants.assert_same_bits(fresh.state_dict(), method.state_dict())


@pytest.mark.parametrize('invariant', state_invariants.INVARIANTS, ids=state_invariants.name)
def test_state_survives_saving_moving_and_copying(invariant):
    state_invariants.assert_holds(invariant, prepared, epoch)


@pytest.mark.parametrize('invariant', [state_invariants.a_pickled_copy_continues_identically,
                                 state_invariants.a_deepcopy_is_independent],
                         ids=state_invariants.name)
def test_copies_within_an_epoch_have_the_same_state(invariant):
    def half(method, number):
        step(method, Linear(), [number % IMAGES, 4], number)

    first = prepared()
    half(first, 0)
    assert int(first._times.sum()) == 2
    for actual, expected in invariant(prepared, half):
        state_invariants.assert_same_bits(actual, expected)


def test_a_checkpoint_of_other_data_is_refused():
    with pytest.raises(ValueError, match='predictions of 5 images in 4 classes, but the checkpoint holds 7 in 4'):
        prepared().load_state_dict(prepared(7).state_dict())


def test_data_of_another_size_are_an_error():
    with pytest.raises(ValueError, match='predictions of 5 images in 4 classes, but the training data have 6 in 4'):
        prepared().prepare(6, CLASSES)


@pytest.mark.parametrize('alpha', [-0.1, 1.0])
def test_alpha_outside_0_to_1_is_an_error(alpha):
    with pytest.raises(ValueError, match=rf'alpha must be in \[0, 1\), got {alpha}'):
        TemporalEnsembling(alpha=alpha)
