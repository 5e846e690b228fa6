"""An exported backbone has every key of its target and the same features; other networks are errors."""
import pytest
import torch
from export_backbone import accepting
from helpers import tiny, tiny_images
from helpers.resnet_features import features, fixed_image
from mmengine.config import Config
from mmengine.registry import MODELS

from isda_seg import compat
from isda_seg.classification.conversion import export, read_architecture

compat.prepare()

BACKBONES = {  # every kind of block, stem and width, small
    'ResNet-18': dict(type='mmseg.ResNet', depth=18, base_channels=8, stem_channels=8),
    'ResNet-34': dict(type='mmseg.ResNet', depth=34, base_channels=8, stem_channels=8),
    'ResNet-50': dict(type='mmseg.ResNet', depth=50, base_channels=4, stem_channels=8),
    'ResNet-101': dict(type='mmseg.ResNet', depth=101, base_channels=4, stem_channels=4),
    'ResNet-152': dict(type='mmseg.ResNet', depth=152, base_channels=4, stem_channels=4),
    'ResNetV1c-50': dict(type='mmseg.ResNetV1c', depth=50, base_channels=4, stem_channels=8)}
FULL = {'ResNet-50': dict(type='mmseg.ResNet', depth=50),
        'ResNeXt-50': dict(type='mmseg.ResNeXt', depth=50, groups=32, base_width=4)}
TABLE_1 = ['resnet50', 'resnet101', 'resnet152', 'resnext50-32x4d', 'resnext101-32x8d']


def built(config, seed=0):
    """A backbone whose every weight and running moment is random."""
    torch.manual_seed(seed)
    network = MODELS.build(dict(config, out_indices=(0, 1, 2, 3)))
    network.eval()
    for name, value in network.state_dict().items():
        if value.dtype == torch.float32:
            value.copy_(torch.rand(value.shape) + 0.5 if 'var' in name or (value.dim() == 1 and 'weight' in name)
                        else torch.randn(value.shape) * (value[0].numel() ** -0.5 if value.dim() == 4 else 0.1))
    return network


def checkpoint_of(network, path, kind, classes=5):
    """The weights as one of three programs would have saved them, with a classifier."""
    channels = network.feat_dim
    state = dict(network.state_dict())
    last = {'fc.weight': torch.randn(classes, channels), 'fc.bias': torch.randn(classes)}
    if kind == 'trainer':
        state = {f'backbone.{key}': value for key, value in state.items()}
        last |= {f'loss.statistics.{name}': torch.zeros(classes) for name in ('count', 'mean', 'covariance')}
        torch.save(dict(meta={}, state_dict=state | last), path)
    elif kind == 'authors':  # DataParallel around a torchvision network
        torch.save(dict(epoch=300, state_dict={f'module.{key}': value for key, value in (state | last).items()}), path)
    else:  # torchvision of old: a bare state dict that counts no batches
        torch.save({key: value for key, value in (state | last).items() if 'tracked' not in key}, path)
    return path


@pytest.mark.parametrize('name', BACKBONES)
def test_functional_features_equal_those_of_mmsegmentation(name):
    network = built(BACKBONES[name]).double()
    state = network.state_dict()
    found = read_architecture(state)
    assert f'{found.kind}-{found.depth}' == name
    expected = network(fixed_image())[-1]
    torch.testing.assert_close(features(state, fixed_image()), expected, rtol=0, atol=1e-9 * float(expected.max()))
    assert expected.max() > 0.1


@pytest.mark.parametrize('kind', ['trainer', 'authors', 'torchvision'])
@pytest.mark.parametrize('target', ['mmseg', 'mmdet', 'torchvision'])
@pytest.mark.parametrize('name', ['ResNet-18', 'ResNet-50'])
def test_every_source_reaches_every_target_with_all_its_keys(tmp_path, name, target, kind):
    network = built(BACKBONES[name])
    found = export(checkpoint_of(network, tmp_path / 'in.pth', kind), tmp_path / 'out.pth', target)
    written = torch.load(tmp_path / 'out.pth', weights_only=True)
    state = written if target == 'torchvision' else written['state_dict']
    expected = {key: value for key, value in network.state_dict().items()}
    last = {'fc.weight', 'fc.bias'}
    assert set(state) == set(expected) | (last if target == 'torchvision' else set())
    assert tiny.differing(expected, {key: value for key, value in state.items() if key in expected}) == []
    statistics = {f'loss.statistics.{part}' for part in ('count', 'mean', 'covariance')} if kind == 'trainer' else set()
    assert set(found.dropped) == statistics | (set() if target == 'torchvision' else last)
    assert found.keys == len(state)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith('out')] == ['out.pth']


