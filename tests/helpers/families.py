"""The heads of MMSegmentation's own configurations, narrow, on maps of a few pixels: a training step in no time."""

import copy
import functools
from types import SimpleNamespace

import reference
import torch
from mmengine.config import ConfigDict
from mmengine.registry import HOOKS, DefaultScope
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample
from mmseg.utils import register_all_modules
from torch import nn

from isda_seg.attachment.label_grid import labels_on_grid
from isda_seg.openmmlab.config_nodes import dicts
from isda_seg.runtime.launch import plain_batch_norm

register_all_modules(init_default_scope=False)

CLASSES, IGNORE, WIDTH, SIDE, LABELS, STRENGTH = 4, 255, 16, 8, (16, 16), 6.0
CROSS_ENTROPY = dict(type='CrossEntropyLoss', loss_weight=0.4, avg_non_ignore=True)
FIXED = ('LightHamHead',)  # normalised in 32 groups of channels
CHANNELS = ('in_channels', 'channels', 'out_channels', 'feat_channels', 'feedforward_channels', 'ocr_channels',
            'embed_dims', 'post_process_channels')


def heads(model):
    """The configs of the heads of a model."""
    for key in ('decode_head', 'auxiliary_head'):
        found = model.get(key) or ()
        yield from found if isinstance(found, (list, tuple)) else [found]


def narrow(model):
    """A copy of a model's config with few classes and channels; maps that the test makes for backbone and neck."""
    model = copy.deepcopy({key: model[key] for key in ('type', 'num_stages', 'decode_head', 'auxiliary_head')
                           if key in model})
    for node in dicts(model):
        if 'num_classes' in node:
            node['num_classes'] = CLASSES
        node.pop('class_weight', None)
        if node.get('type') == 'OHEMPixelSampler':
            node['min_kept'] = 100
    plain_batch_norm(model)
    if not any(head['type'] in FIXED for head in heads(model)):
        for node in dicts([model]):
            for key in {*node} & {*CHANNELS}:
                few = node[key]
                node[key] = [min(WIDTH, n) for n in few] if isinstance(few, (list, tuple)) else min(WIDTH, few)
            if 'mla_channels' in node:
                node['mla_channels'] = WIDTH // len(node['in_channels'])
    points = ConfigDict(num_points=64, oversample_ratio=3, importance_sample_ratio=0.75)
    return dict(model, backbone=dict(type='GivenMaps'), train_cfg=points, test_cfg=dict(mode='whole'))


class GivenMaps(nn.Module):
    """What a backbone and a neck would give: maps in the channels that the heads ask for."""

    maps: list

    def forward(self, images):
        return self.maps


MODELS.register_module(module=GivenMaps, force=True)


def maps_for(model):
    """Random maps, one for each input that a head reads."""
    kind = model['decode_head']['type'] if isinstance(model['decode_head'], dict) else ''
    wide = next(heads(model)).get('in_channels', WIDTH)
    if kind == 'DDRHead':
        channels = {0: wide // 2, 1: wide}
    elif kind == 'PIDHead':
        channels = {0: wide // 2, 1: wide, 2: wide // 2}
    else:
        channels = {}
        for head in heads(model):
            head = head.get('kernel_generate_head', head)
            of, at = head['in_channels'], head.get('in_index', -1)
            of, at = (of, at) if isinstance(of, (list, tuple)) else ([of], [at])
            channels.update(zip(at, of, strict=True))
            if 'c1_in_channels' in head:
                channels[0] = head['c1_in_channels']
    last = max(channels)
    channels = channels if last >= 0 else {0: channels[-1]}
    side = 49 if kind == 'LRASPPHead' else SIDE  # the window of its pooling
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, channels.get(i, channels.get(i - last - 1, 1)), side, side, generator=generator)
            for i in range(max(last, 0) + 1)]
    return [(one, one.mean(dim=(2, 3))) for one in maps] if kind == 'DPTHead' else maps  # with its class token


