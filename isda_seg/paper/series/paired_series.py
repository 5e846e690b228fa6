"""Paired series: the runs of its arms, their results by arm and seed, and the figures of its result file."""
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from isda_seg import compat
from isda_seg.paper.series.arm import Arm
from isda_seg.paper.series.band_figure import draw_bands
from isda_seg.paper.series.paired import compare_arms
from isda_seg.paper.series.paired_figure import draw_paired
from isda_seg.paper.series.result_files import at_tau
from isda_seg.paper.series.run_options import with_options
from isda_seg.paper.series.tau_figure import draw_over_tau
from isda_seg.paper.series.training_runs import Run


def paired_runs(arms: Sequence[Arm], seeds: Sequence[int], options: Mapping[str, Any]) -> list[Run]:
    """Create one run per seed and training; arms that differ only at test time share a training.

    The runs are ordered by seed, so that an interrupted series contains complete pairs.
    """
    trained = {arm.folder: arm for arm in arms}.values()
    return [Run(f'{arm.folder}/seed_{seed}', with_options(compat.read_config(arm.config), seed,
                                                          {**options, **arm.settings}))
            for seed in seeds for arm in trained]


def compared(arms: Sequence[Arm], results: Mapping[str, dict[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """Return the comparisons of the arms with the first one, and the results by arm and seed.

    The results are given by the name of the run.
    """
    found = {arm.label: {str(seed): at_tau(results[f'{arm.folder}/seed_{seed}'], arm.tau) for seed in seeds}
             for arm in arms}
    baseline, *others = found
    return dict(comparisons={label: compare_arms(found[baseline], found[label]) for label in others}, runs=found)


def draw_series(paired: dict[str, Any], out: Path) -> list[Path]:
    """Draw the figures of a result file next to ``out`` and return their paths."""
    draw_paired(paired, out.with_suffix('.png'))
    more = {out.with_name(f'{out.stem}_{name}.png'): draw
            for name, draw in (('curves', draw_bands), ('tau', draw_over_tau))}
    return [out.with_suffix('.png'), *(path for path, draw in more.items() if draw(paired, path))]
