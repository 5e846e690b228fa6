"""Output files: a figure per class and a JSON file with the neighbours, their shares and the provenance."""
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from isda_seg.metrics.class_names import unique_names
from isda_seg.paper.visualisation.class_directions import SearchResult
from isda_seg.paper.visualisation.neighbours_figure import draw_class
from isda_seg.paper.visualisation.shares import Row, shares
from isda_seg.runtime.provenance import provenance, write_json

COLOURS = 128  # a third of the file size of full colour


class Source(NamedTuple):
    """Model and split of the visualisation."""
    config: str      # path
    checkpoint: str  # path
    head: str
    split: str


def write(result: SearchResult, source: Source, out: Path) -> Iterator[str]:
    """Write the result file ``out`` and a ``<class>.png`` next to it; yield the lines to print."""
    augmentation, options, split = result.augmentation, result.options, source.split
    if augmentation.origin != 'the checkpoint':
        yield (f'the checkpoint contains no statistics; the {augmentation.kind} covariance of each class is computed '
               f'from {augmentation.origin}')
    missing = [name for name in result.names if name not in result.rows]
    if missing and not options.classes:
        yield f'skipped classes without samples in the {split} split or the statistics: {", ".join(missing)}'
    out.parent.mkdir(parents=True, exist_ok=True)
    files = file_names(result.names)
    for name in result.rows:
        path = out.with_name(f'{files[name]}.png')
        pixels = draw_class(result, name, title_of(result, Path(source.config).stem, split))
        Image.fromarray(pixels).quantize(COLOURS).save(path, optimize=True)
        yield f'wrote {path}'
    paths = source._replace(config=os.path.relpath(source.config), checkpoint=os.path.relpath(source.checkpoint))
    write_json(out, dict(
        kind='directions', **paths._asdict(), strength=augmentation.strength, covariance=augmentation.kind,
        statistics=augmentation.origin, apart=options.apart,
        classes={name: _class(result, name) for name in result.rows},
        **provenance(options.seed)))
    yield f'wrote {out}'


def title_of(result: SearchResult, model: str, split: str) -> str:
    """Return a title with model, split and augmentation."""
    _, kind, strength, origin = result.augmentation
    return (f'{model}, images of the {split} split, augmentation N(0, {strength:g} Sigma) with the {kind} covariance '
            f'of {origin}')


def file_names(classes: Sequence[str]) -> dict[str, str]:
    """Return the class names with special characters replaced, and the index of the class where two would be equal."""
    plain = [''.join(letter if letter.isalnum() else '_' for letter in name) for name in classes]
    return dict(zip(classes, unique_names(plain), strict=True))


def _class(result: SearchResult, name: str) -> dict[str, Any]:
    queries = result.rows[name]
    return dict(queries=len(queries), shares={kind: share._asdict() for kind, share in shares(queries).items()},
                shown=[[_row(result, row) for row in rows] for rows in queries[:result.options.shown]])


def _row(result: SearchResult, row: Row) -> dict[str, Any]:
    """Return a query, its translation and its neighbours as JSON values."""
    found = zip(*(field.tolist() for field in row.neighbours), strict=True)
    return dict(query=_position(result, row.query.image, row.query.sample), move=row.translation.name,
                length=round(float(row.translation.shift.norm()), 6),
                neighbours=[dict(_position(result, image, sample), label=result.names[label],
                                 distance=round(distance, 6)) for distance, image, sample, label in found])


def _position(result: SearchResult, image: int, sample: int) -> dict[str, Any]:
    source, pixel = result.sources[image], result.patches[image, sample].pixel
    return dict(image=Path(source).name if isinstance(source, str) else source, **({'pixel': pixel} if pixel else {}))
