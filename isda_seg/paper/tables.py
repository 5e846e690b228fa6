"""Numbers of the paper's Tables 1, 2, 4, 6, 7, 8, 11 and 12; networks and training recipes of its classifiers."""
from typing import Any, NamedTuple


class PaperNetwork(NamedTuple):
    """Model config and batch size per GPU."""
    config: dict[str, Any]
    batch: int


CIFAR = {
    'ResNet-32': PaperNetwork(dict(type='ResNetCifar', depth=32), 128),
    'ResNet-110': PaperNetwork(dict(type='ResNetCifar', depth=110), 128),
    'SE-ResNet-110': PaperNetwork(dict(type='SEResNetCifar', depth=110), 128),
    'Wide-ResNet-16-8': PaperNetwork(dict(type='WideResNet', depth=16, width=8), 128),
    'Wide-ResNet-28-10': PaperNetwork(dict(type='WideResNet', depth=28, width=10, dropout=0.3), 128),
    'ResNeXt-29, 8x64d': PaperNetwork(dict(type='ResNeXtCifar', depth=29, groups=8, base_width=64), 128),
    'DenseNet-BC-100-12': PaperNetwork(dict(type='DenseNetCifar', depth=100, growth=12), 64),
    'Shake-Shake (26, 2x32d)': PaperNetwork(dict(type='ShakeShake', depth=26, channels=32), 64),
    'Shake-Shake (26, 2x112d)': PaperNetwork(dict(type='ShakeShake', depth=26, channels=112), 64),
}

# Backbones of MMSegmentation, so that segmentation can load trained weights without renamed keys; initialised as in
# torchvision, which the authors used.
MMSEG = dict(zero_init_residual=False, out_indices=(3,))
IMAGENET = {
    'ResNet-50': PaperNetwork(dict(type='mmseg.ResNet', depth=50, **MMSEG), 64),
    'ResNet-101': PaperNetwork(dict(type='mmseg.ResNet', depth=101, **MMSEG), 64),
    'ResNet-152': PaperNetwork(dict(type='mmseg.ResNet', depth=152, **MMSEG), 64),
    'DenseNet-BC-121': PaperNetwork(dict(type='DenseNetImageNet', depth=121), 64),
    'DenseNet-BC-265': PaperNetwork(dict(type='DenseNetImageNet', depth=265), 64),
    'ResNeXt-50, 32x4d': PaperNetwork(dict(type='mmseg.ResNeXt', depth=50, groups=32, base_width=4, **MMSEG), 64),
    'ResNeXt-101, 32x8d': PaperNetwork(dict(type='mmseg.ResNeXt', depth=101, groups=32, base_width=8, **MMSEG), 64),
}


Errors = tuple[float, float]  # per cent, without ISDA and with it


class Recipe(NamedTuple):
    """Training recipe of a network, independent of the dataset."""
    network: str
    stem: str
    epochs: int
    batch: int
    weight_decay: float
    lr: float
    milestones: tuple[int, ...] = ()  # empty: cosine schedule
    gamma: float = 0.1


class Row(NamedTuple):
    """Table row for one dataset, without and with ISDA."""
    recipe: Recipe
    table: str
    errors: Errors
    lambda_0: float
    augmentation: str = ''


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

# Table 8, Wide-ResNet-28-10: changed option, then errors on CIFAR-10, CIFAR-100 and CIFAR-100 with Cutout.
TABLE_8 = [('identity', (3.63, 18.53, 17.83)), ('diagonal', (3.70, 18.23, 17.54)), ('shared', (3.67, 18.29, 18.12)),
           ('constant', (3.69, 18.33, 17.34))]
TABLE_8_BASIC = (3.82, 18.58, 18.05)  # the second is 18.53 in Table 2
TABLE_8_ROWS = [('cifar10', 'wrn28-10'), ('cifar100', 'wrn28-10'), ('cifar100', 'wrn28-10_cutout')]

# Section 6.1 and Table 1: network, lambda_0, top-1 errors; one recipe for all, on 8 GPUs.
TABLE_1 = [
    ('ResNet-50', 'resnet50', 7.5, (23.0, 21.9)), ('ResNet-101', 'resnet101', 5.0, (21.7, 20.8)),
    ('ResNet-152', 'resnet152', 7.5, (21.3, 20.3)), ('DenseNet-BC-121', 'densenet-bc-121', 1.0, (23.7, 23.2)),
    ('DenseNet-BC-265', 'densenet-bc-265', 1.0, (21.9, 21.2)),
    ('ResNeXt-50, 32x4d', 'resnext50-32x4d', 7.5, (22.5, 21.3)),
    ('ResNeXt-101, 32x8d', 'resnext101-32x8d', 7.5, (21.1, 20.1)),
]

