"""Inputs of the losses equal those of a training step; sampling leaves the run unchanged."""
import copy
import random

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.tiny_semi import CLASSES, Backbone, images
from torch.utils.data import DataLoader

from isda_seg.losses import wrap_with_isda
from isda_seg.openmmlab.wrapping import wrap_losses
from isda_seg.paper.tightness.head_samples import fixed_batches, head_samples
from isda_seg.runtime.isolation import random_states_kept
from isda_seg.runtime.reproducible import seed_everything
from isda_seg.semi.classifier import SemiClassifier

pytestmark = tiny.on_cpu


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp('heads')
    _, isda = tiny.write_configs(folder)
    runner, _ = tiny.train(isda, folder / 'run', {'train_cfg.max_iters': 2})
    return runner


def losses_of(model):
    return [model.decode_head.loss_decode, model.auxiliary_head.loss_decode]


def test_samples_reproduce_the_cross_entropy_of_the_training_step(trained):
    found = head_samples(trained.model, trained.train_dataloader, 2, 48 * 48, seed=3)
    with random_states_kept(), torch.no_grad():
        seed_everything(3)
        batch, = fixed_batches(trained.train_dataloader, 2, 3)
        twin = copy.deepcopy(trained.model).train()
        expected = twin._run_forward(twin.data_preprocessor(batch, True), mode='loss')
    for samples, name, factor in zip(found, ('decode.loss_isda', 'aux.loss_isda'), (1.0, 0.4), strict=True):
        own = factor * torch.nn.functional.cross_entropy(samples.logits, samples.labels)
        torch.testing.assert_close(own, expected[name])


def test_samples_are_labelled_pixels_with_the_covariances_of_the_loss(trained):
    found = head_samples(trained.model, trained.train_dataloader, 5, 7, seed=0)
    for samples, loss, name in zip(found, losses_of(trained.model), ('decode_head', 'auxiliary_head'), strict=True):
        assert (samples.head, samples.strength, samples.lambda_0) == (name, 7.5, 7.5)
        assert samples.logits.shape == (4 * 7, tiny.CAMVID_CLASSES)  # two whole batches of two
        assert set(samples.labels.tolist()) <= set(range(tiny.CAMVID_CLASSES))
        assert torch.equal(samples.covariance, loss.statistics.covariance)
        assert torch.equal(samples.weight, loss.captured.weight())


def test_sampling_does_not_change_the_run(trained):
    def states():
        model = trained.model
        return tiny.flat(dict(model=model.state_dict(), torch=torch.get_rng_state(), python=random.getstate(),
                              numpy=[part.tolist() if isinstance(part, np.ndarray) else part
                                     for part in np.random.get_state()],
                              records=[list(loss.captured._last) for loss in losses_of(model)],
                              strengths=[loss.strength for loss in losses_of(model)],
                              hooks=[len(loss._forward_pre_hooks) for loss in losses_of(model)],
                              training=[module.training for module in model.modules()]))

    before = copy.deepcopy(states())
    first, again = (head_samples(trained.model, trained.train_dataloader, 4, 9, seed=1) for _ in range(2))
    assert tiny.differing(states(), before) == []
    assert all(torch.equal(a.logits, b.logits) and torch.equal(a.labels, b.labels)
               for a, b in zip(first, again, strict=True))


class TwoStreams(list):
    """Pairs (unlabelled, labelled) of six images; two of them are labelled."""
    labelled_indices = (4, 2)

    def __getitem__(self, pair):
        unlabelled, labelled = pair
        view = super().__getitem__(unlabelled)
        return dict(inputs=super().__getitem__(labelled), labels=labelled % CLASSES,
                    unlabelled=dict(views=[view, view], index=unlabelled))


@pytest.mark.parametrize('eta_1', [1.0, 0.0])
def test_unlabelled_images_are_sampled_with_an_unlabelled_isda_term(eta_1):
    model = SemiClassifier(dict(type=Backbone, dropout=0.0), CLASSES, dict(type='PiModel'), eta_1=eta_1,
                           data_preprocessor=dict(type='ClassificationPreprocessor', bgr_to_rgb=False))
    wrap_losses(model, wrap_with_isda(0.5, covariance='full'))
    loader = DataLoader(TwoStreams(images(6)), batch_size=6)
    found = head_samples(model, loader, 6, 1, seed=0)
    assert [samples.head for samples in found] == ['the model', 'the model, unlabelled images'][:1 + (eta_1 > 0)]
    batch, = fixed_batches(loader, 6, 0)
    assert sorted(batch['labels'].tolist()) == sorted([4 % CLASSES, 2 % CLASSES] * 3)
    assert sorted(batch['unlabelled']['index'].tolist()) == list(range(6))
    inputs = [batch['inputs'], batch['unlabelled']['views'][0]]
    for samples, own, labels in zip(found, inputs, (batch['labels'], None), strict=False):
        assert torch.equal(samples.logits, model.train()(own))
        assert samples.labels is labels is None or torch.equal(samples.labels, labels)


def test_head_without_a_labelled_pixel_is_an_error(trained):
    with pytest.raises(ValueError, match='decode_head: no pixel of the 2 training images has a label'):
        head_samples(nothing_labelled(trained.model), trained.train_dataloader, 2, 5, seed=0)


def nothing_labelled(model):
    """A copy whose labels are all void."""
    twin = copy.deepcopy(model)
    before = twin.data_preprocessor.forward

    def forward(data, training=False):
        data = before(data, training)
        for sample in data['data_samples']:
            sample.gt_sem_seg.data.fill_(tiny.CAMVID_VOID)
        return data

    twin.data_preprocessor.forward = forward
    return twin
