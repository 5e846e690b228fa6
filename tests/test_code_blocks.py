"""Every block of code in the documents runs: README's, and those of the folders' READMEs."""
import logging
from types import SimpleNamespace

import pytest
import torch
from helpers.documents import blocks

BLOCKS = {kind: [block for block in blocks() if block.language == 'python' and block.kind == kind]
          for kind in ('', 'config', 'classifier', 'semi-supervised', 'transformers', 'torchvision', 'lightning',
                       'segmentation-models-pytorch')}

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


def test_every_block_is_executed_by_one_of_the_tests_below_or_its_commands_are_checked():
    assert {block.language for block in blocks()} == {'python', 'bash'}
    assert sum(map(len, BLOCKS.values())) == len([block for block in blocks() if block.language == 'python'])
    assert [kind for kind, found in BLOCKS.items() if not found] == []


@code('')
def test_the_plain_torch_lines_train(code):
    space: dict = {}
    exec(compile(code, 'README.md', 'exec'), space)
    assert space['criterion'].strength == 7.5
    assert int(space['criterion'].statistics.count.sum()) == 20 * 2 * 32 * 32
    assert space['loss'].item() < 2 * torch.log(torch.tensor(5.0))


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
def test_the_trainer_ramps_accumulates_saves_and_resumes_bitwise_without_a_line_of_the_users(code, tmp_path,
                                                                                            monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = run(code)['model']
    assert (int(whole.isda.ramp.calls), whole.isda.strength) == (4 * 2, 7.5)
    assert int(whole.isda.statistics.count.sum()) == 4 * 2 * 2 * 8 ** 2
    resumed = run(code, **{'.train()': ".train(resume_from_checkpoint='mobilenet/checkpoint-2')"})['model']
    assert all(torch.equal(value, resumed.state_dict()[key]) for key, value in whole.state_dict().items())


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
def test_both_heads_train_each_with_a_criterion_of_its_own(code):
    space = run(code)
    assert [int(space[name].statistics.count.sum()) for name in ('main', 'auxiliary')] == [2 * 2 * 8 ** 2] * 2
    assert space['main'].statistics.channels == 2 * space['auxiliary'].statistics.channels


@code('lightning')
def test_the_lightning_module_trains_resumes_and_validates_with_the_plain_loss(code):
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


@code('config')
def test_the_config_is_six_lines_or_fewer(code):
    assert 2 <= len(code.splitlines()) - 1 <= 6


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
    cfg.model.backbone.update(depth=10, width=1)
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
    cfg.model.backbone.width = 1 / 32
    model = MODELS.build(cfg.model).train()
    (pair,) = served(cfg, model)
    model.method.epoch = 0.0
    views = [torch.randn(4, 3, 32, 32)]
    losses = model(torch.randn(4, 3, 32, 32), torch.arange(4), dict(views=views, index=torch.arange(4)), mode='loss')
    assert {'loss', 'loss_unlabelled', 'loss_isda_unlabelled'} <= set(losses)
    assert int(pair.loss.statistics.count.sum()) == 4