@pytest.mark.parametrize('name', FULL)
def test_exported_backbone_loads_fully_into_a_d8_network(tmp_path, name):
    export(checkpoint_of(built(FULL[name]), tmp_path / 'in.pth', 'trainer'), tmp_path / 'out.pth', 'mmseg')
    dilated = MODELS.build(dict(FULL[name], strides=(1, 2, 1, 1), dilations=(1, 1, 2, 4), contract_dilation=True,
                                norm_cfg=dict(type='SyncBN', requires_grad=True)))
    loaded = dilated.load_state_dict(torch.load(tmp_path / 'out.pth', weights_only=True)['state_dict'], strict=False)
    assert (loaded.missing_keys, loaded.unexpected_keys) == ([], [])


@pytest.mark.parametrize('stem', TABLE_1)
def test_architectures_of_table_1_are_recognised(stem):
    cfg = Config.fromfile(tiny_images.CLASSIFICATION / 'imagenet' / f'{stem}_imagenet.py').model.backbone
    with torch.device('meta'):
        found = read_architecture(MODELS.build(cfg).state_dict())
    assert (f'mmseg.{found.kind}', found.depth, found.base_channels) == (cfg.type, cfg.depth, 64)
    assert (found.groups, found.deep_stem) == (cfg.get('groups', 1), False)
    if cfg.get('groups'):
        assert found.base_width == cfg.base_width


def test_other_network_is_an_error_that_lists_the_keys(tmp_path):
    import isda_seg.classification  # noqa: F401  registers the networks
    cifar = MODELS.build(dict(type='ResNetCifar', depth=8))
    torch.save({f'backbone.{key}': value for key, value in cifar.state_dict().items()}, tmp_path / 'in.pth')
    with pytest.raises(ValueError, match=r'in.pth is not a ResNet or ResNeXt for ImageNet \(compared with ResNet-50\)'
                                         r': 0 of \d+ tensors covered; missing: conv1.weight, .* and \d+ more; '
                                         r'unexpected: stem.0.weight, .*'):
        export(tmp_path / 'in.pth', tmp_path / 'out.pth', 'mmseg')
    assert not (tmp_path / 'out.pth').exists() and len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize('change, message', [
    (lambda state: state.pop('layer2.1.bn2.weight'),
     'is not ResNet-50: 264 of 265 tensors covered; missing: layer2.1.bn2.weight$'),
    (lambda state: state.update(extra=torch.zeros(1)),
     'is not ResNet-50: 265 of 265 tensors covered; unexpected: extra$'),
    (lambda state: state.update({'layer3.0.conv2.weight': torch.zeros(2, 2, 3, 3)}),
     r'wrong shape: layer3.0.conv2.weight \(2, 2, 3, 3\) instead of \(16, 16, 3, 3\)$')])
def test_mismatched_weights_are_named(tmp_path, change, message):
    state = dict(built(BACKBONES['ResNet-50']).state_dict())
    change(state)
    torch.save(state, tmp_path / 'in.pth')
    with pytest.raises(ValueError, match=message):
        export(tmp_path / 'in.pth', tmp_path / 'out.pth', 'mmseg')


def test_overwriting_urls_and_non_finite_weights_are_errors(tmp_path):
    path = checkpoint_of(built(BACKBONES['ResNet-18']), tmp_path / 'in.pth', 'trainer')
    before = path.read_bytes()
    with pytest.raises(ValueError, match='in.pth is the checkpoint itself, which would be lost. Give .* another name'):
        export(path, tmp_path / 'folder' / '..' / 'in.pth', 'mmseg')
    assert path.read_bytes() == before
    with pytest.raises(ValueError, match='https://there/in.pth is a URL. Download it and pass a local path'):
        export('https://there/in.pth', tmp_path / 'out.pth', 'mmseg')
    loaded = torch.load(path)
    loaded['state_dict']['backbone.layer1.0.conv1.weight'][0] = float('nan')
    loaded['state_dict']['backbone.layer1.0.conv2.weight'][0] = float('inf')
    torch.save(loaded, path)
    with pytest.raises(ValueError, match=r'in.pth has weights that are not finite '
                                         r'\(layer1.0.conv1.weight and 1 more\). The training diverged'):
        export(path, tmp_path / 'out.pth', 'mmseg')


