"""Log which losses continue the class statistics of a checkpoint that is loaded without resuming."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS

from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.config_nodes import named_dicts, type_name
from isda_seg.runtime.weights import network_of


@HOOKS.register_module()
class LoadedStatisticsHook(Hook):
    """Log which ISDA losses continue the class statistics of a checkpoint, and how to start with empty ones."""

    def before_train(self, runner: Any) -> None:
        """Log one line per loss with loaded statistics; a resumed run continues them as expected."""
        for name, loss in () if runner._resume else network_of(runner.model).named_modules():
            statistics = loss.statistics if isinstance(loss, ISDACriterion) else None
            if statistics is not None and (number := int(statistics.count.sum())):
                runner.logger.info(
                    f'ISDA: {name} continues the class statistics of {number} samples from a checkpoint (load_from or '
                    f'init_cfg). For empty statistics add --cfg-options {_option(runner.cfg, name)}=False')


def _option(cfg: Any, name: str) -> str:
    """Return the key ``load_statistics`` of a loss in the config, or of the ISDAHook that wrapped it."""
    loss = f'model.{name}'
    if any(path == loss and type_name(node) == 'ISDALoss' for path, node in named_dicts(cfg.get('model'), 'model')):
        return f'{loss}.load_statistics'
    hooks = (pair for key in ('default_hooks', 'custom_hooks') for pair in named_dicts(cfg.get(key), key))
    hook = next((path for path, node in hooks if type_name(node) == 'ISDAHook'), 'default_hooks.isda')
    return f'{hook}.load_statistics'
