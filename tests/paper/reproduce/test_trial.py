"""A trial trains the first steps of a config with its real data and keeps no checkpoint."""
import json

import pytest
from helpers import tiny

from isda_seg.paper.reproduce import trial
from isda_seg.paper.reproduce.catalogue import Row, Table
from isda_seg.paper.reproduce.plan import make_plan
from isda_seg.paper.reproduce.trial import FILE, TrialHook, read_trial, trial_jobs

pytestmark = tiny.on_cpu


def plan_of(folder, *configs):
    return make_plan('x', Table('', tuple(Row(config.stem, str(config)) for config in configs), ('single',)),
                     folder / 'work', folder, (0, 1))


def test_trial_ends_after_its_steps(tmp_path, monkeypatch):
    monkeypatch.setattr(trial, 'STEPS', 5)
    _, isda = tiny.write_configs(tmp_path)
    with pytest.raises(SystemExit) as end:
        tiny.train(isda, tmp_path / 'run', {'train_cfg.max_iters': 100, 'default_hooks.checkpoint.interval': 20},
                   change=lambda cfg: cfg.update(custom_hooks=[dict(type='TrialHook')]))
    assert end.value.code == 0
    found = json.loads((tmp_path / 'run' / FILE).read_text())
    assert len(found['losses']) == 5 and found['seconds'] > 0 and found['memory'] is None
    assert list((tmp_path / 'run').glob('*.pth')) == []


def test_loss_that_is_not_finite_fails_the_trial():
    with pytest.raises(FloatingPointError, match='the loss of step 2 is nan'):
        hook = TrialHook()
        for loss in (1.0, float('nan')):
            hook.after_train_iter(None, 0, outputs=dict(loss=loss))


def test_one_trial_serves_all_seeds_of_an_arm(tmp_path):
    plan = plan_of(tmp_path, *tiny.write_configs(tmp_path))
    jobs = trial_jobs(plan, tmp_path / 'tools')
    assert [job.name for job in jobs] == ['trial of tiny_1xb2', 'trial of tiny_isda_1xb2']
    assert read_trial(plan.runs[0], plan.folder) is None
    (jobs[0].folder / FILE).write_text('{"seconds": 0.25}')
    assert [job.done() for job in jobs] == [True, False]
    assert [(read_trial(run, plan.folder) or {}).get('seconds') for run in plan.runs] == [0.25, None, 0.25, None]


def test_training_that_ends_early_is_a_failed_trial(tmp_path):
    job, _ = trial_jobs(plan_of(tmp_path, *tiny.write_configs(tmp_path)), tmp_path / 'tools')
    with pytest.raises(ChildProcessError, match='the training ended before 10 steps'):
        job.execute(lambda words: None)
