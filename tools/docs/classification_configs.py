"""Generator of configs/classification/: rows of the paper's Tables 1, 2, 4 and 8 as configs."""
from pathlib import Path
from typing import NamedTuple

from docs.columns import CLASSIFICATION
from docs.config_results import results_by_config
from docs.config_text import baseline, code, config_docstring, config_name, isda_twin, option_lines, option_rows
from isda_seg.paper.tables import CIFAR, IMAGENET, RANDAUGMENT, RANDAUGMENT_ELSE, Row, rows

FOLDER = 'configs/classification'


class Data(NamedTuple):
    """Common properties of the configs of a folder."""
    title: str
    classes: int
    covariance: str
    gpus: int


DATA = {'cifar10': Data('CIFAR-10', 10, 'full', 1), 'cifar100': Data('CIFAR-100', 100, 'full', 1),
        'imagenet': Data('ImageNet', 1000, 'diagonal', 8),
        'cifar10_subset': Data('a CIFAR-10 subset (re-encoded)', 10, 'full', 1)}
AUGMENTATIONS = {'cutout': 'Cutout', 'randaugment': 'RandAugment', 'autoaugment': 'AutoAugment'}


def render(root: Path) -> dict[str, str]:
    """Return the text of each config by its path relative to ``root``."""
    found = {f'{name}/{config_name(what, name, with_isda)}.py': write(name, what, row)
             for name, table in rows().items() for what, row in table.items()
             for with_isda, write in ((False, plain), (True, isda))}
    found.update(subset())
    results = results_by_config(root / 'configs')
    return {f'{FOLDER}/{path}': text.replace('RESULT', CLASSIFICATION.docstring_line(results.get(Path(path).stem)))
            for path, text in found.items()}


def plain(name: str, what: str, row: Row) -> str:
    """Return the text of a baseline config."""
    recipe, data = row.recipe, DATA[name]
    title = f'{recipe.network} on {data.title}' + (f' with {AUGMENTATIONS[row.augmentation]}' if row.augmentation
                                                   else '')
    stem, twin = (config_name(what, name, isda) for isda in (False, True))
    head = docstring(title, row.table, name, stem, f'With ISDA: {twin}.py', row.errors[0])
    if row.augmentation:
        base = config_name(recipe.stem, name)
        return (head + f"_base_ = './{base}.py'\n" + imports(recipe.network, row.augmentation)
                + pipeline(name, recipe.stem, row.augmentation))
    network = (CIFAR | IMAGENET)[recipe.network].config
    schedule = (dict(type='MultiStepLR', milestones=list(recipe.milestones), gamma=recipe.gamma) if recipe.milestones
                else dict(type='CosineAnnealingLR', T_max=recipe.epochs))
    optimizer = dict(lr=recipe.lr, weight_decay=recipe.weight_decay)
    if name == 'imagenet':
        optimizer['nesterov'] = False
    return head + f'''\
_base_ = [
    '../../_base_/models/image_classifier.py', '../../_base_/datasets/{name}.py',
    '../../_base_/schedules/sgd_epochs.py', '../../_base_/classification_runtime.py',
]
{imports(recipe.network)}model = dict(
    backbone={code(network)},
    num_classes={data.classes})
train_dataloader = dict(batch_size={recipe.batch})
optim_wrapper = dict(optimizer={code(optimizer)})
param_scheduler = [{code(schedule)}]
train_cfg = dict(max_epochs={recipe.epochs})
'''


def isda(name: str, what: str, row: Row) -> str:
    """Return the text of the ISDA config."""
    title = f'{row.recipe.network} + ISDA on {DATA[name].title}'
    title += f' with {AUGMENTATIONS[row.augmentation]}' if row.augmentation else ''
    stem, twin = (config_name(what, name, isda) for isda in (False, True))
    return docstring(title, row.table, name, twin, baseline(stem), row.errors[1]) + isda_twin(
        stem, dict(lambda_0=row.lambda_0, covariance=DATA[name].covariance))


def subset() -> dict[str, str]:
    """Return the configs of a CIFAR-10 subset with a short schedule for CPUs: two arms and Table 8 in miniature."""
    name = 'cifar10_subset'
    stem, twin = (config_name('resnet32', name, isda) for isda in (False, True))
    note = '''
The archive of 10,000 + 2,000 images is a re-encoded part of CIFAR-10: nothing here compares with published numbers.
Sized for a CPU: 1,256 steps of about 0.2 s on one core. Half the batch at half the rate.
'''
    about = f'on {DATA[name].title}, 8 epochs'
    plain = docstring(f'ResNet-32 {about}', '', name, stem, f'With ISDA: {twin}.py', None, note) + '''\
_base_ = '../cifar10/resnet32_cifar10.py'
train_dataloader = dict(batch_size=64, num_workers=0, persistent_workers=False)
val_dataloader = dict(num_workers=0, persistent_workers=False)
test_dataloader = dict(num_workers=0, persistent_workers=False)
optim_wrapper = dict(optimizer=dict(lr=0.05))
param_scheduler = [dict(type='MultiStepLR', milestones=[4, 6], gamma=0.1)]
train_cfg = dict(max_epochs=8)
default_hooks = dict(last_evaluations=dict(last=2))
'''
    isda = docstring(f'ResNet-32 + ISDA {about}', '', name, twin, baseline(stem), None) + \
        isda_twin(stem, dict(lambda_0=0.5, covariance='full'))
    return {f'{name}/{stem}.py': plain, f'{name}/{twin}.py': isda}


def docstring(title: str, table: str, folder: str, stem: str, twin: str, error: float | None, note: str = '') -> str:
    """Return the docstring of a config."""
    gpus, path = DATA[folder].gpus, f'{FOLDER}/{folder}/{stem}.py'
    command = f'python tools/train.py {path}' if gpus == 1 else f'tools/dist_train.sh {path} {gpus}'
    paper = None if error is None else f'{error:.{1 if folder == "imagenet" else 2}f} % top-1 error'
    rows = [(row.options, None if row.error is None else f'{row.error:.2f} % top-1 error')
            for row in option_rows().get(stem, [])]
    return config_docstring(f'{title}{f" ({table})" if table else ""}', command, twin, paper, note,
                            option_lines('Table 8', rows))


def imports(network: str, augmentation: str = '') -> str:
    """Return the line that imports the paper's networks and policies; empty if the base config imports all of them."""
    if augmentation == 'cutout':
        return ''
    kind = (CIFAR | IMAGENET)[network].config['type']
    modules = ['isda_seg.paper.networks'] if not kind.startswith('mmseg.') and kind != 'ResNetCifar' else []
    if augmentation:
        modules.append('isda_seg.paper.policies')
    return f"custom_imports = dict(imports={['isda_seg.classification', *modules]})\n" if modules else ''


def pipeline(name: str, stem: str, augmentation: str) -> str:
    """Return the training pipeline of Table 4: Cutout alone or after the other augmentation."""
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