def batch():
    """Data samples with labels, a fifth of them ignored, and the edges that PIDNet reads."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.randint(CLASSES, (2, 1, *LABELS), generator=generator)
    labels.view(-1)[::5] = IGNORE
    edges = torch.randint(2, (2, 1, *LABELS), generator=generator)
    return [SegDataSample(gt_sem_seg=PixelData(data=label), gt_edge_map=PixelData(data=edge))
            for label, edge in zip(labels, edges, strict=True)]


def head(kind='FCNHead', loss=CROSS_ENTROPY, **keys):
    """The config of a narrow head of this kind."""
    more = dict(FCNHead=dict(num_convs=1), DAHead=dict(pam_channels=2), STDCHead=dict(boundary_threshold=0.1),
                EncHead=dict(num_codes=2, in_channels=[8], in_index=[0])).get(kind, {})
    return dict(dict(type=kind, in_channels=8, in_index=0, channels=6, num_classes=CLASSES,
                     norm_cfg=dict(type='BN'), loss_decode=loss), **more, **keys)


def segmentor(decode_head, auxiliary_head=None):
    """The model with these heads."""
    config = dict(type='EncoderDecoder', decode_head=decode_head, backbone=dict(type='GivenMaps'), train_cfg={},
                  test_cfg=dict(mode='whole'))
    return build(dict(config, **({} if auxiliary_head is None else dict(auxiliary_head=auxiliary_head))))


def build(config):
    """The plain model of a narrow config, in training, with some weight in its classifiers."""
    with DefaultScope.overwrite_default_scope('mmseg'):
        torch.manual_seed(0)
        model = MODELS.build(copy.deepcopy(config)).train()
    model.backbone.maps = maps_for(config)
    for module in model.modules():
        if isinstance(module, (nn.Conv1d, nn.Conv2d)) and module.out_channels in (CLASSES, 1):
            nn.init.normal_(module.weight, mean=float(module.out_channels == 1), std=0.3)  # PIDNet: sure edges
    return model


def start(model, hook, cfg=None):
    """What a run does with a model before it loads weights: the pairs, and the lines of the log."""
    lines = []
    with DefaultScope.overwrite_default_scope('mmseg'):
        built = HOOKS.build(hook)
        built.before_run(SimpleNamespace(model=model, cfg=cfg or {}, logger=SimpleNamespace(info=lines.append)))
    return built.pairs, lines


def step(model, strength=None, pairs=()):
    """The losses of a training step and the gradients it leaves; the same dropout each time."""
    for pair in pairs:
        pair.loss.strength = strength
    model.zero_grad()
    torch.manual_seed(2)
    losses = model.loss(torch.zeros(2, 3, *LABELS), batch())
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    return ({key: value.detach() for key, value in losses.items()},
            {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None
             and bool(parameter.grad.any())})


class Witness:
    """What one classifier got and its loss was asked in a step, by hooks of the test's own."""

    def __init__(self, pair):
        self.loss, self.classifier = pair.loss, pair.classifier
        self.handles = [pair.classifier.register_forward_pre_hook(self.features_of),
                        pair.loss.register_forward_hook(self.call_of, with_kwargs=True)]

    def features_of(self, classifier, args):
        self.features = args[0].detach().double()

    def call_of(self, loss, args, kwargs, value):
        self.args, self.kwargs, self.value = args, kwargs, value.detach().double()

    def labels(self):
        """Of each feature, where it sits."""
        labels = self.args[1]
        if labels.dim() == 3:
            labels = labels_on_grid(labels, tuple(self.features.shape[2:]), self.loss.align_corners)
        return labels.flatten()

    def expected(self, strength):
        """The base loss on Eq. 7's logits by the reference, from this batch alone."""
        rows = self.features.movedim(1, -1).flatten(0, -2)
        covariance = reference.diagonal(reference.batch_moments(rows, self.labels(), CLASSES, IGNORE)[2])
        weight = self.classifier.weight.detach().double().flatten(1)
        logits, labels = (tensor.detach() for tensor in self.args[:2])
        at = labels.flatten() != IGNORE
        flat = logits.double().movedim(1, -1).flatten(0, -2)
        flat[at] = reference.penalised_logits(flat[at], labels.flatten()[at], weight, covariance, strength)
        augmented = flat.view(*logits.movedim(1, -1).shape).movedim(-1, 1)
        kwargs = {key: value for key, value in self.kwargs.items() if value is not None}
        kwargs = kwargs if type(self.loss.base).__name__ == 'CrossEntropyLoss' else {}
        return self.loss.base(augmented.to(logits), labels, **kwargs).double()


@functools.cache
def one_of_each():
    """The first configuration of each family, by family."""
    from isda_seg.paper.coverage.zoo import zoo
    return {path.parent.name: path for path in reversed(zoo())}
