"""Hook that connects the base method of a SemiClassifier to training."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop
from torch import Tensor

from isda_seg.runtime.weights import network_of
from isda_seg.semi.classifier import SemiClassifier

EPOCH_STATE = 'semi_epoch_state'  # key in a checkpoint


@HOOKS.register_module()
class SemiHook(Hook):
    """Call the base method's callbacks and log the current ``eta_2``; required by every ``SemiClassifier``."""

    _epoch_state: dict[str, Tensor] = {}  # collected by gather_state; ranks must not communicate while one saves
    priority = 'NORMAL'  # after the optimizer's step, before the checkpoint

    def before_run(self, runner: Any) -> None:
        """Check model and data, and allocate the method's buffers before a checkpoint is loaded."""
        self.model: Any = network_of(runner.model)
        if not isinstance(self.model, SemiClassifier):
            raise ValueError(f'SemiHook needs a SemiClassifier, got {type(self.model).__name__}')
        if not isinstance(runner._train_loop, BaseLoop):  # no training: accessing train_loop would build the dataset
            return
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError('semi-supervised training counts epochs over the unlabelled images. Set '
                             "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=...)")
        method, dataset = self.model.method, runner.train_dataloader.dataset
        if not hasattr(dataset, 'labelled_indices'):
            raise ValueError('a SemiClassifier needs labelled and unlabelled images. Wrap the training images in '
                             "dict(type='TwoStreamDataset', dataset=..., num_labels=...) with the TwoStreamSampler")
        if dataset.views < method.views:
            raise ValueError(f'{type(method).__name__} needs {method.views} views of every unlabelled image, got '
                             f'{dataset.views}. Set train_dataloader.dataset.views={method.views}')
        method.prepare(len(dataset), self.model.num_classes)

    def before_train(self, runner: Any) -> None:
        """Check ``eta_1``, and initialise the method unless training is resumed."""
        self.model.check_eta_1()
        if runner.iter == 0:
            self.model.method.start(self.model)

    def gather_state(self, runner: Any) -> None:
        """Collect the method's state inside an epoch from all ranks, before the first rank saves."""
        self._epoch_state = {key: value.cpu() for key, value in self.model.method.epoch_state().items()}

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Add the method's state inside an epoch to a checkpoint that training can resume from."""
        if 'optimizer' in checkpoint:
            if runner.world_size == 1:
                self.gather_state(runner)
            checkpoint[EPOCH_STATE] = self._epoch_state

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Restore the method's state inside an epoch at resume."""
        if runner._resume and checkpoint.get(EPOCH_STATE):
            self.model.method.load_epoch_state(checkpoint[EPOCH_STATE], runner.rank == 0)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Set the method's epoch, including the fraction of the current one, and log ``eta_2``."""
        self.model.method.epoch = runner.iter / len(runner.train_dataloader)
        runner.message_hub.update_scalar('train/eta_2', self.model.method.weight)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """Call the method after the optimizer step."""
        self.model.method.after_step(self.model)

    def after_train_epoch(self, runner: Any) -> None:
        """Call the method before the checkpoint of the epoch is written."""
        self.model.method.after_epoch()
