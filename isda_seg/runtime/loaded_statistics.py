"""Report of class statistics that a run takes over from the checkpoint in ``load_from``."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.config_nodes import named_dicts, type_name
from isda_seg.runtime.weights import network_of, weights_in


@HOOKS.register_module()
class LoadedStatisticsHook(Hook):
    """Log which ISDA losses continue the class statistics of ``load_from``, and how to start with empty ones."""

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Log one line per loss with loaded statistics; a resumed run continues them as expected."""
        if runner._resume:
            return
        state = weights_in(checkpoint)
        for name, loss in network_of(runner.model).named_modules():
            count = state.get(f'{name}.statistics.count')
            if isinstance(loss, ISDACriterion) and loss.load_statistics and count is not None and int(count.sum()):
                runner.logger.info(
                    f'ISDA: {name} continues the class statistics of {int(count.sum())} samples from the checkpoint in '
                    f'load_from. For empty statistics add --cfg-options {_option(runner.cfg, name)}=False')


def _option(cfg: Any, name: str) -> str:
    """Return the key ``load_statistics`` of a loss in the config, or of the ISDAHook that wrapped it."""
    if any(path == f'model.{name}' and type_name(node) == 'ISDALoss'
           for path, node in named_dicts(cfg.get('model'), 'model')):
        return f'model.{name}.load_statistics'
    hooks = cfg.get('default_hooks') or {}
    key = next((key for key, hook in hooks.items() if type_name(hook) == 'ISDAHook'), 'isda')
    return f'default_hooks.{key}.load_statistics'
