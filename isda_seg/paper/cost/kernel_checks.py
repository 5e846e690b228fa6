"""Check the GPU kernels without a GPU: compile them for GPUs that are not present, count launches, measure CPU time."""
import copy
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from triton.backends.compiler import GPUTarget
from triton.runtime import driver

from isda_seg.attach import attach
from isda_seg.attachment.focal import SoftmaxFocalLoss
from isda_seg.attachment.kernel_step import KernelStep
from isda_seg.core import kernels
from isda_seg.core.kernels.launch import Kernel
from isda_seg.core.ops import device
from isda_seg.criterion import ISDACriterion

NO_LAUNCH = {'empty', 'new_empty', 'empty_like', 'empty_strided', 'view', '_unsafe_view', 'detach', 'alias', 'expand',
             't', 'transpose', 'permute', 'slice', 'select', 'unsqueeze', 'squeeze', 'split', 'unbind', 'as_strided'}


class Workload(NamedTuple):
    """Shapes of one training call of a head, and options of its loss."""
    images: int
    channels: int
    classes: int
    small: int  # side of the features, 0 for samples
    large: int  # side of the labels
    options: dict[str, Any] = {}


class Unknown(nn.Module):
    """A base loss that the kernels do not know."""

    softmax = True

    def forward(self, logits: Tensor, labels: Tensor, ignore_index: int = -100) -> Tensor:
        """Return a number that depends on all logits; the labels have no values here."""
        return logits.mean()


WORKLOADS = {
    'Cityscapes': Workload(2, 512, 19, 97, 769), 'ADE20K': Workload(4, 512, 150, 64, 512),
    'ImageNet': Workload(64, 2048, 1000, 0, 0), 'CIFAR full': Workload(128, 64, 100, 0, 0, dict(covariance='full')),
    'few channels': Workload(2, 32, 19, 97, 769),
    'class weights': Workload(2, 512, 19, 97, 769, dict(base=nn.CrossEntropyLoss(torch.ones(19), ignore_index=255))),
    'focal': Workload(2, 512, 19, 97, 769, dict(base=SoftmaxFocalLoss())),
    'weighted focal': Workload(2, 512, 19, 97, 769, dict(base=SoftmaxFocalLoss(class_weight=[1.0] * 19))),
    'other base loss': Workload(2, 512, 19, 97, 769, dict(base=Unknown()))}
TIMED = Workload(1, 16, 5, 2, 4)  # so small that the CPU computes next to nothing


class NoDevice:
    """Stub driver that reports ``target``, so that Triton compiles for it; launches do nothing."""

    def __init__(self, target: Any) -> None:
        self.target, self.utils = target, self
        self.get_current_target = lambda: target
        self.get_current_device = lambda: hash(target)  # Triton keeps what it has compiled by device
        self.get_current_stream = lambda device: 0
        self.get_device_properties = lambda device: dict(max_shared_mem=1 << 20)
        self.load_binary = lambda *_: (object(), object(), 0, 0, 1024)
        self.unload_module = lambda module: None
        self.launcher_cls = lambda *_: lambda *args: None


def target_of(name: str) -> Any:
    """Return the target of a name such as sm_90 or gfx942."""
    return GPUTarget('cuda', int(name[3:]), 32) if name.startswith('sm_') else GPUTarget('hip', name, 64)


@contextmanager
def compiled_for(target: Any) -> Iterator[dict[Any, Any]]:
    """Compile the kernels that are called inside for ``target``; yield a dictionary with what was compiled."""
    Kernel.kept.clear()
    driver.set_active(NoDevice(target))
    try:
        yield Kernel.kept
    finally:
        Kernel.kept.clear()


@contextmanager
def cpu_as_gpu(with_kernels: bool) -> Iterator[None]:
    """Take the code path of a GPU for tensors of a CPU, with or without kernels. The first comparisons are left out."""
    before = device.CPU_TYPES, kernels.DEVICES, KernelStep._compare, kernels._works
    device.CPU_TYPES, kernels.DEVICES = (), {'cpu', 'meta'} if with_kernels else set()
    KernelStep._compare = lambda *_: None  # type: ignore[method-assign]
    kernels._works = lambda *_: True  # type: ignore[assignment]
    try:
        yield
    finally:
        device.CPU_TYPES, kernels.DEVICES, KernelStep._compare, kernels._works = before  # type: ignore


