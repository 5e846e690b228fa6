"""The text of configs/classification/: rows of the paper's Tables 1, 2, 4 and 8 as tools/train.py reads them."""
from pathlib import Path
from typing import NamedTuple

from isda_seg.analysis.paper.classification_tables import (
    RANDAUGMENT,
    RANDAUGMENT_ELSE,
    TABLE_8,
    TABLE_8_ROWS,
    Row,
    rows,
)
from isda_seg.analysis.paper.config_text import baseline, code, isda_twin, promise
from isda_seg.analysis.paper.networks import CIFAR, IMAGENET
from isda_seg.analysis.tables.classification import docstring_line, key_of, read_results

FOLDER = 'configs/classification'


class Data(NamedTuple):
    """What the configs of a folder share."""
    title: str
    classes: int
    covariance: str
    gpus: int


DATA = {'cifar10': Data('CIFAR-10', 10, 'full', 1), 'cifar100': Data('CIFAR-100', 100, 'full', 1),
        'imagenet': Data('ImageNet', 1000, 'diagonal', 8),
        'cifar10_subset': Data('a CIFAR-10 subset (re-encoded)', 10, 'full', 1)}
AUGMENTATIONS = {'cutout': 'Cutout', 'randaugment': 'RandAugment', 'autoaugment': 'AutoAugment'}


def render(root: Path) -> dict[str, str]:
    """The text of each config by its path relative to `root`."""
    found = {f'{name}/{stem}{ending}.py': text for name, table in rows().items() for stem, row in table.items()
             for ending, text in (('', plain(name, stem, row)), ('_isda', isda(name, stem, row)))}
    for change, errors in TABLE_8:
        for (name, stem), error in zip(TABLE_8_ROWS, errors, strict=True):
            found[f'{name}/{stem}_isda-{change}.py'] = ablation(name, stem, change, 'Table 8', error)
    found.update(subset())
    results = read_results(root / 'configs' / 'results')
    return {f'{FOLDER}/{path}': text.replace('RESULT', docstring_line(results.get(key_of(path))))
            for path, text in found.items()}


def plain(name: str, stem: str, row: Row) -> str:
    """The baseline's config."""
    recipe, data = row.recipe, DATA[name]
    title = f'{recipe.network} on {data.title}' + (f' with {AUGMENTATIONS[row.augmentation]}' if row.augmentation
                                                   else '')
    promise = docstring(title, row.table, name, stem, f'ISDA twin: {stem}_isda.py', row.errors[0])
    if row.augmentation:
        return promise + f"_base_ = './{recipe.stem}.py'\n" + pipeline(name, recipe.stem, row.augmentation)
    network = (CIFAR | IMAGENET)[recipe.network].config
    schedule = (dict(type='MultiStepLR', milestones=list(recipe.milestones), gamma=recipe.gamma) if recipe.milestones
                else dict(type='CosineAnnealingLR', T_max=recipe.epochs))
    optimizer = dict(lr=recipe.lr, weight_decay=recipe.weight_decay)
    if name == 'imagenet':
        optimizer['nesterov'] = False
    return promise + f'''\
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/{name}.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
model = dict(
    backbone={code(network)},
    num_classes={data.classes})
train_dataloader = dict(batch_size={recipe.batch})
optim_wrapper = dict(optimizer={code(optimizer)})
param_scheduler = [{code(schedule)}]
train_cfg = dict(max_epochs={recipe.epochs})
'''


def isda(name: str, stem: str, row: Row) -> str:
    """Its twin."""
    title = f'{row.recipe.network} + ISDA on {DATA[name].title}'
    title += f' with {AUGMENTATIONS[row.augmentation]}' if row.augmentation else ''
    return docstring(title, row.table, name, f'{stem}_isda', baseline(stem), row.errors[1]) + isda_twin(
        stem, 'classification',
        dict(loss=dict(type='ISDALoss', lambda_0=row.lambda_0, covariance=DATA[name].covariance)))


def ablation(name: str, stem: str, change: str, table: str, error: float | None) -> str:
    """The twin with another covariance, or another ramp."""
    what = 'a constant strength' if change == 'constant' else f"covariance='{change}'"
    title = f'{stem} + ISDA with {what} on {DATA[name].title}'
    twin = f'Baseline:  {stem}.py; {stem}_isda.py is ISDA as proposed'
    keys = ("default_hooks = dict(isda=dict(ramp='constant'))\n" if change == 'constant'
            else f'model = dict(loss=dict(covariance={change!r}))\n')
    return docstring(title, table, name, f'{stem}_isda-{change}', twin, error) + \
        f"_base_ = './{stem}_isda.py'\n{keys}"


def subset() -> dict[str, str]:
    """A small archive, a short schedule: two arms and Table 8's shape where there is no GPU."""
    name, stem = 'cifar10_subset', 'resnet32'
    note = '''
The archive of 10,000 + 2,000 images is a re-encoded part of CIFAR-10: nothing here compares with published numbers.
Sized for a CPU: 1,256 steps of about 0.2 s on one core. Half the batch at half the rate.
'''
    about = f'on {DATA[name].title}, 8 epochs'
    plain = docstring(f'ResNet-32 {about}', '', name, stem, f'ISDA twin: {stem}_isda.py', None, note) + '''\
_base_ = '../cifar10/resnet32.py'
train_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [dict(type='MultiStepLR', milestones=[4, 6], gamma=0.1)]
train_cfg = dict(max_epochs=8)
default_hooks = dict(last_epochs=dict(epochs=2))
'''
    isda = docstring(f'ResNet-32 + ISDA {about}', '', name, f'{stem}_isda', baseline(stem), None) + \
        isda_twin(stem, 'classification', dict(loss=dict(type='ISDALoss', lambda_0=0.5, covariance='full')))
    return {f'{name}/{stem}.py': plain, f'{name}/{stem}_isda.py': isda,
            **{f'{name}/{stem}_isda-{change}.py': ablation(name, stem, change, "the shape of Table 8", None)
               for change, _ in TABLE_8}}


def docstring(title: str, table: str, folder: str, stem: str, twin: str, error: float | None, note: str = '') -> str:
    """The promise of a config."""
    gpus, path = DATA[folder].gpus, f'{FOLDER}/{folder}/{stem}.py'
    command = f'python tools/train.py {path}' if gpus == 1 else f'tools/dist_train.sh {path} {gpus}'
    paper = None if error is None else f'{error:.{1 if folder == "imagenet" else 2}f} % top-1 error'
    return promise(f'{title}{f" ({table})" if table else ""}', command, twin, paper, note)


def pipeline(name: str, stem: str, augmentation: str) -> str:
    """The training pipeline of Table 4: Cutout alone, or after the other."""
    n, m = RANDAUGMENT.get((name, stem), RANDAUGMENT_ELSE)
    extra = {'cutout': '', 'randaugment': f"    dict(type='RandAugment', n={n}, m={m}),\n",
             'autoaugment': "    dict(type='AutoAugment'),\n"}[augmentation]
    return f'''\
train_pipeline = [
    dict(type='RandomReflectCrop', size=32, padding=4),
    dict(type='RandomFlip', prob=0.5),
{extra}    dict(type='Cutout', length=16),
    dict(type='PackImages'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
'''
