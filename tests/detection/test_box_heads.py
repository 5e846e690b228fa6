"""ISDA in the box heads of Faster, Mask and Cascade R-CNN, trained on real images by the configs of configs/coco."""
import pytest
import reference
import torch
from helpers import tiny, tiny_coco
from helpers.exhaustive import exhaustive
from torch.testing import assert_close

from isda_seg.runtime.launch import load_config

pytestmark = pytest.mark.mmdet

WIDTH, CHANNELS, BACKGROUND, STRENGTH = 16, 24, 80, 4000.0


def config(detector, isda=True):
    kind = 'torchvision_isda-head' if isda else 'torchvision'
    return tiny.ROOT / 'configs' / 'coco' / f'{detector}_r50_{kind}_fpn_1x_coco.py'


def narrow(cfg):
    """Few images, and a narrow ResNet-18 without pretrained weights; heads, losses and samplers stay the config's."""
    tiny_coco.shrink(cfg)
    model = cfg.model
    model.backbone.update(depth=18, init_cfg=None, base_channels=8)
    model.neck.update(in_channels=[8, 16, 32, 64], out_channels=WIDTH)
    for head in (model.rpn_head, *(model.roi_head.get(key) for key in ('bbox_roi_extractor', 'mask_roi_extractor',
                                                                       'bbox_head', 'mask_head'))):
        for part in head if isinstance(head, (list, tuple)) else [head or {}]:
            part.update({key: WIDTH for key in ('in_channels', 'feat_channels', 'out_channels', 'conv_out_channels')
                         if key in part}, **{key: CHANNELS for key in ('fc_out_channels',) if key in part})
    cfg.optim_wrapper.optimizer.lr = 0.05
    cfg.train_cfg.val_begin = 99  # never
    cfg.default_hooks.checkpoint = None


def without_strength(cfg):
    narrow(cfg)
    cfg.default_hooks.isda.lambda_0 = 0.0


def strong(cfg):
    """A strength that changes the loss of an untrained classifier by more than rounding."""
    narrow(cfg)
    cfg.default_hooks.isda.lambda_0 = STRENGTH


def saving(cfg):
    narrow(cfg)
    cfg.train_cfg.max_epochs = 2
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)


class Witness:
    """What the loss of a box head got in each step: features, weight, labels, label weights; and what it returned."""

    def __init__(self, head):
        self.head, self.inputs, self.steps = head, [], []
        head.fc_cls.register_forward_pre_hook(lambda layer, args: self.inputs.append(
            (args[0].detach().clone(), layer.weight.detach().double(), layer.bias.detach().double())))
        head.loss_cls.register_forward_hook(self.note, with_kwargs=True)

    def note(self, loss, args, keys, value):
        self.steps.append(dict(labels=args[1], weights=args[2], avg_factor=keys['avg_factor'], value=value.detach(),
                               strength=loss.strength, features=self.inputs[-1][0], linear=self.inputs[-1][1:]))

    def check(self):
        """Compare each step with a float64 loop of Eq. 7 over its proposals; the covariance is that of all so far."""
        for number, step in enumerate(self.steps, 1):
            features, labels = (torch.cat([past[key] for past in self.steps[:number]])
                                for key in ('features', 'labels'))
            covariance = reference.diagonal(reference.batch_moments(features, labels, BACKGROUND + 1)[2])
            weight, bias = step['linear']
            logits, labels = step['features'].double() @ weight.t() + bias, step['labels']
            penalised = reference.penalised_logits(logits, labels, weight, covariance, step['strength'])
            total = plain_total = 0.0
            for row, plain, y, w in zip(penalised, logits, labels.tolist(), step['weights'].double(), strict=True):
                row = plain if y == BACKGROUND else row
                plain_total += w * (torch.logsumexp(plain, 0) - plain[y]) / step['avg_factor']
                total += w * (torch.logsumexp(row, 0) - plain[y]) / step['avg_factor']
            assert (labels != BACKGROUND).any() and (labels == BACKGROUND).any()
            assert total > 1.001 * plain_total
            assert_close(step['value'].double(), self.head.loss_cls.base.loss_weight * total, rtol=1e-5, atol=1e-7)


@exhaustive('detector', ['cascade-rcnn', 'mask-rcnn', 'faster-rcnn'])
def test_strength_0_trains_bitwise_like_the_baseline_and_above_it_is_eq_7(detector, coco_root, tmp_path):
    (plain, seen), (zero, watch) = (tiny_coco.train(config(detector, isda), tmp_path / str(isda), change)
                                    for isda, change in ((False, narrow), (True, without_strength)))
    assert seen.steps == watch.steps and len(seen.steps) == 2
    state = zero.model.state_dict()
    assert tiny.differing(plain.model.state_dict(), {key: value for key, value in state.items()
                                                     if 'statistics' not in key}) == []
    runner = tiny.build(config(detector), tmp_path / 'isda', change=strong)
    runner.call_hook('before_run')  # attaches the losses; again at the start of the run, without effect
    heads = runner.model.roi_head.bbox_head
    witnesses = [Witness(head) for head in (heads if 'cascade' in detector else [heads])]
    runner.train()
    for witness in witnesses:
        assert [step['strength'] for step in witness.steps] == [STRENGTH / 2, STRENGTH]
        witness.check()
        assert int(witness.head.loss_cls.statistics.count.sum()) == sum(len(step['labels']) for step in witness.steps)
    scalars = {key for key in runner.message_hub.log_scalars if 'isda_' in key}
    stages = [f'.{stage}' for stage in range(3)] if 'cascade' in detector else ['']
    assert scalars == {f'train/roi_head.bbox_head{stage}.isda_{name}' for stage in stages
                       for name in ('strength', 'table_mean', 'table_max')}


def test_a_resumed_cascade_equals_the_uninterrupted_run_and_is_evaluated(coco_root, tmp_path):
    path = config('cascade-rcnn')
    whole = tiny_coco.train(path, tmp_path / 'whole', saving)[0]
    resumed, watch = tiny_coco.train(path, tmp_path / 'resumed', saving, resume=tmp_path / 'whole' / 'epoch_1.pth')
    assert len(watch.steps) == 2
    assert tiny.differing(tiny.full_state(resumed), tiny.full_state(whole)) == []
    assert tiny.differing(tiny.saved_state(tmp_path / 'resumed' / 'epoch_2.pth'),
                          tiny.saved_state(tmp_path / 'whole' / 'epoch_2.pth')) == []
    from isda_seg.detection.evaluation import evaluate
    cfg = load_config(str(path), {}, str(tmp_path / 'test'))
    saving(cfg)
    found = evaluate(cfg, str(path), str(tmp_path / 'whole' / 'epoch_2.pth'))
    assert list(found['protocols']['single'])[0] == 'bbox_mAP'


@exhaustive('ignore_background', [False, True])
def test_the_option_decides_about_the_row_of_the_background(ignore_background, coco_root, tmp_path):
    def change(cfg):
        narrow(cfg)
        cfg.default_hooks.isda.ignore_background = ignore_background

    loss = tiny_coco.train(config('faster-rcnn'), tmp_path, change)[0].model.roi_head.bbox_head.loss_cls
    table = loss.table()
    assert bool(table[BACKGROUND].any()) != ignore_background and bool(table[:BACKGROUND].any())
    assert int(loss.statistics.count[BACKGROUND]) > int(loss.statistics.count[:BACKGROUND].sum()) > 0
