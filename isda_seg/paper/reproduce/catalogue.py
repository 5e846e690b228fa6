"""Rows of each table as configs with options, with the numbers that a run should reproduce."""
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from isda_seg.paper import tables
from isda_seg.paper.tables import LABELS, PROTOCOLS, SPREAD

CITYSCAPES, CLASSIFICATION = 'configs/cityscapes', 'configs/classification'
SEMI, COCO = 'configs/semi', 'configs/coco'
ERROR, LAST = 'top1_error', 'top1_error_last10'
METHODS = {'pi': 'Pi-model', 'te': 'Temporal Ensembling', 'mt': 'Mean Teacher', 'vat': 'VAT'}
DATA = {'cifar10': 'CIFAR-10', 'cifar100': 'CIFAR-100', 'svhn': 'SVHN', 'imagenet': 'ImageNet'}
NO_NUMBERS: Mapping[str, float] = {}


class Row(NamedTuple):
    """Row of a table."""
    name: str
    arm: str                                     # config, with options
    paper: Mapping[str, float] = NO_NUMBERS      # measure -> the paper's value, in per cent
    baseline: str = ''                           # arm without ISDA, in the same table
    toolbox: Mapping[str, float] = NO_NUMBERS    # measure -> baseline of MMSegmentation for the same schedule
    spread: tuple[float, float] | None = None    # smallest and largest reported standard deviation over seeds
    backbone: str = ''                           # config whose trained network initialises the backbone


class Table(NamedTuple):
    """Table or figure of the paper."""
    title: str
    rows: tuple[Row, ...]
    measures: tuple[str, ...]    # columns, names of ``paired.measures``
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    protocols: tuple[str, ...] = ('single',)


def catalogue() -> dict[str, Table]:
    """Return the tables by name."""
    return {
        'table1': Table('Table 1: ImageNet', tuple(_classifiers('Table 1', ('imagenet',))), (ERROR,), (0,)),
        'table2': Table('Table 2: CIFAR', tuple(_classifiers('Table 2', ('cifar10', 'cifar100'))), (LAST,)),
        'table4': Table('Table 4: CIFAR with stronger augmentation', tuple(
            _classifiers('Table 4', ('cifar10', 'cifar100'))), (LAST,)),
        'table6': Table('Table 6: semi-supervised learning', tuple(_semi()), (LAST,)),
        'table7': Table("Table 7: Cityscapes, the authors' recipe", tuple(_cityscapes('-paper')), PROTOCOLS, (0, 1, 2),
                        PROTOCOLS),
        'table7-mmseg': Table("Table 7: Cityscapes, MMSegmentation's recipe", tuple(_cityscapes('')), PROTOCOLS,
                              (0, 1, 2), PROTOCOLS),
        'table8': Table('Table 8: other covariances', tuple(_covariances()), (LAST,)),
        'table11': Table('Table 11: detection on COCO', tuple(_detectors(tables.TABLE_11, 'bbox_mAP')), ('bbox_mAP',),
                         (0, 1, 2)),
        'table12': Table('Table 12: instance segmentation on COCO', tuple(_detectors(tables.TABLE_12, 'segm_mAP')),
                         ('segm_mAP',), (0, 1, 2)),
        'figure11': Table('Figure 11: error over lambda_0', tuple(_sensitivity()), (LAST,)),
    }


def _cityscapes(recipe: str) -> Iterator[Row]:
    spread = SPREAD['Table 7', 'cityscapes']
    for stem, name, plain, isda in tables.TABLE_7:
        arms = [f'{CITYSCAPES}/{stem}_{part}4xb2-40k{recipe}_cityscapes-769x769.py' for part in ('', 'isda_')]
        toolbox = tables.MMSEG_40K[stem]
        yield Row(name, arms[0], dict(zip(PROTOCOLS, plain, strict=True)), toolbox=toolbox, spread=spread)
        yield Row(f'{name} + ISDA', arms[1], dict(zip(PROTOCOLS, isda, strict=True)), arms[0], toolbox, spread)


def _classifiers(table: str, folders: tuple[str, ...]) -> Iterator[Row]:
    found = tables.rows()
    for folder in folders:
        measure = ERROR if folder == 'imagenet' else LAST
        for stem, row in found[folder].items():
            if row.table == table:
                more = f' + {row.augmentation}' if row.augmentation else ''
                name, arms = f'{row.recipe.network}{more}, {DATA[folder]}', _arms(stem, folder)
                yield Row(name, arms[0], {measure: row.errors[0]}, spread=SPREAD.get((table, folder)))
                yield Row(f'{name}, ISDA', arms[1], {measure: row.errors[1]}, arms[0],
                          spread=SPREAD.get((table, folder)))


