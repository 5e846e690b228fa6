"""Training step of a segmentation model, of an ISDA config and its baseline."""
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import HOOKS

from isda_seg import compat
from isda_seg.paper.cost.compare import extra_cost, measure
from isda_seg.paper.cost.meter import Meter
from isda_seg.paper.cost.workload import FLOAT, IGNORED, make_labels


def compare_steps(config: Path, size: int, images: int, meter: Meter, rounds: int) -> dict[str, Any]:
    """Measure a training step of an ISDA config and of its baseline, without pretrained weights.

    The baseline has the name of ``config`` without ``_isda``. ``size`` is the height and width of the crops.
    """
    configs = {'plain': config.with_name(config.name.replace('_isda', '')), 'isda': config}
    steps, classes = {}, 0
    for name, path in configs.items():
        steps[name], classes = training_step(path, size, images, meter.device)
    measured = measure(steps, meter, rounds)
    logits_bytes = FLOAT * classes * images * size * size
    extra = extra_cost(measured['isda'], measured['plain'])
    return dict(config=f'{config.parent.name}/{config.name}', size=size, images=images, measured=measured, extra=extra,
                logits_bytes=logits_bytes, of_logits=extra['bytes'] / logits_bytes)


def training_step(path: Path, size: int, images: int, device: torch.device,
                  seed: int = 0) -> tuple[Callable[[], dict[str, torch.Tensor]], int]:
    """Build a complete training step on one batch; return it with the number of classes."""
    compat.prepare()
    from mmengine.optim import build_optim_wrapper
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS
    cfg = Config.fromfile(path)
    init_default_scope(cfg.default_scope)
    torch.backends.cudnn.benchmark = cfg.env_cfg.cudnn_benchmark
    cfg.model.pretrained = None
    cfg.model.data_preprocessor.size = (size, size)
    torch.manual_seed(seed)
    model = MODELS.build(cfg.model).to(device).train()
    if 'isda' in cfg.default_hooks:
        hook = HOOKS.build(cfg.default_hooks.isda)
        hook.before_run(SimpleNamespace(model=model, cfg=cfg, logger=logging.getLogger(__name__)))
        for pair in hook.pairs:
            pair.loss.strength = pair.loss.lambda_0
    optimizer = build_optim_wrapper(model, cfg.optim_wrapper)
    head = model.decode_head
    batch = make_batch(head.num_classes, head.ignore_index, size, images, seed)
    return lambda: model.train_step(batch, optimizer), head.num_classes


def make_batch(classes: int, ignore_index: int, size: int, images: int, seed: int) -> dict[str, list[Any]]:
    """Create random images and block-shaped labels in the format of MMSegmentation's dataloaders."""
    from mmengine.structures import PixelData
    from mmseg.structures import SegDataSample
    generator = torch.Generator().manual_seed(seed)
    labels = make_labels((images, size, size), classes, generator)
    labels[labels == IGNORED] = ignore_index
    samples = [SegDataSample(gt_sem_seg=PixelData(data=label[None])) for label in labels]
    pixels = torch.randint(256, (images, 3, size, size), generator=generator, dtype=torch.uint8)
    return dict(inputs=list(pixels), data_samples=samples)
