"""Twin configs: with lambda_0 = 0 an ISDA config trains bitwise as its plain twin."""
from helpers import tiny, tiny_images
from helpers.exhaustive import exhaustive

pytestmark = tiny.on_cpu

TWINS = ['resnet32_cifar10', 'resnet110_cifar100', 'se-resnet110_cifar10', 'wrn16-8_cifar10',
         'wrn28-10_autoaugment_cifar10', 'resnext29-8x64d_cifar100', 'densenet-bc-100-12_cifar10',
         'shake-shake26-2x32d_cifar10', 'resnet50_imagenet', 'resnext50-32x4d_imagenet', 'densenet-bc-121_imagenet']


def isda(name):
    """The name of the twin."""
    network, _, data = name.rpartition('_')
    return f'{network}_isda_{data}'


def trained(name, work, lambda_0=None):
    """The steps, the state without statistics, and the statistics of three steps."""
    images = 6 if name.endswith('imagenet') else 12

    def change(cfg):
        tiny_images.shrink(cfg, train=images, batch=images // 3)
        if lambda_0 is not None:
            cfg.default_hooks.isda.lambda_0 = lambda_0

    runner, steps = tiny.train(tiny_images.CLASSIFICATION / name.rpartition('_')[2] / f'{name}.py', work, change=change)
    state = tiny.full_state(runner)
    return steps, state, {key: state.pop(key) for key in list(state) if '.statistics.' in key}


@exhaustive('name', TWINS, kind=lambda name: name.rpartition('_')[2])
def test_with_lambda_0_zero_three_steps_are_bitwise_those_of_the_twin(name, data, tmp_path):
    plain_steps, plain_state, none = trained(name, tmp_path / 'plain')
    steps, state, statistics = trained(isda(name), tmp_path / 'isda', lambda_0=0)
    assert [step['iter'] for step in steps] == [0, 1, 2]
    assert steps == plain_steps
    assert tiny.differing(state, plain_state) == []
    assert (len(none), len(statistics)) == (0, 3)
    assert int(statistics['model.loss.statistics.count'].sum()) == (6 if 'imagenet' in name else 12)


def test_isda_sees_the_same_images_and_learns_other_weights(data, tmp_path):
    plain_steps, plain_state, _ = trained('resnet32_cifar10', tmp_path / 'plain')
    steps, state, _ = trained(isda('resnet32_cifar10'), tmp_path / 'isda')
    assert [step['batch'] for step in steps] == [step['batch'] for step in plain_steps]
    assert steps[0]['losses'] == plain_steps[0]['losses']  # four images of four classes: no covariance yet
    assert steps[-1]['losses']['loss'] != plain_steps[-1]['losses']['loss']
    assert 'model.fc.weight' in tiny.differing(state, plain_state)