def _arms(stem: str, folder: str) -> list[str]:
    return [f'{CLASSIFICATION}/{folder}/{stem}{part}_{folder}.py' for part in ('', '_isda')]


def _semi() -> Iterator[Row]:
    for method, datasets in tables.TABLE_6.items():
        for folder, cells in datasets.items():
            for labels, errors in zip(LABELS[folder], cells, strict=True):
                yield from _semi_pair(method, folder, labels, errors)


def _semi_pair(method: str, folder: str, labels: int, errors: tuple[float, float]) -> Iterator[Row]:
    options = '' if labels == LABELS[folder][0] else f' train_dataloader.dataset.num_labels={labels}'
    name = f'{METHODS[method]}, {DATA[folder]}, {labels:,} labels'
    arms = [f'{SEMI}/{folder}/{method}{part}_{folder}.py{options}' for part in ('', '_isda')]
    spread = SPREAD['Table 6', folder]
    yield Row(name, arms[0], {LAST: errors[0]}, spread=spread)
    yield Row(f'{name}, ISDA', arms[1], {LAST: errors[1]}, arms[0], spread=spread)


def _covariances() -> Iterator[Row]:
    found = tables.rows()
    for place, (folder, stem) in enumerate(tables.TABLE_8_ROWS):
        plain, isda = _arms(stem, folder)
        spread, isda_error = SPREAD['Table 8', folder], found[folder][stem].errors[1]
        name = f'{DATA[folder]}{" + cutout" if "cutout" in stem else ""}'
        yield Row(f'{name}, basic', plain, {LAST: tables.TABLE_8_BASIC[place]}, spread=spread)
        for change, values in tables.TABLE_8:
            option = f'default_hooks.isda.{"ramp" if change == "constant" else "covariance"}={change}'
            yield Row(f'{name}, {change}', f'{isda} {option}', {LAST: values[place]}, plain, spread=spread)
        yield Row(f'{name}, ISDA', isda, {LAST: isda_error}, plain, spread=spread)


def _detectors(found: list[tuple[str, str, tuple[float, float, float]]], measure: str) -> Iterator[Row]:
    imagenet = dict(zip(('', 'isda'), _arms('resnet50', 'imagenet'), strict=True))
    for stem, name, values in found:
        arms = {key: f'{COCO}/{stem}_{f"{key}_" if key else ""}fpn_1x_coco.py' for key in tables.BACKBONES}
        for (key, backbone), value in zip(tables.BACKBONES.items(), values, strict=True):
            yield Row(f'{name}, {backbone}', arms[key], {measure: value}, arms[''] if key == 'isda' else '',
                      backbone=imagenet.get(key, ''))


def _sensitivity() -> Iterator[Row]:
    plain, isda = _arms('wrn28-10_cutout', 'cifar100')
    known = dict(zip((0.0, 0.5), tables.rows()['cifar100']['wrn28-10_cutout'].errors, strict=True))
    yield Row('WRN-28-10, CIFAR-100 + cutout, basic', plain, {LAST: known[0.0]}, spread=SPREAD['Table 4', 'cifar100'])
    for value in tables.FIGURE_11:
        paper = {LAST: known[value]} if value in known else NO_NUMBERS
        yield Row(f'WRN-28-10, CIFAR-100 + cutout, lambda_0 = {value:g}',
                  isda + ('' if value == 0.5 else f' default_hooks.isda.lambda_0={value:g}'), paper, plain,
                  spread=SPREAD['Table 4', 'cifar100'])
    folder, labels = 'cifar10', LABELS['cifar10'][2]
    basic, with_isda = _semi_pair('vat', folder, labels, tables.TABLE_6['vat'][folder][2])
    yield basic
    for value in tables.FIGURE_11:
        yield Row(f'VAT, CIFAR-10, {labels:,} labels, lambda_0 = {value:g}',
                  with_isda.arm + ('' if value == 0.5 else f' default_hooks.isda.lambda_0={value:g}'),
                  with_isda.paper if value == 0.5 else NO_NUMBERS, basic.arm, spread=SPREAD['Table 6', folder])
