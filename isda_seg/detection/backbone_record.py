"""Record of the pretrained backbone in a detector's checkpoints and result files."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

BACKBONE = 'backbone'  # key in a checkpoint's meta


@HOOKS.register_module()
class BackboneRecordHook(Hook):
    """Write ``meta['backbone']``, the result of ``check_backbone``, into every checkpoint."""

    def __init__(self, backbone: dict[str, Any] | None) -> None:
        self.backbone = backbone

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """At resume, keep the backbone of the checkpoint."""
        if runner._resume:
            self.backbone = checkpoint['meta'].get(BACKBONE)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the backbone to the checkpoint."""
        checkpoint['meta'][BACKBONE] = self.backbone
