"""SemiHook: tells the base method what the data are, how far training is, and when steps and epochs end."""
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.registry import HOOKS
from mmengine.runner import BaseLoop, EpochBasedTrainLoop

from isda_seg.semi.classifier import SemiClassifier


@HOOKS.register_module()
class SemiHook(Hook):
    """Goes with every ``SemiClassifier``; logs ``eta_2`` as it is now.

    Raises:
        ValueError: before the run, another model, a loop without epochs, images without a second stream, or in too few
            views; before training, an eta_1 without ISDA.
    """

    priority = 'NORMAL'  # after the optimizer's step, before the checkpoint

    def before_run(self, runner: Any) -> None:
        """Before a checkpoint is loaded: its memories must find their place."""
        self.model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if not isinstance(self.model, SemiClassifier):
            raise ValueError(f'SemiHook goes with a SemiClassifier, the model is a {type(self.model).__name__}')
        if not isinstance(runner._train_loop, BaseLoop):  # no training: to ask for the loop would build its data
            return
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError('semi-supervised training counts epochs over the unlabelled images: use '
                             "train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=...)")
        method, dataset = self.model.method, runner.train_dataloader.dataset
        if not hasattr(dataset, 'num_unlabelled'):
            raise ValueError('a SemiClassifier trains on labelled and unlabelled images: put the training images into '
                             "a dict(type='TwoStreamDataset', dataset=..., num_labels=...) with the TwoStreamSampler")
        if dataset.views < method.views:
            raise ValueError(f'{type(method).__name__} compares {method.views} views of every unlabelled image: set '
                             f'train_dataloader.dataset.views={method.views}, it is {dataset.views}')
        method.prepare(dataset.num_unlabelled, self.model.num_classes)

    def before_train(self, runner: Any) -> None:
        """All hooks have made their losses; a training that is not resumed starts its memories too."""
        self.model.check_eta_1()
        if runner.iter == 0:
            self.model.method.start(self.model)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Epochs done, with the fraction of this one."""
        self.model.method.epoch = runner.iter / len(runner.train_dataloader)
        runner.message_hub.update_scalar('train/eta_2', self.model.method.weight)

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict | None = None) -> None:
        """The student has taken its step."""
        self.model.method.after_step(self.model)

    def after_train_epoch(self, runner: Any) -> None:
        """Before the checkpoint of this epoch is written."""
        self.model.method.after_epoch()
