"""Save a checkpoint when a scheduler ends the run with a signal (Slurm, Kubernetes); exit with the signal's status."""
import bisect
import os
import re
import signal
import threading
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from mmengine.dist import barrier, is_main_process
from mmengine.hooks import CheckpointHook, EMAHook, Hook
from mmengine.registry import HOOKS
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import get_worker_info

from isda_seg.runtime.checkpoint import INTERRUPTED, AtomicCheckpointHook, file_pattern

SIGNALS = tuple(getattr(signal, name) for name in ('SIGTERM', 'SIGUSR1', 'SIGHUP', 'SIGUSR2', 'SIGXCPU')
                if hasattr(signal, name))
DUE = 'validation_due'  # key in a checkpoint's meta: the validation after its iteration was not completed
STATE = ('out_dir', 'file_client', 'file_backend', 'file_client_args', 'backend_args')  # of a checkpoint hook


class SignalReceiver:
    """Keep the first of ``SIGNALS`` that arrives; one that is ignored (``nohup``) or has a handler stays as it is."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.handlers: dict[int, Any] = {}  # to be restored

    def install(self) -> None:
        """Install the handlers; outside the main thread Python does not allow it."""
        self.received = None
        for number in SIGNALS if threading.current_thread() is threading.main_thread() else ():
            current = signal.getsignal(number)
            if current is signal.SIG_DFL or isinstance(getattr(current, '__self__', None), SignalReceiver):
                signal.signal(number, self._receive)
                self.handlers[number] = signal.SIG_DFL

    def _receive(self, number: int, frame: Any) -> None:
        self.received = self.received or number

    def restore(self) -> None:
        """Restore the previous handlers."""
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        self.handlers = {}


@HOOKS.register_module()
class SignalHook(SignalReceiver, Hook):
    """After one of ``SIGNALS``, finish the step, save ``interrupted_iter_<number>.pth`` and exit.

    The exit code is 128 + the number of the signal. ``--resume`` continues from the file, bitwise as from any
    checkpoint, and runs the validation that follows its step. Several ranks also finish the next step, after which all
    of them stop. A single process stops during a validation too, except with an EMAHook, which exchanges the weights
    meanwhile.
    """

    priority = 'LOWEST'  # after every other hook has finished the step

    def __init__(self) -> None:
        super().__init__()
        self.due, self.validated = False, -1    # validation to run at resume; iteration of the last one
        self.pending: tuple[Any, torch.Tensor] | None = None  # reduction over ranks that the next step reads

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Read at resume whether a validation is due."""
        self.due = bool(runner._resume and checkpoint['meta'].get(DUE))

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Note whether a validation follows, which may change a schedule, stop the run or save the best checkpoint."""
        checkpoint['meta'].setdefault(DUE, _validation_due(runner, checkpoint['meta']))

    def before_train(self, runner: Any) -> None:
        """Install the handlers, and run the validation that was due."""
        self.pending = None
        self.install()
        if runner.val_loop is not None:
            loader = runner.val_dataloader
            loader.worker_init_fn = partial(_start_worker, loader.worker_init_fn)
        if self.due and runner.val_loop is not None and self.validated != runner.iter:
            runner.val_loop.run()

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None,
                         outputs: dict[str, Any] | None = None) -> None:
        """Save and exit if a rank got a signal."""
        number = self._over_ranks() if runner.distributed else self.received
        if number:
            self._end(runner, number, dict(epoch=runner.epoch, iter=runner.iter + 1))

    def after_val_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save and exit during a validation of a single process; the checkpoint is that of the last step."""
        if self.received and not runner.distributed and not any(isinstance(hook, EMAHook) for hook in runner.hooks):
            self._end(runner, self.received, dict(epoch=runner.epoch, iter=runner.iter, **{DUE: True}))

    def after_val_epoch(self, runner: Any, metrics: dict[str, float] | None = None) -> None:
        """Remember that this iteration has been validated."""
        self.validated = runner.iter

    def after_train(self, runner: Any) -> None:
        """Restore the handlers, and delete the file of an interruption that a later checkpoint replaces."""
        if self.pending is not None:
            self.pending[0].wait()
        self.restore()
        regular = _regular_hook(runner)
        if regular is not None and regular.last_ckpt is not None:
            _delete_previous(runner, regular.out_dir, keep=None)

    def _over_ranks(self) -> int:
        """Return the signal that any rank had at the last step, without waiting for this step on a GPU."""
        last, cuda = self.pending, dist.get_backend() == 'nccl'
        flag = torch.full((), self.received or 0, dtype=torch.int64, device='cuda' if cuda else 'cpu')
        self.pending = dist.all_reduce(flag, dist.ReduceOp.MAX, async_op=True), flag
        if last is None:
            return 0
        side: Any = torch.cuda.stream(torch.cuda.Stream()) if cuda else nullcontext()  # type: ignore[no-untyped-call]
        with side:
            last[0].wait()
            return int(last[1])

    def _end(self, runner: Any, number: int, meta: dict[str, Any]) -> None:
        """Save a checkpoint with this meta and raise SystemExit."""
        saver = AtomicCheckpointHook(by_epoch=False, filename_tmpl=INTERRUPTED)
        regular = _regular_hook(runner)
        if regular is None:
            saver.before_train(runner)
        for name in STATE if regular is not None else ():
            setattr(saver, name, getattr(regular, name))
        saver._save_checkpoint_with_step(runner, meta['iter'], meta)
        _delete_previous(runner, saver.out_dir, keep=INTERRUPTED.format(meta['iter']))
        runner.logger.warning(f'received {signal.Signals(number).name}: saved {saver.last_ckpt} after iteration '
                              f'{meta["iter"]}. Continue with --resume')
        barrier()  # a launcher ends the other ranks when the first one exits
        raise SystemExit(128 + number)  # with the handlers in place: a further signal does not disturb the exit


