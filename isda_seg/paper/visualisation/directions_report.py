"""Output files: a figure per class and a JSON file with the neighbours, their shares and the provenance."""
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from isda_seg.paper.visualisation.class_directions import Looked
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


def write(looked: Looked, source: Source, out: Path) -> Iterator[str]:
    """Write the result file ``out`` and a ``<class>.png`` next to it; yield the lines to print."""
    augmentation, wanted, split = looked.augmentation, looked.wanted, source.split
    if augmentation.origin != 'the checkpoint':
        yield (f'the checkpoint contains no statistics; the {augmentation.kind} covariance of each class is computed '
               f'from {augmentation.origin}')
    missing = [name for name in looked.names if name not in looked.rows]
    if missing and not wanted.classes:
        yield f'skipped classes without samples in the {split} split or the statistics: {", ".join(missing)}'
    out.parent.mkdir(parents=True, exist_ok=True)
    for name in looked.rows:
        path = out.with_name(f'{file_name(name)}.png')
        picture = draw_class(looked, name, title_of(looked, Path(source.config).stem, split))
        Image.fromarray(picture).quantize(COLOURS).save(path, optimize=True)
        yield f'wrote {path}'
    paths = source._replace(config=os.path.relpath(source.config), checkpoint=os.path.relpath(source.checkpoint))
    write_json(out, dict(
        kind='directions', **paths._asdict(), strength=augmentation.strength, covariance=augmentation.kind,
        statistics=augmentation.origin, apart=wanted.apart,
        classes={name: _class(looked, name) for name in looked.rows},
        **provenance(wanted.seed)))
    yield f'wrote {out}'


def title_of(looked: Looked, what: str, split: str) -> str:
    """Return a title with model, split and augmentation."""
    _, kind, strength, origin = looked.augmentation
    return (f'{what}, images of the {split} split, augmentation N(0, {strength:g} Sigma) with the {kind} covariance of '
            f'{origin}')


def file_name(name: str) -> str:
    """Return the class name with special characters replaced."""
    return ''.join(letter if letter.isalnum() else '_' for letter in name)


def _class(looked: Looked, name: str) -> dict[str, Any]:
    queries = looked.rows[name]
    return dict(queries=len(queries), shares={kind: share._asdict() for kind, share in shares(queries).items()},
                shown=[[_row(looked, row) for row in own] for own in queries[:looked.wanted.shown]])


def _row(looked: Looked, row: Row) -> dict[str, Any]:
    """Return a query, its translation and its neighbours as JSON values."""
    found = zip(*(field.tolist() for field in row.neighbours), strict=True)
    return dict(query=_place(looked, row.query.image, row.query.sample), move=row.move.name,
                length=round(float(row.move.shift.norm()), 6),
                neighbours=[dict(_place(looked, image, sample), label=looked.names[label], distance=round(distance, 6))
                            for distance, image, sample, label in found])


def _place(looked: Looked, image: int, sample: int) -> dict[str, Any]:
    source, pixel = looked.sources[image], looked.patches[image, sample].pixel
    return dict(image=Path(source).name if isinstance(source, str) else source, **({'pixel': pixel} if pixel else {}))
