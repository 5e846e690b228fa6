"""Every detector's checkpoint and its results know the backbone that training started from."""
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.detection.backbone import check_backbone

BACKBONE = 'backbone'  # key in a checkpoint's meta


@HOOKS.register_module()
class BackboneRecordHook(Hook):
    """Write ``meta['backbone']`` into every checkpoint.

    Args:
        backbone: of ``check_backbone``.
    """

    def __init__(self, backbone: dict[str, Any] | None) -> None:
        self.backbone = backbone

    def after_load_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """A resumed run started from what its first part started from."""
        if runner._resume:
            self.backbone = checkpoint['meta'].get(BACKBONE)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict) -> None:
        """Hand it over."""
        checkpoint['meta'][BACKBONE] = self.backbone


def record_backbone(cfg: Config) -> None:
    """Check the backbone and add the hook that records it to a training config, in place.

    Raises:
        FileNotFoundError, ValueError: as ``check_backbone``.
    """
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []),
                        dict(type=BackboneRecordHook.__name__, backbone=check_backbone(cfg))]
