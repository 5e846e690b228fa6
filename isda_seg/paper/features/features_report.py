"""Report of the feature analysis: result file, figures and text."""
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from isda_seg.paper.features.classifier_inputs import open_checkpoint
from isda_seg.paper.features.confusions import frequent_confusions, largest_entries, rank_correlation
from isda_seg.paper.features.features import Features, analyse, check_same_data
from isda_seg.paper.features.figures import draw_embedding, draw_spectra, draw_tables
from isda_seg.paper.features.spectrum import effective_rank, spectrum
from isda_seg.paper.trained_models import TrainedModel
from isda_seg.runtime.provenance import provenance, write_json
from isda_seg.runtime.run_record import RUNS

RECORDED = 10  # class pairs in the result file
SHOWN = 5      # class pairs in the printed summary


def analyse_features(models: Sequence[TrainedModel], cfgs: Sequence[Config], split: str, head: str | None,
                     per_class: int, perplexity: float, seed: int, out: Path) -> None:
    """Analyse models on the same data, write the result file with figures next to it, and print the summary.

    ``cfgs`` are the configs of the models; the other arguments are those of ``analyse``.
    """
    options = dict(split=split, head=head, per_class=per_class, perplexity=perplexity)
    opened = [open_checkpoint(cfg, model.checkpoint) for cfg, model in zip(cfgs, models, strict=True)]
    found = [analyse(model.name, each, split, head, per_class, perplexity, seed)
             for model, each in zip(models, opened, strict=True)]
    check_same_data(found)
    entries = [dict(entry(analysis, each.meta), config=os.path.relpath(model.config),
                    checkpoint=os.path.relpath(model.checkpoint))
               for analysis, each, model in zip(found, opened, models, strict=True)]
    write_json(out, dict(kind='features', models=entries, **options, **provenance(seed)))
    title = (f't-SNE of the deep features\n{split} data, at most {per_class} samples of each class, '
             f'perplexity {perplexity:g}')
    figures = draw_all(found, title, out.parent)
    print(summary(entries))
    print(f'wrote {", ".join(map(str, [out, *figures]))}')


def entry(model: Features, meta: dict[str, Any]) -> dict[str, Any]:
    """Return the entry of a model in the result file.

    It contains the measures, the ranks, table and class pairs per covariance source, and the training provenance.
    """
    classes, counts = model.classes, model.split.confusion
    samples = dict.fromkeys(classes, 0)
    for label in model.split.sample.labels:
        samples[classes[label]] += 1
    spreads = []
    for source, covariance, table in model.covariances:
        ranks = effective_rank(spectrum(covariance)).tolist()
        names = classes if len(ranks) == len(classes) else ['all classes']
        spreads.append(dict(source=source, effective_rank=dict(zip(names, ranks, strict=True)),
                            largest=largest_entries(table, classes, RECORDED),
                            frequent_confusions=frequent_confusions(counts, table, classes, RECORDED),
                            rank_correlation_with_confusions=rank_correlation(counts, table),
                            table=[[round(value, 6) for value in row] for row in table.tolist()]))
    return dict(name=model.name, images=model.split.images, samples=samples, separation=model.separation._asdict(),
                confusion=counts.tolist(), spreads=spreads, training=meta.get(RUNS, []))


def draw_all(models: Sequence[Features], title: str, out: Path) -> list[Path]:
    """Draw the three figures into a folder and return their paths; ``title`` is the title of the t-SNE figure."""
    paths = [out / f'{name}.png' for name in ('embedding', 'spectrum', 'table')]
    draw_embedding(models, title, paths[0])
    draw_spectra(models, paths[1])
    draw_tables(models, RECORDED, paths[2])
    return paths


def summary(entries: Sequence[dict[str, Any]]) -> str:
    """Return a text summary of each model."""
    return '\n'.join(line for found in entries for line in _lines(found))


def _lines(found: dict[str, Any]) -> list[str]:
    measures, samples = found['separation'], found['samples']
    lines = [found['name'], f'  {sum(samples.values())} samples of {found["images"]} images: silhouette '
             f'{measures["silhouette"]:.3f}, within / between {measures["variance_ratio"]:.2f}, 1-NN error '
             f'{measures["nearest_error"]:.1f} %']
    if absent := [name for name, count in samples.items() if not count]:
        lines.append(f'  warning: no sample of {", ".join(absent)}; excluded from the t-SNE and its measures')
    pairs = len(samples) * (len(samples) - 1)
    for spread in found['spreads']:
        confusions, correlation = spread['frequent_confusions'], spread['rank_correlation_with_confusions']
        ranks = ', '.join(f'{name} {rank:.1f}' for name, rank in spread['effective_rank'].items() if rank)
        lines += [f'  {spread["source"]}:',
                  f'    effective rank: {ranks}',
                  '    largest entries of the margin table (true class - other class): '
                  f'{", ".join(map(_pair, spread["largest"][:SHOWN]))}',
                  f'    largest entries among the {len(confusions)} most frequent confusions (rank among {pairs} '
                  f'pairs): {", ".join(map(_confusion, confusions[:SHOWN])) or "no confusions"}']
        if correlation is not None:
            lines.append(f'    rank correlation of the margin table with the confusion rates: {correlation:.2f}')
    return lines


def _pair(pair: dict[str, Any]) -> str:
    return f'{pair["true"]} - {pair["other"]} {pair["table"]:.3g}'


def _confusion(pair: dict[str, Any]) -> str:
    return (f'{pair["true"]} predicted as {pair["other"]} ({pair["share"]:.0f} % of {pair["true"]}, '
            f'{pair["table"]:.3g}, rank {pair["rank"]})')