def test_torchvision_has_no_deep_stem_and_no_other_targets_exist(tmp_path):
    path = checkpoint_of(built(BACKBONES['ResNetV1c-50']), tmp_path / 'in.pth', 'trainer')
    with pytest.raises(ValueError, match=r'has a deep stem \(ResNetV1c\), which torchvision does not support'):
        export(path, tmp_path / 'out.pth', 'torchvision')
    assert export(path, tmp_path / 'out.pth', 'mmseg').architecture.deep_stem is True
    with pytest.raises(ValueError, match="unknown target 'timm'. Choose from"):
        export(path, tmp_path / 'out.pth', 'timm')


def test_tool_prints_dropped_keys_and_compatible_configs(tmp_path, monkeypatch, capsys):
    path = checkpoint_of(built(FULL['ResNet-50']), tmp_path / 'in.pth', 'authors')
    tiny.run_tool(monkeypatch, 'export_backbone.py', path, '--out', tmp_path / 'out.pth', '--to', 'mmseg')
    lines = capsys.readouterr().out.splitlines()
    assert 'dropped: fc.bias, fc.weight' in lines
    assert next(line for line in lines if line.startswith('It has')).endswith(
        'out.pth to a segmentation config whose backbone is a ResNet of depth 50.')
    assert 'as they are: none of configs/' in lines
    changed = next(line for line in lines if line.startswith('with model.backbone.type=ResNet too: '))
    assert 'cityscapes/pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py' in changed and 'r101' not in changed


@pytest.mark.parametrize('kind, count', [('ResNetV1c-50', (1, 0)), ('ResNet-50', (0, 1))])
def test_deep_stem_is_compatible_with_configs_that_have_one(kind, count):
    architecture = read_architecture(built(dict(BACKBONES[kind], base_channels=64, stem_channels=64)).state_dict())
    path = tiny.ROOT / 'configs' / 'cityscapes' / 'pspnet_r50-d8_4xb2-40k_cityscapes-769x769.py'
    assert tuple(map(len, accepting(architecture, [path]))) == count


@tiny.on_cpu
def test_exported_backbone_initialises_a_segmentation_run(tmp_path, monkeypatch):
    monkeypatch.setenv('ISDA_SEG_DATA', str(tiny_images.write_image_folder(tmp_path / 'data').parent))
    small = dict(depth=18, base_channels=8, stem_channels=8)

    def change(cfg):
        checkpoint = cfg.default_hooks.checkpoint
        tiny_images.few(cfg, train=6, batch=3)
        tiny_images.resized(cfg, 64)
        cfg.default_hooks.checkpoint = checkpoint
        cfg.model.backbone.update(small)

    config = tiny_images.CLASSIFICATION / 'imagenet' / 'resnet50_isda_imagenet.py'
    trained, _ = tiny.train(config, tmp_path / 'cls', change=change)
    export(tmp_path / 'cls' / 'epoch_1.pth', tmp_path / 'r18.pth', 'mmseg')

    def segment(cfg):
        cfg.model.backbone.update(small, type='ResNet')
        cfg.model.pretrained = str(tmp_path / 'r18.pth')
        cfg.train_cfg.max_iters = 2
        cfg.optim_wrapper.optimizer.update(lr=0.0, weight_decay=0.0)
        cfg.param_scheduler = [dict(type='ConstantLR', factor=1.0, by_epoch=False)]

    runner, steps = tiny.train(tiny.write_configs(tmp_path / 'seg')[1], tmp_path / 'work', change=segment)
    learned, started = dict(trained.model.backbone.named_parameters()), dict(runner.model.backbone.named_parameters())
    assert tiny.differing(learned, started) == [] and len(started) > 50
    assert [step['iter'] for step in steps] == [0, 1]
