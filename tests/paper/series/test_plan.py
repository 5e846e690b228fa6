"""Planned series can be run, and series of one setting compare the same configs."""
import json
import shlex

import pytest
from helpers import tiny

from isda_seg import compat
from isda_seg.paper.series.arm import Arm, parse_arms
from isda_seg.paper.series.run_options import with_options

PLAN = json.loads((tiny.ROOT / 'configs' / 'results' / 'series' / 'plan.json').read_text())


@pytest.mark.parametrize('plan', PLAN, ids=lambda plan: plan['name'])
def test_planned_arms_have_the_settings_in_their_command(plan):
    python, tool, *words = shlex.split(plan['command'])
    arms = parse_arms(words[:[word.startswith('--') for word in words].index(True)])
    assert (python, (tiny.ROOT / tool).is_file(), len(arms) >= (2 if 'paired' in tool else 1)) == ('python', True, True)
    for arm in arms:
        cfg = with_options(compat.read_config(str(tiny.ROOT / arm.config)), 0, arm.settings)
        found = tiny.flat(cfg.to_dict())
        assert {key: found[key] for key in arm.settings} == arm.settings


def compared(plan):
    """The settings of the baseline and of the arm that stands for a series, the hook's among them."""
    _, _, *words = shlex.split(plan['command'])
    arms = parse_arms(words[:[word.startswith('--') for word in words].index(True)])
    shown = next((arm for arm in arms if arm.label == plan.get('arm')), arms[1])
    given = words[words.index('--cfg-options') + 1:] if '--cfg-options' in words else []
    return [tiny.flat(with_options(compat.read_config(str(tiny.ROOT / arm.config)), 0,
                                   {**Arm('', tuple(given)).settings, **arm.settings}).to_dict())
            for arm in (arms[0], shown)]


def test_series_with_the_same_task_and_setting_compare_the_same_configs():
    known = {}
    for plan in PLAN:
        if 'paired.py' not in plan['command'] or plan.get('choice') or '_isda' in plan['command'].split()[2]:
            assert not {'task', 'setting'} & plan.keys()
            continue
        (plain, _) = found = compared(plan)
        images = 'semi-supervised' if plain['train_dataloader.dataset.type'] == 'TwoStreamDataset' else 'classification'
        assert plan['task'] == ('segmentation' if plain.get('default_scope') == 'mmseg' else images)
        assert found == known.setdefault((plan['task'], plan['setting']), found)
    assert all(found != other for place, found in enumerate(known.values()) for other in list(known.values())[:place])
