"""Every block of code in README, the guides and the READMEs of the folders runs."""
import logging
from types import SimpleNamespace

import pytest
import torch
from helpers.documents import blocks

KINDS = ('', 'plain PyTorch', 'config', 'own data', 'tracking', 'classifier', 'semi-supervised', 'transformers',
         'torchvision', 'lightning', 'segmentation-models-pytorch', 'volumes', 'soft targets', 'cosine classifiers',
         'points', 'frozen backbone', 'text', 'accelerate', 'timm', 'own head', 'own loss', 'own classifier')
BLOCKS = {kind: [block for block in blocks() if block.language == 'python' and block.kind == kind] for kind in KINDS}

HEADS = {
    'PSPHead': dict(type='PSPHead', in_channels=16, in_index=1, pool_scales=(1, 2)),
    'ASPPHead': dict(type='ASPPHead', in_channels=16, in_index=1, dilations=(1, 2)),
    'FCNHead': dict(type='FCNHead', in_channels=16, in_index=1, num_convs=1),
    'UPerHead': dict(type='UPerHead', in_channels=[8, 16], in_index=[0, 1], pool_scales=(1, 2)),
    'DepthwiseSeparableASPPHead': dict(type='DepthwiseSeparableASPPHead', in_channels=16, in_index=1, dilations=(1, 2),
                                       c1_in_channels=8, c1_channels=4),
    'SegformerHead': dict(type='SegformerHead', in_channels=[8, 16], in_index=[0, 1]),
}
FINE = ('UPerHead', 'DepthwiseSeparableASPPHead', 'SegformerHead')  # they end at stride 4, the others at 8


def code(kind):
    """One parameter for each block of this kind."""
    return pytest.mark.parametrize('code', [pytest.param(block.code, id=block.document) for block in BLOCKS[kind]])


def test_every_code_block_is_executed_or_checked():
    assert {block.language for block in blocks()} == {'python', 'bash', 'text'}
    assert sum(map(len, BLOCKS.values())) == len([block for block in blocks() if block.language == 'python'])
    assert [kind for kind, found in BLOCKS.items() if not found] == []


@code('')
def test_the_plain_torch_lines_train(code):
    space: dict = {}
    exec(compile(code, 'README.md', 'exec'), space)
    assert space['criterion'].strength == 7.5
    assert int(space['criterion'].statistics.count.sum()) == 20 * 2 * 32 * 32
    assert space['loss'].item() < 2 * torch.log(torch.tensor(5.0))


@code('plain PyTorch')
def test_the_lines_of_the_readme_run_and_compute_the_isda_loss(code):
    torch.manual_seed(0)
    space = {}
    exec(compile(code, 'README.md', 'exec'), space)
    criterion, loss = space['criterion'], space['loss']
    assert (criterion.strength, criterion.statistics.count.tolist()) == (7.5 / 1000, [1] * 8 + [0] * 2)
    model, inputs, labels = space['model'], torch.randn(8, 64), torch.arange(8)
    assert loss > 0
    assert criterion(model(inputs), labels) > torch.nn.functional.cross_entropy(model(inputs), labels)


def run(code, **others):
    """The names that the block leaves behind, with some words replaced."""
    from isda_seg.paper.coverage.torch_models import without_compiled_operators
    without_compiled_operators()
    torch.manual_seed(0)
    for old, new in others.items():
        code = code.replace(old, new)
    space: dict = {}
    exec(compile(code, 'README.md', 'exec'), space)
    return space


