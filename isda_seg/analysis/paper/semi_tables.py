"""Table 6 of the paper: semi-supervised test errors in per cent, by method and dataset, for each number of labels."""

LABELS = {'cifar10': (1000, 2000, 4000), 'cifar100': (10000, 20000), 'svhn': (500,)}

# Errors without ISDA and with it, for each of these numbers of labels.
TABLE_6 = {
    'pi': {'cifar10': ((28.74, 23.99), (17.57, 14.90), (12.36, 11.35)), 'cifar100': ((38.06, 36.93), (30.80, 30.03))},
    'te': {'cifar10': ((25.15, 22.77), (15.78, 14.98), (11.90, 11.25)), 'cifar100': ((41.56, 40.47), (35.35, 34.58))},
    'mt': {'cifar10': ((18.27, 17.11), (13.45, 12.35), (10.73, 9.96)), 'cifar100': ((36.03, 34.60), (30.00, 29.37)),
           'svhn': ((4.18, 4.06),)},
    'vat': {'cifar10': ((18.12, 14.38), (13.93, 11.52), (11.10, 9.72)), 'cifar100': ((40.12, 36.04), (34.19, 30.97)),
            'svhn': ((5.10, 4.86),)},
}