def training_call(workload: Workload, where: str, dtype: torch.dtype = torch.float32,
                  channels_last: bool = False) -> Callable[[], None]:
    """Return a function that computes loss and gradients of a head; only shapes matter, the values are arbitrary."""
    form = torch.channels_last if channels_last else torch.contiguous_format
    images, side = workload.images, workload.large
    head: nn.Module = nn.Conv2d(workload.channels, workload.classes, 1, device=where) if side else \
        nn.Linear(workload.channels, workload.classes, device=where)
    criterion = ISDACriterion(ignore_index=255, **copy.deepcopy(workload.options)).to(where)
    criterion.strength = 1.0
    attach(criterion, head, align_corners=True)
    criterion._verification.verified = True  # the first step compares a whole image
    small, large = ((workload.small, ) * 2, (side, ) * 2) if side else ((), ())
    features = torch.empty(images, workload.channels, *small, dtype=dtype, device=where)
    logits = torch.empty(images, workload.classes, *large, dtype=dtype, device=where)
    if side:
        features, logits = features.to(memory_format=form), logits.to(memory_format=form)
    labels = torch.zeros(images, *large, dtype=torch.int64, device=where)
    logits.requires_grad_()

    def call() -> None:
        criterion.capture(head, (features,))
        criterion(logits, labels).backward()
        logits.grad = None
        head.zero_grad()

    return call


class Counter(TorchDispatchMode):
    """Counts the operators that launch a kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Note the operator, and call it."""
        if (name := function.overloadpacket.__name__) not in NO_LAUNCH:
            self.names.append(name)
        return function(*args, **(kwargs or {}))


def launches(workload: Workload, with_kernels: bool) -> int:
    """Return the launches of one training call, counted on tensors without values."""
    with cpu_as_gpu(with_kernels):
        call = training_call(workload, 'meta')
        call()
        with Counter() as counter:
            call()
    return len(counter.names)


def resources(compiled: Any) -> dict[str, int | None]:
    """Return registers per thread, spilled bytes and float atomics of a compiled kernel; None where unknown."""
    if 'amdgcn' in compiled.asm:
        code = compiled.asm['amdgcn']
        number = {key: re.search(rf'\.{key}:?\s+(\d+)', code) for key in ('vgpr_count', 'private_segment_fixed_size')}
        registers, spilled = (None if found is None else int(found[1]) for found in number.values())
        return dict(registers=registers, spilled=spilled, float_atomics=len(re.findall(r'atomic_\w*add_f', code)))
    atomics = len(re.findall(r'(?:atom|red)\.\S*add\S*\.f\d', compiled.asm['ptx']))
    return dict(**_usage(compiled.asm['cubin']), float_atomics=atomics)


def _usage(cubin: bytes) -> dict[str, int | None]:
    tool = Path(triton.__file__).parent / 'backends/nvidia/bin/cuobjdump'
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, 'kernel.cubin')
        file.write_bytes(cubin)
        text = subprocess.run([tool, '-res-usage', file], capture_output=True, text=True, check=False)
    found = re.findall(r'REG:(\d+) STACK:(\d+)', text.stdout + text.stderr)
    return dict(registers=int(found[-1][0]), spilled=int(found[-1][1])) if found else dict(registers=None, spilled=None)


def compile_all(target: str) -> list[dict[str, Any]]:
    """Compile the kernels of all workloads, dtypes and layouts for one target."""
    rows = []
    for name, workload in WORKLOADS.items():
        for dtype, last in ((torch.float32, False), (torch.bfloat16, False), (torch.bfloat16, True)):
            if last and not workload.large:
                continue
            with cpu_as_gpu(True), compiled_for(target_of(target)) as kept:
                training_call(workload, 'cpu', dtype, last)()
                rows += [dict(target=target, workload=name, dtype=str(dtype)[6:], channels_last=last,
                              kernel=compiled.name, **resources(compiled)) for compiled in kept.values()]
    return rows


def host_times(rounds: int) -> dict[str, float]:
    """Return the median CPU time in seconds of a training call with kernels, and with operators."""
    samples: dict[str, list[float]] = {'kernels': [], 'operators': []}
    with compiled_for(target_of('sm_90')):
        for _ in range(rounds):
            for name, times in samples.items():
                with cpu_as_gpu(name == 'kernels'):
                    call = training_call(TIMED, 'cpu')
                    for _ in range(10):
                        call()
                    for _ in range(30):  # fewer than CHECK_EVERY: a check reads values
                        start = time.perf_counter()
                        call()
                        times.append(time.perf_counter() - start)
    return {name: median(times) for name, times in samples.items()}
