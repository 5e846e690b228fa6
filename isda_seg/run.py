"""Build a Runner for any config, and determine the task of a config."""
import copy
import logging
import os
from importlib import import_module

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.runner import Runner

from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.runtime import amp as half_precision
from isda_seg.runtime.checkpoint import AtomicCheckpointHook, check_checkpoint, latest_checkpoint, read_checkpoint
from isda_seg.runtime.exact_resume import AccumulatedGradientsHook, set_epoch_loop
from isda_seg.runtime.loaded_statistics import LoadedStatisticsHook
from isda_seg.runtime.monitored_metrics import MonitoredMetricsHook, set_rules
from isda_seg.runtime.reproducible import make_reproducible
from isda_seg.runtime.resume_check import ResumeCheckHook
from isda_seg.runtime.run_record import RunRecordHook
from isda_seg.runtime.screen import runner_from
from isda_seg.runtime.signals import SignalHook
from isda_seg.runtime.sound_run import SoundRunHook, require_batches
from isda_seg.runtime.task import Task

CLASSIFICATION, SEGMENTATION, DETECTION = 'classification', 'segmentation', 'detection'  # packages of isda_seg
CLASSIFIERS = ('ImageClassifier', 'SemiClassifier')  # models of the classification task
OWN_HOOKS = (SoundRunHook, ResumeCheckHook, AccumulatedGradientsHook, RunRecordHook, LoadedStatisticsHook,
             MonitoredMetricsHook, SignalHook)
SCOPES = {'mmseg': SEGMENTATION, 'mmdet': DETECTION}


def task_name(cfg: Config) -> str | None:
    """Return the task of a config; None for a model outside isda_seg, MMSegmentation and MMDetection."""
    if type_name(cfg.get('model')) in CLASSIFIERS:
        return CLASSIFICATION
    scope = cfg.get('default_scope')
    if scope is None and isinstance(kind := cfg.get('model', {}).get('type'), type):  # a Python-style config
        scope = kind.__module__.partition('.')[0]
    return SCOPES.get(scope)


def task_of(cfg: Config) -> Task:
    """Return the task that evaluates checkpoints of a config, by default segmentation."""
    task: Task = import_module(f'isda_seg.{task_name(cfg) or SEGMENTATION}.task').TASK
    return task


def build_runner(cfg: Config, resume: str | None = None, amp: str | None = None, quiet: bool = False) -> Runner:
    """Build the Runner that trains a config, with exact resume, atomic checkpoints and checked data.

    The function changes ``cfg``. The work directory and the checkpoints hold the original config, so that the tools of
    OpenMMLab can read it. ``resume`` is a checkpoint, or 'latest' for the newest one in the work directory; ``amp`` is
    'auto', 'float16' or 'bfloat16'. With ``quiet``, the console shows a concise log; the log file is always complete.
    """
    original = copy.deepcopy(cfg)
    if task_name(cfg) is not None:
        task_of(cfg).check(cfg)
    make_reproducible(cfg)
    set_epoch_loop(cfg)
    hook = cfg.get('default_hooks', {}).get('checkpoint')
    if type_name(hook) == 'CheckpointHook':
        hook.type = AtomicCheckpointHook.__name__
    set_rules(cfg)
    if amp is not None:
        half_precision.enable_amp(cfg, None if amp == 'auto' else amp)
    if resume is None and cfg.get('resume'):
        resume = cfg.get('load_from') or 'latest'
    start = latest_checkpoint(cfg.work_dir, hook) if resume == 'latest' else resume
    if resume == 'latest' and start is None:
        print_log(f'{cfg.work_dir} contains no checkpoint to resume from. Training starts from the beginning.',
                  'current', logging.WARNING)
    if start is not None:
        check_checkpoint(start, resume=True)
        cfg.load_from, cfg.resume = str(start), True
    elif cfg.get('load_from'):
        check_checkpoint(cfg.load_from)
    for node in dicts(cfg.get('model')):
        source = node.get('checkpoint') if type_name(node) == 'Pretrained' else node.get('pretrained')
        if isinstance(source, str) and os.path.isfile(source):  # MMEngine reports a missing file
            read_checkpoint(source)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), *(dict(type=hook.__name__) for hook in OWN_HOOKS)]
    runner = runner_from(cfg, quiet)
    require_batches(runner.train_dataloader)  # before the schedulers count steps
    runner.cfg = original
    runner.dump_config()
    return runner
