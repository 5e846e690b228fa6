"""Write configs/classification/ from the rows of the paper's Tables 1, 2, 4 and 8.

    python tools/make_classification_configs.py

A row here holds what a row of the paper holds; a config is its row in the form that tools/train.py reads. Results are
taken from configs/results/.
"""
from pathlib import Path
from typing import Any, NamedTuple

from isda_seg.analysis.classification_table import docstring_line, key_of, read_results
from isda_seg.classification.networks.paper import CIFAR, IMAGENET

ROOT = Path(__file__).resolve().parents[1]
FOLDER = 'configs/classification'
Errors = tuple[float, float]  # per cent, without ISDA and with it


class Recipe(NamedTuple):
    """How a network is trained, on whatever data."""
    network: str
    stem: str
    epochs: int
    batch: int
    weight_decay: float
    lr: float
    milestones: tuple[int, ...] = ()  # none: cosine
    gamma: float = 0.1


class Row(NamedTuple):
    """A row of a table on one dataset, with and without ISDA."""
    recipe: Recipe
    table: str
    errors: Errors
    lambda_0: float
    augmentation: str = ''


class Data(NamedTuple):
    """What the configs of a folder share."""
    title: str
    classes: int
    covariance: str
    gpus: int


DATA = {'cifar10': Data('CIFAR-10', 10, 'full', 1), 'cifar100': Data('CIFAR-100', 100, 'full', 1),
        'imagenet': Data('ImageNet', 1000, 'diagonal', 8),
        'cifar10_subset': Data('a CIFAR-10 subset (re-encoded)', 10, 'full', 1)}

# Section 6.1 and Table 2: the recipe, then errors on CIFAR-10 and on CIFAR-100.
TABLE_2 = [
    (Recipe('ResNet-32', 'resnet32', 160, 128, 1e-4, 0.1, (80, 120)), (7.39, 7.09), (31.20, 30.27)),
    (Recipe('ResNet-110', 'resnet110', 160, 128, 1e-4, 0.1, (80, 120)), (6.76, 6.33), (28.67, 27.57)),
    (Recipe('SE-ResNet-110', 'se-resnet110', 200, 128, 1e-4, 0.1, (80, 120, 160)), (6.14, 5.96), (27.30, 26.63)),
    (Recipe('Wide-ResNet-16-8', 'wrn16-8', 240, 128, 5e-4, 0.1, (60, 120, 160, 200), 0.2),
     (4.25, 4.04), (20.24, 19.91)),
    (Recipe('Wide-ResNet-28-10', 'wrn28-10', 240, 128, 5e-4, 0.1, (60, 120, 160, 200), 0.2),
     (3.82, 3.58), (18.53, 17.98)),
    (Recipe('ResNeXt-29, 8x64d', 'resnext29-8x64d', 350, 128, 5e-4, 0.05, (150, 225, 300)),
     (3.86, 3.67), (18.16, 17.43)),
    (Recipe('DenseNet-BC-100-12', 'densenet-bc-100-12', 300, 64, 1e-4, 0.1, (150, 200, 250)),
     (4.90, 4.54), (22.61, 22.10)),
    (Recipe('Shake-Shake (26, 2x32d)', 'shake-shake26-2x32d', 1800, 64, 1e-4, 0.1), (3.45, 3.20), (20.12, 19.45)),
    (Recipe('Shake-Shake (26, 2x112d)', 'shake-shake26-2x112d', 1800, 64, 1e-4, 0.1), (2.92, 2.61), (17.42, 16.73)),
]
RECIPES = {recipe.stem: recipe for recipe, *_ in TABLE_2}

# Table 4: network, augmentation, errors on CIFAR-10 and on CIFAR-100.
TABLE_4 = [
    ('wrn28-10', 'cutout', (2.99, 2.83), (18.05, 16.95)),
    ('wrn28-10', 'randaugment', (2.78, 2.42), (17.30, 15.97)),
    ('wrn28-10', 'autoaugment', (2.65, 2.56), (16.60, 15.62)),
    ('shake-shake26-2x32d', 'cutout', (3.16, 2.93), (18.92, 18.17)),
    ('shake-shake26-2x32d', 'randaugment', (3.00, 2.74), (18.11, 17.84)),
    ('shake-shake26-2x32d', 'autoaugment', (2.89, 2.68), (17.50, 17.21)),
    ('shake-shake26-2x112d', 'cutout', (2.36, 2.25), (17.34, 16.24)),
    ('shake-shake26-2x112d', 'randaugment', (2.10, 1.76), (15.95, 14.24)),
    ('shake-shake26-2x112d', 'autoaugment', (2.01, 1.82), (15.21, 13.87)),
]

# Table 8, Wide-ResNet-28-10: what is changed, then errors on CIFAR-10, CIFAR-100 and CIFAR-100 with Cutout.
TABLE_8 = [('identity', (3.63, 18.53, 17.83)), ('diagonal', (3.70, 18.23, 17.54)), ('shared', (3.67, 18.29, 18.12)),
           ('constant', (3.69, 18.33, 17.34))]
TABLE_8_ROWS = [('cifar10', 'wrn28-10'), ('cifar100', 'wrn28-10'), ('cifar100', 'wrn28-10_cutout')]

# Section 6.1 and Table 1: network, lambda_0, top-1 errors; one recipe for all, on 8 GPUs.
TABLE_1 = [
    ('ResNet-50', 'resnet50', 7.5, (23.0, 21.9)), ('ResNet-101', 'resnet101', 5.0, (21.7, 20.8)),
    ('ResNet-152', 'resnet152', 7.5, (21.3, 20.3)), ('DenseNet-BC-121', 'densenet-bc-121', 1.0, (23.7, 23.2)),
    ('DenseNet-BC-265', 'densenet-bc-265', 1.0, (21.9, 21.2)),
    ('ResNeXt-50, 32x4d', 'resnext50-32x4d', 7.5, (22.5, 21.3)),
    ('ResNeXt-101, 32x8d', 'resnext101-32x8d', 7.5, (21.1, 20.1)),
]

