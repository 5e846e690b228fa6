"""The planned series can be run: their arms are configs that are there, with options that something reads."""
import json
import shlex

import pytest
import tiny

from isda_seg import compat
from isda_seg.analysis.series.arm import parse_arms
from isda_seg.analysis.series.run_options import with_options

PLAN = json.loads((tiny.ROOT / 'configs' / 'results' / 'series' / 'plan.json').read_text())


@pytest.mark.parametrize('plan', PLAN, ids=lambda plan: plan['name'])
def test_every_arm_of_a_planned_command_has_the_settings_that_it_names(plan):
    python, tool, *words = shlex.split(plan['command'])
    arms = parse_arms(words[:[word.startswith('--') for word in words].index(True)])
    assert (python, (tiny.ROOT / tool).is_file(), len(arms) >= (2 if 'paired' in tool else 1)) == ('python', True, True)
    for arm in arms:
        cfg = with_options(compat.read_config(str(tiny.ROOT / arm.config)), 0, arm.settings)
        found = tiny.flat(cfg.to_dict())
        assert {key: found[key] for key in arm.settings} == arm.settings
