"""Record of the pretrained backbone in a detector's checkpoints and result files."""
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
        backbone: result of ``check_backbone``.
    """

    def __init__(self, backbone: dict[str, Any] | None) -> None:
        self.backbone = backbone

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """At resume, keep the backbone of the checkpoint."""
        if runner._resume:
            self.backbone = checkpoint['meta'].get(BACKBONE)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the backbone to the checkpoint."""
        checkpoint['meta'][BACKBONE] = self.backbone


def record_backbone(cfg: Config) -> None:
    """Check the backbone and add the hook that records it to a training config, in place.

    Raises:
        FileNotFoundError, ValueError: as in ``check_backbone``.
    """
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []),
                        dict(type=BackboneRecordHook.__name__, backbone=check_backbone(cfg))]