def ignore_signals_in_worker() -> None:
    """Make a worker of a data loader survive the signals that a scheduler sends to all processes of a job.

    A SIGTERM from the main process still ends the worker, because that is how DataLoader stops its workers.
    """
    for number in SIGNALS:
        if number != signal.SIGTERM:
            signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, 'sigwaitinfo'):
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # threads that start later inherit the mask
        threading.Thread(target=_end_with_main_process, args=(os.getppid(),), daemon=True).start()


def _end_with_main_process(main: int) -> None:
    """Wait for a SIGTERM whose sender is the main process."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != main:
        pass
    os._exit(0)


def _start_worker(start: Any, worker_id: int) -> None:
    """Run the worker_init_fn ``start``, and ignore signals in the worker."""
    if start is not None:
        start(worker_id)
    if get_worker_info() is not None:
        ignore_signals_in_worker()


def _regular_hook(runner: Any) -> Any:
    return next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)


def validates(loop: Any, done: int, last: int) -> bool:
    """Return whether a training loop validates after iteration, or epoch, ``done`` of ``last``."""
    interval = loop.dynamic_intervals[bisect.bisect(loop.dynamic_milestones, done + 1) - 1]
    return done >= loop.val_begin and (done % interval == 0 or done == last)


def _validation_due(runner: Any, meta: dict[str, Any]) -> bool:
    """Return whether the loop validates after it has saved a checkpoint with this meta."""
    loop = runner.train_loop
    unit = 'epoch' if isinstance(loop, EpochBasedTrainLoop) else 'iter'
    done = getattr(runner, unit) + 1  # the loop counts a step after its checkpoint
    return runner.val_loop is not None and meta[unit] == done and validates(loop, done, getattr(loop, f'max_{unit}s'))


def _delete_previous(runner: Any, out_dir: str, keep: str | None) -> None:
    """Delete the file of an interruption from which this run was resumed."""
    path = Path(str(runner._load_from or ''))
    named = re.fullmatch(file_pattern(INTERRUPTED), path.name)
    own = named and os.path.realpath(path.parent) == os.path.realpath(out_dir)
    if runner._resume and own and path.name != keep and is_main_process():
        path.unlink(missing_ok=True)
