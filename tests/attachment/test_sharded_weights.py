"""fully_shard on two gloo ranks: sharded weights, whole statistics, exact resume."""

import pytest
import torch
import torch.nn.functional as F
from helpers.two_ranks import two_ranks
from torch import nn
from torch.testing import assert_close

from isda_seg.attach import attach
from isda_seg.core.ops.torch_versions import release
from isda_seg.criterion import ISDACriterion

pytestmark = [pytest.mark.exhaustive, pytest.mark.skipif(
    release(torch.__version__) == (2, 1), reason='torch 2.1 has no state dict of sharded models')]

CLASSES, STEPS, HALF = 5, 4, 2
WAYS = ('whole model', 'each layer')  # 'each layer' has resharded the classifier when the loss is called


class Segmenter(nn.Module):
    """The loss is a part of the model, so that its statistics are in the model's state dict."""

    def __init__(self):
        super().__init__()
        self.stem, self.classifier = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, CLASSES, 1)
        self.loss = ISDACriterion('full', lambda_0=2.0, total_steps=STEPS)

    def forward(self, images, labels):
        logits = self.classifier(self.stem(images).relu())
        return self.loss(F.interpolate(logits, size=labels.shape[1:], mode='bilinear'), labels)


def segmenter(way=None):
    torch.manual_seed(0)
    model = Segmenter()
    if way is not None:
        from torch.distributed.fsdp import fully_shard
        for layer in (model.stem, model.classifier) if way == 'each layer' else ():
            fully_shard(layer)
        fully_shard(model)
    attach(model.loss, model.classifier)
    return model, torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train(model, optimizer, steps, own=slice(0, 4)):
    """The loss of each step on the rank's own images."""
    losses = []
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        images, labels = torch.randn(4, 3, 8, 8, generator=generator), torch.randint(
            CLASSES, (4, 16, 16), generator=generator)
        optimizer.zero_grad()
        loss = model(images[own], labels[own])
        loss.backward()
        optimizer.step()
        losses.append(loss.detach())
    return torch.stack(losses)


def whole_state(model):
    return {key: value.full_tensor() if hasattr(value, 'full_tensor') else value.clone()
            for key, value in model.state_dict().items()}


def on_rank(rank, out):
    from torch.distributed import checkpoint
    from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
    own, results = slice(2 * rank, 2 * rank + 2), {}
    for way in WAYS:
        model, optimizer = segmenter(way)
        losses = [train(model, optimizer, range(HALF), own)]
        saved = dict(zip(('model', 'optimizer'), get_state_dict(model, optimizer), strict=True))
        checkpoint.save(saved, checkpoint_id=out / way)
        losses.append(train(model, optimizer, range(HALF, STEPS), own))

        again, its_optimizer = segmenter(way)
        loaded = dict(zip(('model', 'optimizer'), get_state_dict(again, its_optimizer), strict=True))
        checkpoint.load(loaded, checkpoint_id=out / way)
        set_state_dict(again, its_optimizer, model_state_dict=loaded['model'], optim_state_dict=loaded['optimizer'])
        resumed = train(again, its_optimizer, range(HALF, STEPS), own)
        results[way] = dict(losses=torch.cat(losses), state=whole_state(model), resumed=resumed,
                            resumed_state=whole_state(again), table=model.loss.table(),
                            shard=model.classifier.weight.to_local().shape[0])
    return results


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    return two_ranks(on_rank, tmp_path_factory.mktemp('sharded'))


@pytest.mark.parametrize('way', WAYS)
def test_sharded_training_equals_one_process(ranks, way):
    model, optimizer = segmenter()
    losses = train(model, optimizer, range(STEPS))
    found = [rank[way] for rank in ranks]
    assert [rank['shard'] for rank in found] == [3, 2]  # of 5 rows
    assert_close(sum(rank['losses'] for rank in found) / 2, losses)
    for rank in found:
        assert_close(rank['state'], dict(whole_state(model)))
        assert_close(rank['table'], model.loss.table())
    assert all(torch.equal(found[0]['state'][key], found[1]['state'][key]) for key in found[0]['state'])


@pytest.mark.parametrize('way', WAYS)
def test_a_sharded_run_resumes_bitwise_from_a_distributed_checkpoint(ranks, way):
    for rank in ranks:
        found = rank[way]
        assert torch.equal(found['resumed'], found['losses'][HALF:])
        assert all(torch.equal(value, found['state'][key]) for key, value in found['resumed_state'].items())
        assert int(found['state']['loss.ramp.calls']) == STEPS


def test_a_resharded_weight_is_an_error_with_a_remedy():
    model, _ = segmenter()
    flat = model.classifier.weight.detach().flatten()
    del model.classifier.weight
    model.classifier.weight = flat[:8 * CLASSES].view(CLASSES, 8, 1, 1)  # a view as in FullyShardedDataParallel
    logits = model.classifier(torch.randn(2, 8, 4, 4))
    flat.untyped_storage().resize_(0)
    for weight in (model.classifier.weight, flat.new_zeros(0)):  # and with use_orig_params
        model.classifier.weight = weight
        with pytest.raises(RuntimeError, match='call the loss in the forward pass of the outermost unit'):
            model.loss(logits, torch.zeros(2, 4, 4, dtype=torch.int64))