@pytest.mark.library('transformers')
@pytest.mark.filterwarnings('ignore')
@code('transformers')
def test_the_trainer_ramps_accumulates_and_resumes_bitwise(code, tmp_path,
                                                                                            monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = run(code)['model']
    assert (int(whole.isda.ramp.calls), whole.isda.strength) == (4 * 2, 7.5)
    assert int(whole.isda.statistics.count.sum()) == 4 * 2 * 2 * 8 ** 2
    resumed = run(code, **{'.train()': ".train(resume_from_checkpoint='mobilenet/checkpoint-2')"})['model']
    assert all(torch.equal(value, resumed.state_dict()[key]) for key, value in whole.state_dict().items())


@code('volumes')
def test_the_3d_unet_trains_with_isda(code):
    space = run(code)
    criterion, model = space['criterion'], space['model']
    assert (criterion.strength, int(criterion.statistics.count.sum())) == (7.5, 4 * 2 * 8 * 16 * 16)
    logits = model(space['volumes'])
    assert criterion(logits, space['labels']) > torch.nn.functional.cross_entropy(logits, space['labels'])


@code('soft targets')
def test_the_lines_with_mixup_count_probabilities(code):
    space = run(code)
    counts = space['criterion'].statistics.count
    torch.testing.assert_close(counts, 4 * torch.bincount(space['labels']).double())  # a permutation keeps the sums
    logits = space['model'](space['mixed'])
    assert space['criterion'](logits, space['targets']) > torch.nn.functional.cross_entropy(logits, space['targets'])


@code('cosine classifiers')
def test_the_cosine_classifier_has_eq_7_for_normalised_features(code):
    import reference

    from isda_seg.core import class_moments
    space = run(code)
    model, criterion, labels, features = space['model'], space['criterion'], space['labels'], []
    model[2].register_forward_hook(lambda module, inputs, output: features.extend([inputs[0], output]))
    moments = criterion.statistics.moments
    logits = model(space['inputs'])
    loss = criterion(logits, labels)
    raw, unit = (each.detach().double() for each in features)
    rows = space['classifier'].parametrizations.weight.original.detach().double().requires_grad_()
    scale = space['classifier'].parametrizations.weight[0].scale
    weight = scale.detach().double() * rows / rows.norm(dim=1, keepdim=True)
    torch.testing.assert_close(logits.double(), torch.nn.functional.cosine_similarity(
        raw[:, None], rows[None], dim=2) * scale.double(), rtol=1e-5, atol=1e-5)
    batch = class_moments(unit, labels, 5, covariance='diagonal')
    torch.testing.assert_close(criterion.statistics.count, moments.count + batch.count)
    covariance = criterion.statistics.covariance.double()
    expected = reference.isda_cross_entropy(unit @ weight.t(), labels, weight, covariance, 1.0).mean()
    torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
    original = space['classifier'].parametrizations.weight.original
    torch.testing.assert_close(torch.autograd.grad(loss, original)[0].double(), torch.autograd.grad(expected, rows)[0],
                               rtol=1e-4, atol=1e-6)
    assert criterion.statistics.mean.norm(dim=1).max() <= 1


@code('points')
def test_points_of_clouds_of_several_sizes_are_samples(code):
    space = run(code)
    assert (space['criterion'].strength, int(space['criterion'].statistics.count.sum())) == (2.5, 4 * 150)


@pytest.mark.library('transformers')
@code('frozen backbone')
def test_a_linear_head_on_frozen_tokens_trains(code):
    space = run(code)
    assert int(space['criterion'].statistics.count.sum()) == 4 * 2 * 4 ** 2
    assert [weight.grad for weight in space['backbone'].parameters() if weight.grad is not None] == []
    logits = space['head'](space['tokens']).mT.reshape(2, 5, 4, 4)
    logits = torch.nn.functional.interpolate(logits, size=(56, 56), mode='bilinear')
    assert space['criterion'](logits, space['labels']) > torch.nn.functional.cross_entropy(logits, space['labels'])


@pytest.mark.library('transformers')
@code('text')
def test_a_text_classifier_trains_with_full_covariances(code):
    space = run(code)
    statistics = space['criterion'].statistics
    assert (statistics.covariance.shape, int(statistics.count.sum())) == ((3, 32, 32), 4 * 8)


@pytest.mark.library('accelerate')
@code('accelerate')
def test_a_prepared_model_saves_the_statistics_and_the_ramp(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = run(code)
    model, accelerator = space['model'], space['accelerator']
    assert (model.criterion.strength, int(model.criterion.statistics.count.sum())) == (2.5, 20)
    saved = {key: value.clone() for key, value in model.state_dict().items()}
    model.load_state_dict(space['Classifier']().state_dict())
    assert int(model.criterion.statistics.count.sum()) == int(model.criterion.ramp.calls) == 0
    accelerator.load_state('checkpoint')
    assert all(torch.equal(value, saved[key]) for key, value in model.state_dict().items())


@pytest.mark.library('timm')
@code('timm')
def test_a_timm_model_trains_and_its_statistics_are_saved(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = run(code)
    saved = torch.load('resnet10t.pth')['criterion']
    assert (int(saved['ramp.calls']), int(saved['statistics.count'].sum())) == (4, 4 * 8)
    logits = space['model'].train()(space['images'])
    assert space['criterion'](logits, space['labels']) > torch.nn.functional.cross_entropy(logits, space['labels'])


@pytest.mark.library('segmentation_models_pytorch')
@code('segmentation-models-pytorch')
def test_the_decoder_trains_and_its_statistics_are_saved(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    space = run(code)
    saved = torch.load('fpn.pth')['criterion']
    assert (int(saved['ramp.calls']), int(saved['statistics.count'].sum())) == (4, 4 * 2 * 16 ** 2)
    assert space['criterion'].strength == 7.5


@pytest.mark.library('torchvision')
@code('torchvision')
def test_two_heads_train_with_separate_criteria(code):
    space = run(code)
    assert [int(space[name].statistics.count.sum()) for name in ('main', 'auxiliary')] == [2 * 2 * 8 ** 2] * 2
    assert space['main'].statistics.channels == 2 * space['auxiliary'].statistics.channels


@code('lightning')
def test_the_lightning_module_trains_resumes_and_validates(code):
    def train(module, steps):
        optimizer = module.configure_optimizers()
        for step in steps:
            generator = torch.Generator().manual_seed(step)
            images, labels = torch.randn(2, 3, 32, 32, generator=generator), torch.randint(
                5, (2, 32, 32), generator=generator)
            module.training_step((images, labels), step).backward()
            optimizer.step()
            optimizer.zero_grad()
        return module

    whole, fresh = (run(code)['Segmenter'](4) for _ in range(2))
    train(whole, range(2))
    fresh.load_state_dict(whole.state_dict())
    train(whole, range(2, 4))
    train(fresh, range(2, 4))
    assert all(torch.equal(value, fresh.state_dict()[key]) for key, value in whole.state_dict().items())
    assert (whole.criterion.strength, int(whole.criterion.statistics.count.sum())) == (7.5, 4 * 2 * 8 ** 2)
    images, labels = torch.randn(2, 3, 32, 32), torch.randint(5, (2, 32, 32))
    logits = torch.nn.functional.interpolate(whole.eval().network(images), size=(32, 32), mode='bilinear')
    assert torch.equal(whole.validation_step((images, labels), 0), whole.criterion.base(logits, labels))


@code('own data')
def test_the_config_for_a_users_folder_trains_and_evaluates(code, tmp_path, monkeypatch):
    import cv2
    import numpy as np

    from isda_seg.run import build_runner, task_of
    from isda_seg.runtime.launch import load_config

    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0)
    for split, count in (('train', 8), ('val', 2)):
        for kind, channels, high, suffix in (('images', 3, 256, 'jpg'), ('masks', 1, 3, 'png')):
            folder = tmp_path / 'data' / 'fields' / kind / split
            folder.mkdir(parents=True)
            for number in range(count):
                image = pixels.integers(high, size=(64, 64, channels)).astype('u1')
                cv2.imwrite(str(folder / f'{number}.{suffix}'), image)
    for old, new in (('(512, 512)', '(64, 64)'), ('(1024, 1024)', '(64, 64)'), ('num_workers=2', 'num_workers=0')):
        code = code.replace(old, new)
    (tmp_path / 'my_fields.py').write_text(code)
    options = {'train_cfg.max_iters': 2, 'train_cfg.val_interval': 2, 'default_hooks.checkpoint.interval': 2,
               'model.pretrained': None,
               **{f'{split}_dataloader.persistent_workers': False for split in ('train', 'val', 'test')}}
    cfg = load_config('my_fields.py', options, None, 'none')
    build_runner(cfg).train()
    state = torch.load(f'{cfg.work_dir}/iter_2.pth', weights_only=False)['state_dict']
    positions = 2 * 4 * (64 // 8) ** 2  # iterations, images, features; some lie on padding
    assert positions / 2 < int(state['decode_head.loss_decode.statistics.count'].sum()) <= positions
    found = task_of(cfg).evaluate(cfg, 'my_fields.py', f'{cfg.work_dir}/iter_2.pth', ('single',), None, None)
    assert list(found['protocols']['single']['IoU']) == ['soil', 'crop', 'weed']


@code('tracking')
def test_each_backend_is_added_with_valid_arguments(code, tmp_path):
    import inspect

    from mmengine.config import Config
    from mmengine.registry import VISBACKENDS

    from isda_seg.runtime.launch import add_vis_backends

    (tmp_path / 'my_config.py').write_text('')
    (tmp_path / 'tracked.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'tracked.py')
    add_vis_backends(cfg)
    local, added = cfg.visualizer.vis_backends
    kind = VISBACKENDS.get(added.pop('type'))
    assert local.type == 'LocalVisBackend' and inspect.signature(kind).bind(save_dir=str(tmp_path), **added)
    if kind.__name__ == 'TensorboardVisBackend':
        backend = kind(save_dir=str(tmp_path / 'board'))
        backend.add_scalar('loss', 0.5, step=1)
        backend.close()
        assert len(list((tmp_path / 'board').glob('events*'))) == 1


@code('config')
def test_the_config_is_six_lines_or_fewer(code):
    assert 2 <= len(code.splitlines()) <= 6


def served(cfg, network):
    """What the config's hook makes of a model before the run, at full strength."""
    from mmengine.registry import HOOKS
    hook = HOOKS.build(cfg.default_hooks.isda)
    hook.before_run(SimpleNamespace(model=network, cfg=cfg, logger=logging.getLogger(__name__)))
    for pair in hook.pairs:
        pair.loss.strength = pair.loss.lambda_0
    return hook.pairs


@code('config')
@pytest.mark.parametrize('name', HEADS)
def test_the_config_lines_add_isda_to_a_users_head(name, code, tmp_path):
    from mmengine.config import Config
    from mmengine.structures import PixelData
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules

    register_all_modules()
    common = dict(channels=8, num_classes=4, norm_cfg=dict(type='BN'), align_corners=False, loss_decode=dict(
        type='CrossEntropyLoss', use_sigmoid=False, loss_weight=1.0))
    auxiliary = dict(common, **HEADS['FCNHead'], loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4))
    model = dict(
        type='EncoderDecoder',
        backbone=dict(type='ResNet', depth=18, base_channels=8, stem_channels=8, num_stages=2, strides=(1, 2),
                      dilations=(1, 1), out_indices=(0, 1)),
        decode_head=dict(common, **HEADS[name]), auxiliary_head=auxiliary, train_cfg={}, test_cfg=dict(mode='whole'))
    (tmp_path / 'my_config.py').write_text(f'model = {model!r}\n')
    (tmp_path / 'my_isda_config.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'my_isda_config.py')
    assert list(cfg.default_hooks) == ['isda']
    network = MODELS.build(cfg.model)
    pairs = served(cfg, network)
    assert [pair.name for pair in pairs] == ['decode_head', 'auxiliary_head']
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(4, (1, 64, 64))))
    losses = network.train().loss(torch.randn(2, 3, 64, 64), [sample, sample])
    assert {'decode.loss_ce', 'aux.loss_ce'} <= set(losses)
    assert [int(pair.loss.statistics.count.sum()) for pair in pairs] == \
        [2 * (16 if name in FINE else 8) ** 2, 2 * 8 ** 2]
    assert pairs[1].loss.base.loss_weight == 0.4


@code('classifier')
def test_the_classifier_builds_and_trains_with_isda(code, tmp_path):
    from mmengine.config import Config
    from mmengine.registry import MODELS

    import isda_seg.classification  # noqa: F401  as custom_imports do
    (tmp_path / 'my_classifier.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'my_classifier.py')
    cfg.model.backbone.depth = 8
    model = MODELS.build(cfg.model).train()
    (pair,) = served(cfg, model)
    loss = model(torch.randn(4, 3, 16, 16), torch.arange(4), mode='loss')['loss']
    assert 1 < loss.item() < 5
    assert int(pair.loss.statistics.count.sum()) == 4


@code('semi-supervised')
def test_the_semi_supervised_classifier_builds_and_trains_with_isda(code, tmp_path):
    from mmengine.config import Config
    from mmengine.registry import MODELS

    import isda_seg.semi  # noqa: F401  as custom_imports do
    (tmp_path / 'my_semi.py').write_text(code)
    cfg = Config.fromfile(tmp_path / 'my_semi.py')
    assert (cfg.default_hooks.isda.type, cfg.custom_hooks[0].type) == ('isda_seg.hooks.ISDAHook', 'SemiHook')
    cfg.model.backbone.depth = 8
    model = MODELS.build(cfg.model).train()
    (pair,) = served(cfg, model)
    model.method.epoch = 0.0
    views = [torch.randn(4, 3, 32, 32)]
    losses = model(torch.randn(4, 3, 32, 32), torch.arange(4), dict(views=views, index=torch.arange(4)), mode='loss')
    assert {'loss', 'loss_unlabelled', 'loss_isda_unlabelled'} <= set(losses)
    assert int(pair.loss.statistics.count.sum()) == 4


def wrapped(model):
    """The classifiers by loss, as the hook attaches them."""
    from helpers import families
    pairs, _ = families.start(model, dict(type='ISDAHook', lambda_0=7.5), {})
    names = {module: name for name, module in model.named_modules()}
    return {f'{pair.name}.{pair.path}': names[pair.classifier] for pair in pairs}


@code('own head')
def test_the_declared_classifier_of_the_own_head_is_attached(code):
    from helpers.families import head as config
    from helpers.families import segmentor
    from mmseg.registry import MODELS
    head = run(code)['CoarseToFineHead']
    try:
        model = segmentor(config('CoarseToFineHead', num_convs=1))
        assert wrapped(model) == {'decode_head.loss_decode': 'decode_head.conv_seg'}
        head.isda_classifiers = {}
        with pytest.raises(ValueError, match='decode_head .CoarseToFineHead.: loss_decode'):
            wrapped(segmentor(config('CoarseToFineHead', num_convs=1)))
    finally:
        MODELS._module_dict.pop('CoarseToFineHead')


@code('own loss')
def test_the_own_loss_is_wrapped_and_augmented(code):
    from helpers.families import head, segmentor
    from mmseg.registry import MODELS
    loss = run(code)['HardestPixelsLoss']
    try:
        model = segmentor(head(loss=dict(type='HardestPixelsLoss', share=0.5)))
        assert wrapped(model) == {'decode_head.loss_decode': 'decode_head.conv_seg'}
    finally:
        MODELS._module_dict.pop('HardestPixelsLoss')
    logits, labels = torch.zeros(1, 2, 2, 2), torch.tensor([[[0, 255], [255, 1]]])
    logits[0, 0, 1, 1] = 3.0
    assert loss(share=0.25)(logits, labels) == torch.nn.functional.cross_entropy(logits[:, :, 1, 1], torch.tensor([1]))


@code('own classifier')
def test_the_k_x_k_classifier_has_the_statistics_of_its_windows(code):
    statistics = run(code)['criterion'].statistics
    assert (statistics.channels, int(statistics.count.sum())) == (8 * 3 * 3, 2 * 16 * 16)
