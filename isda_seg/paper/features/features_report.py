"""Report of the feature analysis: result file, figures and text."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isda_seg.paper.features.confusions import agreement, frequent, largest
from isda_seg.paper.features.embedding_figure import draw_embedding
from isda_seg.paper.features.features import Features
from isda_seg.paper.features.spectrum import effective_rank, spectrum
from isda_seg.paper.features.spectrum_figure import draw_spectra
from isda_seg.paper.features.table_figure import draw_tables
from isda_seg.runtime.run_record import RUNS

MOST = 10   # class pairs in the result file
SHOWN = 5   # class pairs in the printed summary


def entry(one: Features, meta: dict[str, Any]) -> dict[str, Any]:
    """Return the report entry of a model.

    It contains the measures, the ranks, table and class pairs per covariance source, and the training provenance.

    Args:
        one: result of ``look``.
        meta: meta of the checkpoint.
    """
    counts = dict.fromkeys(one.classes, 0)
    for label in one.seen.sample.labels:
        counts[one.classes[label]] += 1
    spreads = []
    for spread in one.spreads:
        ranks = effective_rank(spectrum(spread.covariance)).tolist()
        names = one.classes if len(ranks) == len(one.classes) else ['all classes']
        spreads.append(dict(source=spread.source, effective_rank=dict(zip(names, ranks, strict=True)),
                            largest=largest(spread.table, one.classes, MOST),
                            frequent_confusions=frequent(one.seen.confusion, spread.table, one.classes, MOST),
                            rank_correlation_with_confusions=agreement(one.seen.confusion, spread.table),
                            table=[[round(value, 6) for value in row] for row in spread.table.tolist()]))
    return dict(name=one.name, images=one.seen.images, samples=counts, separation=one.separation._asdict(),
                confusion=one.seen.confusion.tolist(), spreads=spreads, training=meta.get(RUNS, []))


def draw_all(found: Sequence[Features], title: str, out: Path) -> list[Path]:
    """Draw the three figures into a folder and return their paths; ``title`` is the title of the t-SNE figure."""
    paths = [out / f'{name}.png' for name in ('embedding', 'spectrum', 'table')]
    draw_embedding(found, title, paths[0])
    draw_spectra(found, paths[1])
    draw_tables(found, MOST, paths[2])
    return paths


def summary(entries: Sequence[dict[str, Any]]) -> str:
    """Return a text summary of each model."""
    return '\n'.join(line for found in entries for line in _lines(found))


def _lines(found: dict[str, Any]) -> list[str]:
    apart = found['separation']
    lines = [found['name'], f'  {sum(found["samples"].values())} samples of {found["images"]} images: silhouette '
             f'{apart["silhouette"]:.3f}, within / between {apart["variance_ratio"]:.2f}, 1-NN error '
             f'{apart["nearest_error"]:.1f} %']
    absent = [name for name, count in found['samples'].items() if not count]
    if absent:
        lines.append(f'  warning: no sample of {", ".join(absent)}; excluded from the t-SNE and its measures')
    pairs = len(found['samples']) * (len(found['samples']) - 1)
    for spread in found['spreads']:
        ranks, confusions = spread['effective_rank'], spread['frequent_confusions']
        agreed = spread['rank_correlation_with_confusions']
        lines += [f'  {spread["source"]}:',
                  f'    effective rank: {", ".join(f"{name} {rank:.1f}" for name, rank in ranks.items() if rank)}',
                  '    largest entries of the margin table (true class - other class): '
                  f'{", ".join(map(_pair, spread["largest"][:SHOWN]))}',
                  f'    largest entries among the {len(confusions)} most frequent confusions (rank among {pairs} '
                  f'pairs): {", ".join(map(_confusion, confusions[:SHOWN])) or "no confusions"}']
        if agreed is not None:
            lines.append(f'    rank correlation of the margin table with the confusion rates: {agreed:.2f}')
    return lines


def _pair(pair: dict[str, Any]) -> str:
    return f'{pair["true"]} - {pair["other"]} {pair["table"]:.3g}'


def _confusion(pair: dict[str, Any]) -> str:
    return (f'{pair["true"]} predicted as {pair["other"]} ({pair["share"]:.0f} % of {pair["true"]}, '
            f'{pair["table"]:.3g}, rank {pair["rank"]})')
