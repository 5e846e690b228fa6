"""Checks before a table is reproduced: everything that is missing, at once."""
import copy
import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from isda_seg import compat
from isda_seg.openmmlab.config_nodes import dicts, type_name
from isda_seg.paper.reproduce.catalogue import Table
from isda_seg.paper.reproduce.estimate import SOURCES, Source, checkpoint_bytes, data_root, kept_checkpoints, source_of
from isda_seg.paper.reproduce.memory import step_bytes
from isda_seg.paper.reproduce.plan import Plan
from isda_seg.paper.reproduce.trial import read_trial
from isda_seg.paper.series.processes import visible_gpus
from isda_seg.paper.series.training_runs import RESULTS
from isda_seg.run import SEGMENTATION, task_of

SAMPLES = 8       # files of each split that are read
TORCHVISION = 'torchvision://'
FULL = 0.95       # share of the GPU memory above which a run may fail later
EXTRA = 'pip install -c constraints.txt -e ".[seg]", or `make setup`'


class Finding(NamedTuple):
    """Result of a check."""
    missing: bool  # the runs would fail; otherwise a remark
    text: str
    remedy: str = ''

    def __str__(self) -> str:
        """Return a line, with the remedy on the next."""
        line = f'{"MISSING" if self.missing else "note   "} {self.text}'
        return f'{line}\n        {self.remedy}' if self.remedy else line


def check_packages(table: Table) -> list[Finding]:
    """Check the packages that a table needs in addition to MMEngine. Call this before the plan reads the configs."""
    found = [Finding(True, f'package {name}', EXTRA) for name in ('mmcv', 'scipy', 'matplotlib')
             if find_spec(name) is None]
    configs = [text for row in table.rows for text in (row.arm, row.backbone)]
    if any('/cityscapes/' in text or '/imagenet/' in text for text in configs) and find_spec('mmseg') is None:
        found.append(Finding(True, 'package mmseg (MMSegmentation)', EXTRA))
    if any('/coco/' in text for text in configs):
        try:
            compat.require_detection()
        except ImportError as error:
            found.append(Finding(True, str(error)))
    return found


def check_folders(table: Table, data: Path) -> list[Finding]:
    """Check that the data folders exist, without reading a config."""
    configs = ' '.join(text for row in table.rows for text in (row.arm, row.backbone))
    return [_absent(data / name, source) for name, source in SOURCES.items()
            if f'/{name}/' in configs and not (data / name).is_dir()]


def _absent(folder: str | Path, source: Source) -> Finding:
    return Finding(True, f'{source.title}: {folder} does not exist. Put the data there, or set ISDA_SEG_DATA to the '
                   'folder that holds it', source.where)


def check_plan(plan: Plan, gpus: Sequence[str] | None, cpu: bool = False) -> list[Finding]:
    """Check data, weights, disk space and GPUs of the runs that are not complete, without starting one.

    ``gpus`` are the names of the GPUs, None for all visible ones. With ``cpu``, runs may use CPU ranks if there is no
    GPU.
    """
    runs = [planned for planned in plan.runs if not (plan.folder / planned.run.name / RESULTS).is_file()]
    found, roots = list[Finding](), set[tuple[str, str]]()
    for planned in runs:
        cfg, root = planned.run.cfg, (data_root(planned.run.cfg), type_name(planned.run.cfg.train_dataloader.dataset))
        if root not in roots:
            roots.add(root)
            found += check_data(cfg)
    exported = {str(planned.exports) for planned in plan.runs}
    weights = {str(path): planned for planned in runs for path in pretrained(planned.run.cfg)}
    found += [finding for path in weights if path not in exported for finding in _check_weights(path)]
    found += _check_disk(plan)
    found += check_gpus(plan, gpus, cpu)
    return found


def check_data(cfg: Config) -> list[Finding]:
    """Check data of a config: existence and format of all files, number of images, and the content of a sample."""
    task, source = task_of(cfg), source_of(cfg)
    if source is not None and not Path(data_root(cfg)).is_dir():
        return [_absent(data_root(cfg), source)]
    found = []
    for split in ('train', 'val'):
        try:
            with redirect_stdout(io.StringIO()):  # of pycocotools
                task.check_data(copy.deepcopy(cfg), (split,))
                number = _read_sample(copy.deepcopy(cfg), split, task.name)
        except Exception as error:  # transforms of users raise anything
            found.append(Finding(True, f'{source.title if source else "data"}, {split}: {error}',
                                 source.where if source else ''))
            continue
        if source is not None and number != source.images[split]:
            found.append(Finding(False, f'{source.title}, {split}: {number:,} images, the published data has '
                                 f'{source.images[split]:,}', 'The numbers will not compare with the paper.'))
    return found


def _read_sample(cfg: Config, split: str, task: str) -> int:
    """Load some samples of a split through its pipeline, which validates labels; return the number of images."""
    if task == SEGMENTATION:
        import_module('isda_seg.segmentation.loading').check_loading(cfg)
    node = cfg[f'{split}_dataloader'].dataset
    with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmengine')):
        dataset: Any = DATASETS.build(node)
        whole = DATASETS.build(dict(_images_of(node), pipeline=[]))
        two_streams = hasattr(dataset, 'labelled_indices')
        for number in np.linspace(0, len(dataset) - 1, min(SAMPLES, len(dataset))).astype(int).tolist():
            dataset[(number, int(dataset.labelled_indices[0])) if two_streams else number]
    return len(whole)


