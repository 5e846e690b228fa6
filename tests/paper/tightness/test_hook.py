"""TightnessHook leaves the run unchanged and writes each point once."""
import json

import pytest
from helpers import tiny

from isda_seg.paper.tightness.hook import POINTS, TightnessHook, read_points

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]

HOOK = dict(type='isda_seg.paper.tightness.hook.TightnessHook', interval=2, images=4, pixels=50, samples=40)


def with_hook(**keys):
    def change(cfg):
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(HOOK, **keys)]
    return change


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """The tiny PSPNet with ISDA on two heads, six iterations: without the hook, with it, and resumed after four."""
    folder = tmp_path_factory.mktemp('tightness')
    _, isda = tiny.write_configs(folder)
    without = tiny.train(isda, folder / 'without')
    watched = tiny.train(isda, folder / 'watched', change=with_hook())
    points = (folder / 'watched' / POINTS).read_text()
    (folder / 'watched' / POINTS).write_text(points + '{"step": 6, "hea')  # as a killed run leaves it
    resumed = tiny.train(isda, folder / 'watched', change=with_hook(), resume=folder / 'watched' / 'iter_4.pth')
    return folder, without, watched, points, resumed


def test_hook_leaves_the_run_bitwise_unchanged(runs):
    _, (without, steps), (watched, seen), _, _ = runs
    assert seen == steps and len(steps) == 6
    assert tiny.differing(tiny.full_state(watched), tiny.full_state(without)) == []


def test_each_head_has_a_point_per_interval(runs):
    points = [json.loads(line) for line in runs[3].splitlines()]
    assert [(point['step'], point['head']) for point in points] == [
        (step, head) for step in (2, 4, 6) for head in ('decode_head', 'auxiliary_head')]
    assert [point['strength'] for point in points[::2]] == pytest.approx([2.5, 5, 7.5])
    assert {(point['unit'], point['logit_vectors'], point['samples']) for point in points} == {('iteration', 200, 40)}


def test_points_satisfy_jensens_inequality(runs):
    for point in read_points(runs[0] / 'watched'):
        three = 3 * point['standard_error']
        assert point['cross_entropy'] <= point['expected'] + three
        assert point['expected'] - three <= point['bound']
        assert point['gap_ratio'] > 1


def test_resumed_run_has_each_point_once(runs):
    folder, _, (watched, _), points, (resumed, _) = runs
    assert (folder / 'watched' / POINTS).read_text() == points
    assert tiny.differing(tiny.full_state(resumed), tiny.full_state(watched)) == []


def test_run_without_isda_or_strength_is_rejected(runs):
    folder = runs[0]
    with pytest.raises(ValueError, match='The model has no ISDA loss. Add default_hooks'):
        tiny.train(folder / tiny.PLAIN, folder / 'plain', change=with_hook())
    nothing = {f'model.{head}.loss_decode.lambda_0': 0 for head in ('decode_head', 'auxiliary_head')}
    with pytest.raises(ValueError, match='lambda_0 = 0 in decode_head, auxiliary_head, so cross-entropy'):
        tiny.train(folder / tiny.ISDA, folder / 'nothing', nothing, change=with_hook())


@pytest.mark.parametrize('keys', [dict(interval=0), dict(images=0), dict(pixels=0)])
def test_arguments_below_1_are_rejected(keys):
    (name, value), = keys.items()
    with pytest.raises(ValueError, match=f'{name} must be at least 1, got {value}'):
        TightnessHook(**keys)
