"""What was found, as files: a picture per class, and one JSON with the numbers and sources behind them."""
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from isda_seg.pictures.class_directions import Looked, Wanted
from isda_seg.pictures.neighbours_figure import draw_class
from isda_seg.pictures.shares import Row, shares
from isda_seg.runtime.provenance import provenance, write_json

COLOURS = 256  # a third of the size of full colour


def write(looked: Looked, wanted: Wanted, out: Path, config: str, checkpoint: str, split: str) -> Iterator[str]:
    """Write ``<class>.png`` and ``directions.json`` into a folder; yields what is to be told."""
    kind, origin, strength = looked.augmentation.kind, looked.augmentation.origin, looked.augmentation.strength
    if origin != 'the checkpoint':
        yield f'the checkpoint holds no statistics: the {kind} covariance of each class is computed from {origin}'
    missing = [name for name in looked.names if name not in looked.rows]
    if missing and not wanted.classes:
        yield f'left out, because {split} split or statistics have no sample of them: {", ".join(missing)}'
    for name in looked.rows:
        title = (f'{Path(config).stem}, images of the {split} split, augmentation N(0, {strength:g} Sigma) with the '
                 f'{kind} covariance of {origin}')
        path = out / f'{file_name(name)}.png'
        image = Image.fromarray(draw_class(looked, name, wanted.shown, title))
        image.quantize(COLOURS).save(path, optimize=True)
        yield f'wrote {path}'
    write_json(out / 'directions.json', dict(
        config=os.path.relpath(config), checkpoint=os.path.relpath(checkpoint), split=split, strength=strength,
        covariance=kind, statistics=origin, classes={name: _class(looked, name, wanted) for name in looked.rows},
        **provenance(wanted.seed)))
    yield f'wrote {out / "directions.json"}'


def file_name(name: str) -> str:
    """A class's name without what a path gives a meaning."""
    return ''.join(letter if letter.isalnum() else '_' for letter in name)


def _class(looked: Looked, name: str, wanted: Wanted) -> dict[str, Any]:
    queries = looked.rows[name]
    return dict(queries=len(queries), shares={kind: share._asdict() for kind, share in shares(queries).items()},
                shown=[[_row(looked, row) for row in own] for own in queries[:wanted.shown]])


def _row(looked: Looked, row: Row) -> dict[str, Any]:
    """Where a query comes from, how it is moved, and what lies there; images by file name or position in the split."""
    images, samples, labels = (field.tolist() for field in row.neighbours[1:])
    return dict(query=_place(looked, row.query.image, row.query.sample), move=row.move.name,
                length=round(float(row.move.shift.norm()), 6),
                neighbours=[dict(_place(looked, image, sample), label=looked.names[label], distance=round(distance, 6))
                            for image, sample, label, distance in
                            zip(images, samples, labels, row.neighbours.distance.tolist(), strict=True)])


def _place(looked: Looked, image: int, sample: int) -> dict[str, Any]:
    source = looked.sources[image]
    return dict(image=Path(source).name if isinstance(source, str) else source, sample=sample)