# The ISDA paper does not report n and m. These are the values of the RandAugment paper for CIFAR-10 and CIFAR-100, and
# for Shake-Shake if reported.
RANDAUGMENT = {('cifar10', 'wrn28-10'): (3, 5), ('cifar10', 'shake-shake26-2x32d'): (3, 9),
               ('cifar10', 'shake-shake26-2x112d'): (3, 9)}
RANDAUGMENT_ELSE = (2, 14)


def rows() -> dict[str, dict[str, Row]]:
    """Return the rows by dataset and stem of the baseline config."""
    found: dict[str, dict[str, Row]] = {name: {} for name in ('cifar10', 'cifar100', 'imagenet')}
    for place, name in enumerate(('cifar10', 'cifar100')):
        for recipe, *of_2 in TABLE_2:
            found[name][recipe.stem] = Row(recipe, 'Table 2', of_2[place], 0.5)
        for stem, augmentation, *of_4 in TABLE_4:
            found[name][f'{stem}_{augmentation}'] = Row(RECIPES[stem], 'Table 4', of_4[place], 0.5, augmentation)
    for network, stem, lambda_0, errors in TABLE_1:
        recipe = Recipe(network, stem, 300, IMAGENET[network].batch, 1e-4, 0.2)
        found['imagenet'][stem] = Row(recipe, 'Table 1', errors, lambda_0)
    return found


# Table 6, semi-supervised, by method and dataset. Errors without ISDA and with it, for each of these numbers of labels.
TABLE_6 = {
    'pi': {'cifar10': ((28.74, 23.99), (17.57, 14.90), (12.36, 11.35)), 'cifar100': ((38.06, 36.93), (30.80, 30.03))},
    'te': {'cifar10': ((25.15, 22.77), (15.78, 14.98), (11.90, 11.25)), 'cifar100': ((41.56, 40.47), (35.35, 34.58))},
    'mt': {'cifar10': ((18.27, 17.11), (13.45, 12.35), (10.73, 9.96)), 'cifar100': ((36.03, 34.60), (30.00, 29.37)),
           'svhn': ((4.18, 4.06),)},
    'vat': {'cifar10': ((18.12, 14.38), (13.93, 11.52), (11.10, 9.72)), 'cifar100': ((40.12, 36.04), (34.19, 30.97)),
            'svhn': ((5.10, 4.86),)},
}
LABELS = {'cifar10': (1000, 2000, 4000), 'cifar100': (10000, 20000), 'svhn': (500,)}

# Table 7: config stem of the network, its name, then mIoU without and with ISDA by protocol.
PROTOCOLS = ('single', 'ms', 'ms-flip')
TABLE_7 = [('pspnet_r101-d8', 'PSPNet', (77.46, 78.10, 78.41), (78.72, 79.64, 79.44)),
           ('deeplabv3_r101-d8', 'DeepLabV3', (78.38, 79.20, 79.47), (79.41, 80.30, 80.36))]
# MMSegmentation's own baselines at 769 x 769 and 40,000 iterations. Its ms+flip uses six scales, ours four.
MMSEG_40K = {'pspnet_r101-d8': {'single': 79.08, 'ms-flip': 80.28},
             'deeplabv3_r101-d8': {'single': 79.27, 'ms-flip': 80.11}}

# Tables 11 and 12: config stem of the detector, its name, then box and mask mAP by backbone.
BACKBONES = {'torchvision': 'ResNet-50 (original)', '': 'ResNet-50', 'isda': 'ResNet-50 + ISDA'}
TABLE_11 = [('faster-rcnn_r50', 'Faster R-CNN', (37.4, 38.0, 38.6)),
            ('mask-rcnn_r50', 'Mask R-CNN', (38.2, 38.9, 39.4)),
            ('cascade-rcnn_r50', 'Cascade R-CNN', (40.3, 40.8, 41.4))]
TABLE_12 = [('mask-rcnn_r50', 'Mask R-CNN', (34.7, 35.2, 35.6))]

# Figure 11 shows curves without numbers; those at 0 and 0.5 stand in Tables 4 and 6.
FIGURE_11 = (0.1, 0.25, 0.5, 0.75, 1, 2, 5, 10)

# Smallest and largest standard deviation over seeds: of the paper by table and dataset; on Cityscapes as reported for
# other methods with one config (issue 4 of MDEQ, issue 14 of SeMask).
SPREAD = {('Table 2', 'cifar10'): (0.01, 0.34), ('Table 2', 'cifar100'): (0.03, 0.46),
          ('Table 4', 'cifar10'): (0.01, 0.13), ('Table 4', 'cifar100'): (0.07, 0.40),
          ('Table 6', 'cifar10'): (0.05, 1.46), ('Table 6', 'cifar100'): (0.12, 0.69),
          ('Table 6', 'svhn'): (0.08, 0.27),
          ('Table 8', 'cifar10'): (0.07, 0.15), ('Table 8', 'cifar100'): (0.02, 0.36),
          ('Table 7', 'cityscapes'): (0.1, 0.4)}
