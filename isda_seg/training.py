"""A Runner for training, with what every run of ours has: exact resume, safe checkpoints, checked data."""
from mmengine.config import Config
from mmengine.runner import Runner

from isda_seg import amp as half_precision
from isda_seg.checkpoint import check_checkpoint, latest_checkpoint
from isda_seg.reproducible import make_reproducible
from isda_seg.room import CLASSIFICATION, DETECTION, SEGMENTATION, room_of
from isda_seg.run_record import RunRecordHook


def build_runner(cfg: Config, resume: str | None = None, amp: str | None = None) -> Runner:
    """Build the Runner of a config read by ``load_config``.

    Args:
        resume: a checkpoint, or 'latest' for the newest one in the work directory (from the start if there is none).
        amp: 'auto', 'float16' or 'bfloat16'; None trains in the model's own precision.

    Raises:
        ValueError, FileNotFoundError: a checkpoint that is missing, truncated or none.
    """
    _prepare(cfg)
    make_reproducible(cfg)
    hook = cfg.get('default_hooks', {}).get('checkpoint')
    if hook is not None and hook.type == 'CheckpointHook':
        hook.type = 'AtomicCheckpointHook'
    if amp is not None:
        half_precision.enable_amp(cfg, None if amp == 'auto' else amp)
    if resume is None and cfg.get('resume'):
        resume = cfg.get('load_from') or 'latest'
    start = latest_checkpoint(cfg.work_dir) if resume == 'latest' else resume
    if start is not None:
        check_checkpoint(start, resume=True)
        cfg.load_from, cfg.resume = str(start), True
    elif cfg.get('load_from'):
        check_checkpoint(cfg.load_from)
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), dict(type=RunRecordHook.__name__)]
    return Runner.from_cfg(cfg)


def _prepare(cfg: Config) -> None:
    """Each room knows its own data, and what its models start from."""
    room = room_of(cfg)
    if room == CLASSIFICATION:
        from isda_seg.classification.data_check import check_data
        check_data(cfg)
    elif room == SEGMENTATION:
        from isda_seg.segmentation.data_check import check_data
        from isda_seg.segmentation.loading import check_loading
        check_data(cfg)
        check_loading(cfg)
    elif room == DETECTION:
        from isda_seg.detection.backbone_record import record_backbone
        from isda_seg.detection.data_check import check_data
        check_data(cfg)
        record_backbone(cfg)
