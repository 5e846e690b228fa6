"""Result file, figure and text tables of test-time logit adjustment for one or two models."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.dist import is_main_process

from isda_seg.paper.figures import save_figure
from isda_seg.paper.prior import MEASURES, REMEDY, check_same_data, evaluate_taus, plan, tau_grid
from isda_seg.paper.trained_models import TrainedModel
from isda_seg.runtime.provenance import provenance, write_json


def analyse_prior(models: Sequence[TrainedModel], cfgs: Sequence[Config], split: str, taus: Sequence[float],
                  held_out: float, out: Path) -> None:
    """Evaluate models on the same images, write the result file with a figure next to it, and print the summary.

    Of several ``taus``, one is selected on ``held_out``, a share of the training images from the end; a single positive
    one is used as given.
    """
    taus = tau_grid(taus)
    share = held_out if len(taus) > 2 else None
    plans = [plan(model.name, cfg, model.config, model.checkpoint, split, share)
             for model, cfg in zip(models, cfgs, strict=True)]
    check_same_data(plans)
    found = [evaluate_taus(each, taus) for each in plans]
    if is_main_process():
        write_json(out, dict(kind='prior', split=split, taus=taus, held_out=share, models=found, **provenance()))
        draw_prior(found, split, out.with_suffix('.png'))
        print(summary(found, split))
        print(f'wrote {out}, {out.with_suffix(".png")}')


def draw_prior(models: Sequence[dict[str, Any]], split: str, out: Path) -> None:
    """Draw the measures over tau, one line per model; a ring marks the tau selected on held-out training images."""
    figure = Figure(figsize=(11, 3.8 + 0.2 * len(models)), layout='constrained')
    axes = figure.subplots(1, len(MEASURES))
    for axis, (key, measure) in zip(axes, MEASURES.items(), strict=True):
        for index, model in enumerate(models):
            taus, values = zip(*((float(tau), found[key]) for tau, found in model['curve'].items()), strict=True)
            axis.plot(taus, values, marker='.', color=f'C{index}', label=model['name'])
            if model['chosen_on']:
                axis.plot(model['tau'], values[taus.index(model['tau'])], 'o', markersize=11, fillstyle='none',
                          color=f'C{index}', label=f'tau = {model["tau"]:g}, selected on held-out training images')
        axis.set(xlabel='tau, factor of the subtracted log prior', ylabel=f'{measure} (%)')
        axis.grid(alpha=0.3)
    figure.suptitle(f'logits - tau * log prior, {split} split, {models[0]["images"]} images', fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc='outside lower center', ncols=len(models))
    save_figure(figure, out)


def summary(models: Sequence[dict[str, Any]], split: str) -> str:
    """Return tau and measures of each model, and the class table."""
    letters = 'AB' if len(models) > 1 else ' '
    lines = [line for letter, model in zip(letters, models, strict=True) for line in _lines(letter.strip(), model)]
    return '\n'.join([f'{split} split, {models[0]["images"]} images, in per cent', *lines, '', class_table(models)])


def _lines(letter: str, model: dict[str, Any]) -> list[str]:
    lines, chosen = [f'{letter}: {model["name"]}' if letter else model['name']], model['chosen_on']
    if chosen:
        lines.append(f'  tau {model["tau"]:g} has the highest mIoU on {chosen["images"]} held-out training images')
        if chosen['drawn']:
            lines.append('  warning: the measures below include images used to select tau; pass a config with separate '
                         'test images')
    elif model['note']:
        lines += [f'  tau is not selected: {model["note"]}', f'  {REMEDY}']
    for tau in _shown(model):
        measures = ', '.join(f'{measure} {model["curve"][tau][key]:.1f}' for key, measure in MEASURES.items())
        lines.append(f'  tau {tau}: {measures}')
    return lines


def _shown(model: dict[str, Any]) -> list[str]:
    """Return 0 and the selected or given tau."""
    return list(dict.fromkeys(['0', f'{model["tau"] or 0:g}']))


def class_table(models: Sequence[dict[str, Any]]) -> str:
    """Return a table of average precision, its difference between two models, and IoU at the shown tau, by class."""
    marks = [' A', ' B'] if len(models) > 1 else ['']
    columns = {f'AP{mark}': [*model['AP'].values(), model['mean_AP']]
               for mark, model in zip(marks, models, strict=True)}
    if len(models) > 1:
        columns['AP B - A'] = [None if a is None or b is None else b - a
                               for a, b in zip(*columns.values(), strict=True)]
    for mark, model in zip(marks, models, strict=True):
        for tau in _shown(model):
            found = model['curve'][tau]
            columns[f'IoU{mark}, tau {tau}'] = [*found['IoU'].values(), found['mIoU']]
    table = [['class', *models[0]['AP'], 'mean']]
    for heading, values in columns.items():
        sign = '+' if heading == 'AP B - A' else ''
        table.append([heading, *('-' if value is None else f'{value:{sign}.1f}' for value in values)])
    widths = [max(map(len, column)) for column in table]
    return '\n'.join('  '.join([name.ljust(widths[0]), *map(str.rjust, cells, widths[1:])])
                     for name, *cells in zip(*table, strict=True))
