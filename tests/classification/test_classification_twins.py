"""The law of twins: with lambda_0 = 0 an ISDA config trains as its plain twin, bit for bit."""
import pytest
import tiny
import tiny_images

pytestmark = tiny.on_cpu

TWINS = ['cifar10/resnet32', 'cifar100/resnet110', 'cifar10/se-resnet110', 'cifar10/wrn16-8',
         'cifar10/wrn28-10_autoaugment', 'cifar100/resnext29-8x64d', 'cifar10/densenet-bc-100-12',
         'cifar10/shake-shake26-2x32d', 'imagenet/resnet50', 'imagenet/resnext50-32x4d', 'imagenet/densenet-bc-121']


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ISDA_SEG_DATA', str(tiny_images.write_all(tmp_path_factory.mktemp('data'))))
        yield


def trained(name, work, lambda_0=None):
    """The steps, the state without statistics, and the statistics of three steps."""
    images = 6 if name.startswith('imagenet') else 12

    def change(cfg):
        tiny_images.shrink(cfg, train=images, batch=images // 3)
        if lambda_0 is not None:
            cfg.model.loss.lambda_0 = lambda_0

    runner, steps = tiny.train(tiny_images.CLASSIFICATION / f'{name}.py', work, change=change)
    state = tiny.full_state(runner)
    return steps, state, {key: state.pop(key) for key in list(state) if '.statistics.' in key}


@pytest.mark.parametrize('name', TWINS)
def test_with_lambda_0_zero_three_steps_are_bitwise_those_of_the_twin(name, data, tmp_path):
    plain_steps, plain_state, none = trained(name, tmp_path / 'plain')
    steps, state, statistics = trained(f'{name}_isda', tmp_path / 'isda', lambda_0=0)
    assert [step['iter'] for step in steps] == [0, 1, 2]
    assert steps == plain_steps
    assert tiny.differing(state, plain_state) == []
    assert (len(none), len(statistics)) == (0, 3)
    assert int(statistics['model.loss.statistics.count'].sum()) == (6 if 'imagenet' in name else 12)


def test_with_its_own_lambda_0_it_sees_the_same_images_and_learns_something_else(data, tmp_path):
    plain_steps, plain_state, _ = trained('cifar10/resnet32', tmp_path / 'plain')
    steps, state, _ = trained('cifar10/resnet32_isda', tmp_path / 'isda')
    assert [step['batch'] for step in steps] == [step['batch'] for step in plain_steps]
    assert steps[0]['losses'] == plain_steps[0]['losses']  # four images of four classes: no covariance yet
    assert steps[-1]['losses']['loss'] != plain_steps[-1]['losses']['loss']
    assert 'model.fc.weight' in tiny.differing(state, plain_state)