AUGMENTATIONS = {'cutout': 'Cutout', 'randaugment': 'RandAugment', 'autoaugment': 'AutoAugment'}
# The ISDA paper gives no n and m: those of the RandAugment paper for CIFAR-10 and CIFAR-100, and for Shake-Shake where
# it has them.
RANDAUGMENT = {('cifar10', 'wrn28-10'): (3, 5), ('cifar10', 'shake-shake26-2x32d'): (3, 9),
               ('cifar10', 'shake-shake26-2x112d'): (3, 9)}
RANDAUGMENT_ELSE = (2, 14)


def rows() -> dict[str, dict[str, Row]]:
    """dataset -> stem of the plain config -> its row."""
    found: dict[str, dict[str, Row]] = {name: {} for name in DATA}
    for place, name in enumerate(('cifar10', 'cifar100')):
        for recipe, *errors in TABLE_2:
            found[name][recipe.stem] = Row(recipe, 'Table 2', errors[place], 0.5)
        for stem, augmentation, *errors in TABLE_4:
            found[name][f'{stem}_{augmentation}'] = Row(RECIPES[stem], 'Table 4', errors[place], 0.5, augmentation)
    for network, stem, lambda_0, errors in TABLE_1:
        recipe = Recipe(network, stem, 300, IMAGENET[network].batch, 1e-4, 0.2)
        found['imagenet'][stem] = Row(recipe, 'Table 1', errors, lambda_0)
    return found


def render(root: Path = ROOT) -> dict[str, str]:
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
    baseline = f'Baseline:  {stem}.py; same seed, only the keys below differ'
    return docstring(title, row.table, name, f'{stem}_isda', baseline, row.errors[1]) + with_isda(
        stem, dict(type='ISDALoss', lambda_0=row.lambda_0, covariance=DATA[name].covariance))


def ablation(name: str, stem: str, change: str, table: str, error: float | None) -> str:
    """The twin with another covariance, or another ramp."""
    what = 'a constant strength' if change == 'constant' else f"covariance='{change}'"
    title = f'{stem} + ISDA with {what} on {DATA[name].title}'
    baseline = f'Baseline:  {stem}.py; {stem}_isda.py is ISDA as proposed'
    keys = ("default_hooks = dict(isda=dict(ramp='constant'))\n" if change == 'constant'
            else f'model = dict(loss=dict(covariance={change!r}))\n')
    return docstring(title, table, name, f'{stem}_isda-{change}', baseline, error) + \
        f"_base_ = './{stem}_isda.py'\n{keys}"


def subset() -> dict[str, str]:
    """A small archive, a short schedule: two arms and Table 8's shape where there is no GPU."""
    name, stem = 'cifar10_subset', 'resnet32'
    note = '''
The archive of 10,000 + 2,000 images is a re-encoded part of CIFAR-10: nothing here compares with published numbers.
Sized for a CPU: 1,570 steps of 0.33 to 0.4 s on one core, about 10 minutes. Half the batch at half the rate.
'''
    about = f'on {DATA[name].title}, 10 epochs'
    plain = docstring(f'ResNet-32 {about}', '', name, stem, f'ISDA twin: {stem}_isda.py', None, note) + '''\
_base_ = '../cifar10/resnet32.py'
train_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [dict(type='MultiStepLR', milestones=[5, 7], gamma=0.1)]
train_cfg = dict(max_epochs=10)
default_hooks = dict(last_epochs=dict(epochs=3))
'''
    baseline = f'Baseline:  {stem}.py; same seed, only the keys below differ'
    isda = docstring(f'ResNet-32 + ISDA {about}', '', name, f'{stem}_isda', baseline, None) + \
        with_isda(stem, dict(type='ISDALoss', lambda_0=0.5, covariance='full'))
    return {f'{name}/{stem}.py': plain, f'{name}/{stem}_isda.py': isda,
            **{f'{name}/{stem}_isda-{change}.py': ablation(name, stem, change, "the shape of Table 8", None)
               for change, _ in TABLE_8}}


def docstring(title: str, table: str, folder: str, stem: str, twin: str, error: float | None, note: str = '') -> str:
    """The promise of a config."""
    gpus, path = DATA[folder].gpus, f'{FOLDER}/{folder}/{stem}.py'
    command = f'python tools/train.py {path}' if gpus == 1 else f'tools/dist_train.sh {path} {gpus}'
    paper = '' if error is None else f'Paper:     {error:.{1 if folder == "imagenet" else 2}f} % top-1 error\n'
    return (f'"""{title}{f" ({table})" if table else ""}.\n{note}\nRun:       {command}\n{twin}\n{paper}'
            'Result:    RESULT\n"""\n')


def with_isda(base: str, loss: dict[str, Any]) -> str:
    """All that makes a config its ISDA twin."""
    return f'''\
_base_ = './{base}.py'
custom_imports = dict(
    imports=['isda_seg.losses', 'isda_seg.hooks', 'isda_seg.classification'], allow_failed_imports=False)
model = dict(loss={code(loss)})
default_hooks = dict(isda=dict(type='ISDAHook'))
'''


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


def code(value: Any) -> str:
    """A value as these configs write it."""
    if isinstance(value, dict):
        return f'dict({", ".join(f"{key}={code(child)}" for key, child in value.items())})'
    return repr(value)


if __name__ == '__main__':
    for path, text in render().items():
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(text)
        print(f'wrote {path}')
