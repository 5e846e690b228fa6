"""README keeps its promises: its code blocks run, its commands name what exists, its numbers are generated."""
import re
import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / 'README.md').read_text()
BLOCKS = re.findall(r'```(\w+)\n(.*?)```', README, re.DOTALL)
PYTHON = [code for language, code in BLOCKS if language == 'python' and not code.startswith('#')]
CONFIGS = [code for language, code in BLOCKS if language == 'python' and code.startswith('# config')]
CLASSIFIERS = [code for language, code in BLOCKS if language == 'python' and code.startswith('# classifier')]
SEMI = [code for language, code in BLOCKS if language == 'python' and code.startswith('# semi')]
COMMANDS = [line.split('  #')[0].strip() for language, code in BLOCKS if language == 'bash'
            for line in code.replace('\\\n', ' ').splitlines() if line.strip()]

ALONE = ('tools/setup_detection.sh', 'tools/export_backbone.py', 'tools/make.py')  # named without a config

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


def test_every_block_is_executed_by_one_of_the_tests_below():
    assert {language for language, _ in BLOCKS} == {'python', 'bash'}
    assert (len(PYTHON), len(CONFIGS), len(CLASSIFIERS), len(SEMI)) == (1, 1, 1, 1) and len(COMMANDS) == 24


def test_make_gpu_runs_tools_and_configs_that_are_there():
    done = subprocess.run(['make', '-n', 'gpu'], cwd=ROOT, capture_output=True, text=True, check=True)
    named = [word for word in done.stdout.split() if word.endswith('.py')]
    assert len(named) == 5 and all((ROOT / name).is_file() is True for name in named)


def test_the_plain_torch_lines_train():
    space: dict = {}
    exec(compile(PYTHON[0], 'README.md', 'exec'), space)
    assert space['criterion'].strength == 7.5
    assert int(space['criterion'].statistics.count.sum()) == 20 * 2 * 32 * 32
    assert space['loss'].item() < 2 * torch.log(torch.tensor(5.0))


def test_the_config_is_twelve_lines_or_fewer():
    assert len(CONFIGS[0].splitlines()) - 1 <= 12


@pytest.mark.parametrize('name', HEADS)
def test_the_config_lines_add_isda_to_a_users_head(name, tmp_path):
    from mmengine.config import Config
    from mmengine.structures import PixelData
    from mmseg.registry import MODELS
    from mmseg.structures import SegDataSample
    from mmseg.utils import register_all_modules

    from isda_seg.attach import attach, find_pairs
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
    (tmp_path / 'my_isda_config.py').write_text(CONFIGS[0])
    cfg = Config.fromfile(tmp_path / 'my_isda_config.py')
    assert cfg.default_hooks == dict(isda=dict(type='ISDAHook'))
    network = MODELS.build(cfg.model)
    pairs = list(find_pairs(network))
    assert [pair.name for pair in pairs] == ['decode_head', 'auxiliary_head']
    for pair in pairs:
        attach(pair.loss, pair.classifier)
        pair.loss.strength = pair.loss.lambda_0
    sample = SegDataSample(gt_sem_seg=PixelData(data=torch.randint(4, (1, 64, 64))))
    losses = network.train().loss(torch.randn(2, 3, 64, 64), [sample, sample])
    assert {'decode.loss_isda', 'aux.loss_isda'} <= set(losses)
    assert [int(pair.loss.statistics.count.sum()) for pair in pairs] == \
        [2 * (16 if name in FINE else 8) ** 2, 2 * 8 ** 2]
    assert pairs[1].loss.base.loss_weight == 0.4


def test_the_classifier_builds_and_trains_with_isda(tmp_path):
    from mmengine.config import Config
    from mmengine.registry import MODELS

    import isda_seg.classification  # noqa: F401  as custom_imports do
    from isda_seg.attach import attach, find_pairs
    (tmp_path / 'my_classifier.py').write_text(CLASSIFIERS[0])
    cfg = Config.fromfile(tmp_path / 'my_classifier.py')
    assert cfg.default_hooks == dict(isda=dict(type='ISDAHook'))
    cfg.model.backbone.update(depth=10, width=1)
    model = MODELS.build(cfg.model).train()
    (pair,) = find_pairs(model)
    attach(pair.loss, pair.classifier)
    loss = model(torch.randn(4, 3, 16, 16), torch.arange(4), mode='loss')['loss']
    assert 1 < loss.item() < 5
    assert int(pair.loss.statistics.count.sum()) == 4


def test_the_semi_supervised_classifier_builds_and_trains_with_isda(tmp_path):
    from mmengine.config import Config
    from mmengine.registry import MODELS

    import isda_seg.semi  # noqa: F401  as custom_imports do
    from isda_seg.attach import attach, find_pairs
    (tmp_path / 'my_semi.py').write_text(SEMI[0])
    cfg = Config.fromfile(tmp_path / 'my_semi.py')
    assert (cfg.default_hooks.isda.type, cfg.custom_hooks[0].type) == ('ISDAHook', 'SemiHook')
    cfg.model.backbone.width = 1 / 32
    model = MODELS.build(cfg.model).train()
    (pair,) = find_pairs(model)
    attach(pair.loss, pair.classifier)
    pair.loss.strength, model.method.epoch = 0.5, 0.0
    views = [torch.randn(4, 3, 32, 32)]
    losses = model(torch.randn(4, 3, 32, 32), torch.arange(4), dict(views=views, index=torch.arange(4)), mode='loss')
    assert {'loss', 'loss_unlabelled', 'loss_isda_unlabelled'} <= set(losses)
    assert int(pair.loss.statistics.count.sum()) == 4


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_names_targets_extras_tools_and_configs_that_exist(command):
    words = shlex.split(command)
    if words[0] == 'make':
        asked = subprocess.run(['make', '-n', *words[1:]], cwd=ROOT, capture_output=True, text=True)
        assert (asked.returncode, asked.stderr) == (0, '')
        return
    if words[:2] == ['pip', 'install']:
        extras = tomllib.loads((ROOT / 'pyproject.toml').read_text())['project']['optional-dependencies']
        assert words[-1] == '.[seg]' and 'seg' in extras and (ROOT / 'constraints.txt').is_file()
        return
    written = [result for option, result in zip(words, words[1:], strict=False) if option == '--out']
    paths = [word for word in words if word.startswith(('tools/', 'configs/')) and word not in written]
    assert [path for path in paths if not (ROOT / path).is_file()] == []
    assert len(paths) == (1 if paths[0] in ALONE else 2)


def test_links_and_tools_named_in_readme_exist():
    links = [link for link in re.findall(r'\]\(([^)]+)\)', README) if '://' not in link]
    tools = re.findall(r'`(tools/[\w./]+)', README)
    assert [path for path in links + tools if not (ROOT / path).exists()] == []


def test_generated_numbers_are_current():
    from isda_seg.analysis.tables.results import generate
    assert [path for path, text in generate(ROOT).items() if path.read_text() != text] == []