def _images_of(node: Any) -> Any:
    """Return the dataset that has the files: the inner one of a semi-supervised dataset."""
    return node['dataset'] if 'dataset' in node else node


def pretrained(cfg: Config) -> Iterator[str]:
    """Yield the pretrained weights that a model loads."""
    for node in dicts(cfg.model):
        if node.get('pretrained'):
            yield str(node['pretrained'])
        init = node.get('init_cfg')
        if isinstance(init, dict) and init.get('type') == 'Pretrained':
            yield str(init['checkpoint'])


def _check_weights(path: str) -> list[Finding]:
    """Check that pretrained weights exist, as a file or in the cache of downloads."""
    if '://' not in path:
        return [] if Path(path).is_file() else [Finding(True, f'pretrained weights: {path} does not exist')]
    if path.startswith(TORCHVISION) and find_spec('torchvision') is None:
        return [Finding(True, f'package torchvision, for the pretrained weights {path}', 'Install the torchvision '
                        f'for torch {torch.__version__}')]
    url = _url(path)
    cache = Path(torch.hub.get_dir(), 'checkpoints', url.rsplit('/', 1)[-1])
    return [] if cache.is_file() else [Finding(
        False, f'pretrained weights {path} are not in the cache. The first run downloads them, if it is online',
        f'offline: put {url} at {cache}')]


def _url(path: str) -> str:
    """Return the URL of weights with an open-mmlab:// or torchvision:// address; other addresses are unchanged."""
    from mmengine.runner.checkpoint import get_external_models, get_torchvision_models
    scheme, _, name = path.partition('://')
    known = get_torchvision_models() if path.startswith(TORCHVISION) else get_external_models() if scheme in (
        'open-mmlab', 'openmmlab') else {}
    return str(known.get(name, path))


def disk_bytes(plan: Plan) -> int:
    """Return the space that the incomplete runs need for their checkpoints."""
    sizes: dict[str, int] = {}
    total = 0
    for planned in plan.runs:
        if not (plan.folder / planned.run.name / RESULTS).is_file():
            if planned.arm.folder not in sizes:
                sizes[planned.arm.folder] = checkpoint_bytes(planned.run.cfg)
            total += sizes[planned.arm.folder] * kept_checkpoints(planned.run.cfg)
    return total


def _check_disk(plan: Plan) -> list[Finding]:
    needed = disk_bytes(plan)
    folder = next(path for path in (plan.folder.absolute(), *plan.folder.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    if needed <= free:
        return []
    return [Finding(True, f'disk space: the checkpoints need {needed / 1e9:.0f} GB, {folder} has {free / 1e9:.0f} GB '
                    'free', 'Choose another --work-dir')]


def check_gpus(plan: Plan, gpus: Sequence[str] | None, cpu: bool = False) -> list[Finding]:
    """Check the number of GPUs; arguments as in ``check_plan``."""
    ranks, available = max(planned.ranks for planned in plan.runs), len(visible_gpus() if gpus is None else gpus)
    if not available and cpu:
        return [Finding(False, f'GPUs: none is visible, a run uses {ranks} CPU ranks')]
    if not available:
        return [Finding(True, f'GPUs: none is visible, a run needs {ranks}', 'Use a machine with GPUs, or Slurm: '
                        f'tools/reproduce.py {plan.name} --slurm')]
    if available < ranks:
        return [Finding(True, f'GPUs: {available} visible, a run needs {ranks}',
                        f'--gpus-per-run {available} keeps the batch of the config if the memory suffices')]
    return [] if not torch.cuda.is_available() else _check_memory(
        plan, torch.cuda.get_device_properties(0).total_memory)


def _check_memory(plan: Plan, available: int) -> list[Finding]:
    """Compare the memory that a step of each arm needs at least with that of a GPU."""
    arms = {planned.arm.label: planned for planned in plan.runs}
    needed = {label: step_bytes(planned.run.cfg) for label, planned in arms.items()}
    return [Finding(False, f'GPU memory: a step of {label} needs at least {bytes_ / 2 ** 30:.1f} GiB in float32, the '
                    f'GPU has {available / 2 ** 30:.1f} GiB', 'More GPUs per run have smaller batches: --gpus-per-run')
            for label, bytes_ in needed.items() if bytes_ > available]


def check_trials(plan: Plan) -> list[Finding]:
    """Check the memory that the trials used."""
    found = {}
    for planned in plan.runs:
        trial = read_trial(planned, plan.folder) or {}
        if trial.get('memory') and trial['memory'] > FULL * trial['device_memory']:
            found[planned.arm.label] = Finding(
                False, f'GPU memory: {planned.arm.label} used {trial["memory"] / 2 ** 30:.1f} of '
                f'{trial["device_memory"] / 2 ** 30:.1f} GiB in its trial',
                'A run may exceed it. Use more GPUs per run')
    return list(found.values())
