"""Plan of a table: its runs with complete configs, in order, as jobs of one runner."""
import ast
import functools
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from isda_seg import compat
from isda_seg.paper.reproduce.catalogue import Table
from isda_seg.paper.series.arm import Arm, parse_arm
from isda_seg.paper.series.jobs import Call, Job
from isda_seg.paper.series.run_options import with_options
from isda_seg.paper.series.training_runs import Evaluation, Run, make_test, training_job, write_config
from isda_seg.runtime.checkpoint import latest_checkpoint

LAUNCH = re.compile(r'^Run: +tools/dist_train\.sh \S+ (\d+)', re.MULTILINE)
INIT = 'model.backbone.init_cfg.checkpoint'  # of a detector
TENSORBOARD = ['--cfg-options', 'vis_backends.0.type=TensorboardVisBackend']  # not part of a run's config


class Planned(NamedTuple):
    """A training run of a table."""
    run: Run
    arm: Arm
    seed: int
    ranks: int           # GPUs of the run
    test: Evaluation
    exports: Path | None = None  # the backbone that is exported after the run
    needs: str = ''      # run whose exported backbone it needs


class Plan(NamedTuple):
    """All runs of a table, each after the run that it needs; those of one seed follow each other."""
    name: str
    table: Table
    seeds: tuple[int, ...]
    folder: Path
    options: Mapping[str, Any]
    runs: tuple[Planned, ...]


def make_plan(name: str, table: Table, folder: Path, root: Path, seeds: Sequence[int] | None = None,
              options: Mapping[str, Any] | None = None, ranks: int | None = None) -> Plan:
    """Plan the runs of a table.

    Backbones are trained with the first seed. The batch size of a config is per GPU. If ``ranks`` is not the number of
    GPUs for which the config is written, the batch size changes so that the total over all GPUs stays the same.

    Args:
        name: name of the table.
        table: rows, seeds and protocols.
        folder: folder of all runs, which tables share.
        root: folder that contains configs/.
        seeds: seeds of the runs; default those of the table.
        options: options as in --cfg-options, for every run but those of the backbones.
        ranks: GPUs per run; None for the number in the command of the config.

    Raises:
        ValueError: an unknown option, or a batch that does not divide into ``ranks``.
        ImportError: a config needs MMDetection, which is not installed.
    """
    seeds, test = tuple(table.seeds if seeds is None else seeds), make_test(table.protocols)
    arms = {row.arm: row.backbone for row in table.rows}
    backbones = [parse_arm(config) for config in dict.fromkeys(filter(None, arms.values()))]
    exported = {arm.config: Path(folder, arm.folder, f'seed_{seeds[0]}_backbone.pth') for arm in backbones}
    runs = [_planned(arm, seeds[0], root, {}, ranks, make_test(['single']))._replace(exports=exported[arm.config])
            for arm in backbones]
    for seed in seeds:
        for text, backbone in arms.items():
            own = {**(options or {}), **({INIT: str(exported[backbone])} if backbone else {})}
            needs = run_name(parse_arm(backbone), seeds[0]) if backbone else ''
            runs.append(_planned(parse_arm(text), seed, root, own, ranks, test)._replace(needs=needs))
    return Plan(name, table, seeds, folder, dict(options or {}), tuple(runs))


def run_name(arm: Arm, seed: int) -> str:
    """Return the name of a run, its folder below that of the plan."""
    return f'{arm.folder}/seed_{seed}'


def _planned(arm: Arm, seed: int, root: Path, options: Mapping[str, Any], ranks: int | None,
             test: Evaluation) -> Planned:
    cfg = with_options(read(str(root / arm.config)), seed, {**options, **arm.settings})
    meant = meant_gpus((root / arm.config).read_text(encoding='utf-8'))
    per_gpu = int(cfg.train_dataloader.batch_size)
    batch = per_gpu if 'train_dataloader.batch_size' in options else per_gpu * meant
    ranks = ranks or meant
    if batch % ranks:
        raise ValueError(f'{arm.config} has batches of {batch} samples, which do not divide into {ranks} GPUs. Choose '
                         'another --gpus-per-run')
    cfg.train_dataloader.batch_size = batch // ranks
    return Planned(Run(run_name(arm, seed), cfg), arm, seed, ranks, test)


read = functools.cache(compat.read_config)


def meant_gpus(text: str) -> int:
    """Return the number of GPUs in the command of a config's docstring; 1 without a launcher."""
    found = LAUNCH.search(ast.get_docstring(ast.parse(text)) or '')
    return int(found[1]) if found else 1


def jobs_of(plan: Plan, tools: Path) -> list[Job]:
    """Return the jobs of the plan, each after those that it needs."""
    jobs: dict[str, Job] = {}
    exported: dict[str, Job] = {}
    for planned in plan.runs:
        after = (exported[planned.needs],) if planned.needs else ()
        board = TENSORBOARD if find_spec('tensorboard') and planned.run.cfg.get('vis_backends') else []
        job = training_job(planned.run, plan.folder, tools, planned.test, after, board)
        jobs[job.name] = job
        if planned.exports is not None:
            export = _export_job(planned, planned.exports, job, tools)
            exported[job.name] = jobs[export.name] = export
    return list(jobs.values())


def write_configs(plan: Plan, jobs: Sequence[Job]) -> None:
    """Write the configs of incomplete runs; raise ValueError if a folder holds a run with other settings."""
    names = {job.name for job in jobs if not job.done()}
    for planned in plan.runs:
        if planned.run.name in names:
            write_config(planned.run, plan.folder / planned.run.name)


def _export_job(planned: Planned, out: Path, trained: Job, tools: Path) -> Job:
    def execute(call: Call) -> str:
        checkpoint = latest_checkpoint(str(trained.folder), planned.run.cfg.get('default_hooks', {}).get('checkpoint'))
        call([str(tools / 'export_backbone.py'), str(checkpoint), '--to', 'mmdet', '--out', str(out)], False)
        return ''
    return Job(f'{trained.name}_backbone', out.with_suffix(''), execute, out.is_file, (trained,))
