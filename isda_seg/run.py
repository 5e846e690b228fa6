"""Train and test any config: the one place that knows which task a config is."""
import copy
import logging
from importlib import import_module

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from isda_seg.metrics.training_accuracy import TrainingAccuracyHook
from isda_seg.runtime import amp as half_precision
from isda_seg.runtime.checkpoint import check_checkpoint, latest_checkpoint
from isda_seg.runtime.checkpoint_hook import AtomicCheckpointHook
from isda_seg.runtime.config_keys import type_name
from isda_seg.runtime.early_stopping import set_early_stopping
from isda_seg.runtime.reproducible import make_reproducible
from isda_seg.runtime.resume_check import ResumeCheckHook
from isda_seg.runtime.run_record import RunRecordHook
from isda_seg.runtime.screen import runner_from
from isda_seg.runtime.sound_run import SoundRunHook, require_batches
from isda_seg.runtime.task import Task

CLASSIFICATION, SEGMENTATION, DETECTION = 'classification', 'segmentation', 'detection'  # packages of isda_seg
CLASSIFIERS = ('ImageClassifier', 'SemiClassifier')  # models whose data are checked and evaluated alike
SCOPES = {'mmseg': SEGMENTATION, 'mmdet': DETECTION}


def task_name(cfg: Config) -> str | None:
    """The task of a config; None for a model that is neither ours nor MMSegmentation's nor MMDetection's."""
    if type_name(cfg.get('model')) in CLASSIFIERS:
        return CLASSIFICATION
    scope = cfg.get('default_scope')
    if scope is None and isinstance(kind := cfg.get('model', {}).get('type'), type):  # a Python config needs no scope
        scope = kind.__module__.partition('.')[0]
    return SCOPES.get(scope)


def task_of(cfg: Config) -> Task:
    """The task that evaluates a config's checkpoints; MMSegmentation's for other models.

    Raises:
        ImportError: the task needs a package that is not installed.
    """
    task: Task = import_module(f'isda_seg.{task_name(cfg) or SEGMENTATION}.task').TASK
    return task


def build_runner(cfg: Config, resume: str | None = None, amp: str | None = None, quiet: bool = False) -> Runner:
    """The Runner that trains a config read by ``load_config``: exact resume, safe checkpoints, checked data.

    What is changed for that is changed in ``cfg``; the work directory and the checkpoints keep the config as it came,
    so that OpenMMLab's own tools can read it.

    Args:
        resume: a checkpoint, or 'latest' for the newest one in the work directory (from the start if there is none).
        amp: 'auto', 'float16' or 'bfloat16'; None trains in the model's own precision.
        quiet: on the screen what a person reads, the rest in the log file alone.

    Raises:
        ValueError, FileNotFoundError: a checkpoint that is missing, truncated or none; no batch to train on.
    """
    as_it_came = copy.deepcopy(cfg)
    if task_name(cfg) is not None:
        task_of(cfg).check(cfg)
    make_reproducible(cfg)
    hook = cfg.get('default_hooks', {}).get('checkpoint')
    if type_name(hook) == 'CheckpointHook':
        hook.type = AtomicCheckpointHook.__name__
    set_early_stopping(cfg)
    if amp is not None:
        half_precision.enable_amp(cfg, None if amp == 'auto' else amp)
    if resume is None and cfg.get('resume'):
        resume = cfg.get('load_from') or 'latest'
    start = latest_checkpoint(cfg.work_dir, hook) if resume == 'latest' else resume
    if resume == 'latest' and start is None:
        print_log(f'{cfg.work_dir} holds no checkpoint to resume: training starts from the beginning', 'current',
                  logging.WARNING)
    if start is not None:
        check_checkpoint(start, resume=True)
        cfg.load_from, cfg.resume = str(start), True
    elif cfg.get('load_from'):
        check_checkpoint(cfg.load_from)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type=SoundRunHook.__name__),
                        dict(type=ResumeCheckHook.__name__),
                        dict(type=TrainingAccuracyHook.__name__), dict(type=RunRecordHook.__name__)]
    runner = runner_from(cfg, quiet)
    require_batches(runner.train_dataloader)  # before schedules count its steps
    runner.cfg = as_it_came
    runner.dump_config()
    return runner
