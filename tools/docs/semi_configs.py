"""Generator of configs/semi/: cells of the paper's Table 6 as configs."""
from pathlib import Path
from typing import Any, NamedTuple

from docs.columns import CLASSIFICATION
from docs.config_results import results_by_config
from docs.config_text import baseline, code, config_docstring, config_name, isda_twin, option_lines, option_rows
from isda_seg.paper.tables import LABELS, TABLE_6

FOLDER = 'configs/semi'
# The paper reports neither. The README describes how to select them on a quarter of the labels.
LAMBDA_0, ETA_1 = 0.5, 1.0


class Base(NamedTuple):
    """Semi-supervised method: name, config and number of views."""
    name: str
    config: dict[str, Any]
    views: int = 1


BASES = {'pi': Base('Pi-model', dict(type='PiModel', eta_2=100.0), 2),
         'te': Base('Temporal Ensembling', dict(type='TemporalEnsembling', eta_2=30.0)),
         'mt': Base('Mean Teacher', dict(type='MeanTeacher', eta_2=100.0), 2),
         'vat': Base('VAT', dict(type='VAT', epsilon=8.0))}
CHANGES = {('te', 'cifar100'): dict(eta_2=100.0), ('vat', 'svhn'): dict(epsilon=3.5)}  # values of the original papers
DATA = {'cifar10': ('CIFAR-10', 10), 'cifar100': ('CIFAR-100', 100), 'svhn': ('SVHN', 10)}


def render(root: Path) -> dict[str, str]:
    """Return the text of each config by its path relative to ``root``."""
    found = {}
    for method, datasets in TABLE_6.items():
        for dataset, cells in datasets.items():
            found.update(pair(method, dataset, cells[0]))
        found.update(subset(method))
    results = results_by_config(root / 'configs')
    return {f'{FOLDER}/{path}': text.replace('RESULT', CLASSIFICATION.docstring_line(results.get(Path(path).stem)))
            for path, text in found.items()}


def pair(method: str, dataset: str, errors: tuple[float, float]) -> dict[str, str]:
    """Return the configs with the fewest labels, without and with ISDA."""
    title, classes = DATA[dataset]
    base, labels = BASES[method], LABELS[dataset][0]
    stem, twin = (config_name(method, dataset, isda) for isda in (False, True))
    config = base.config | CHANGES.get((method, dataset), {})
    plain = docstring(base.name, title, labels, dataset, stem, f'With ISDA: {twin}.py', errors[0])
    isda = docstring(f'{base.name} + ISDA', title, labels, dataset, twin, baseline(stem), errors[1])
    return {f'{dataset}/{stem}.py': plain + keys(dataset, '400e', labels, base.views,
                                                 dict(num_classes=classes, method=config)),
            f'{dataset}/{twin}.py': isda + with_isda(stem)}


def subset(method: str) -> dict[str, str]:
    """Return the configs of the CIFAR-10 subset: a narrow network and a schedule that is short enough for a CPU."""
    base, folder = BASES[method], 'cifar10_subset'
    stem, twin = (config_name(method, folder, isda) for isda in (False, True))
    title = 'a CIFAR-10 subset (re-encoded)'
    note = '''
The archive of 10,000 + 2,000 images is a re-encoded part of CIFAR-10, the network an eighth as wide, with less dropout,
and the schedule one for a CPU: nothing here compares with published numbers. The weight ramps up over a quarter of the
epochs, as there.
'''
    ramp = {} if method == 'vat' else dict(ramp_epochs=1)
    plain = docstring(base.name, title, 1000, folder, stem, f'With ISDA: {twin}.py', note=note)
    isda = docstring(f'{base.name} + ISDA', title, 1000, folder, twin, baseline(stem))
    return {f'{folder}/{stem}.py': plain + keys(folder, '4e', 1000, base.views,
                                                dict(backbone=dict(width=0.125, dropout=0.1), num_classes=10,
                                                     method=base.config | ramp)),
            f'{folder}/{twin}.py': isda + with_isda(stem)}


def keys(dataset: str, schedule: str, labels: int, views: int, model: dict[str, Any]) -> str:
    """Return the body of a baseline config."""
    more = f', views={views}' if views > 1 else ''
    model_keys = ',\n'.join(f'    {key}={code(value)}' for key, value in model.items())
    return f'''\
_base_ = [
    '../../_base_/models/semi_classifier.py', '../../_base_/datasets/semi_{dataset}.py',
    '../../_base_/schedules/semi_{schedule}.py', '../../_base_/classification_runtime.py',
]
model = dict(
{model_keys})
train_dataloader = dict(dataset=dict(num_labels={labels}{more}))
'''


def docstring(name: str, data: str, labels: int, folder: str, stem: str, twin: str, error: float | None = None,
            note: str = '') -> str:
    """Return the docstring of a config."""
    paper = None if error is None else f'{error:.2f} % test error'
    rows = [(row.options, f'{row.error:.2f} % test error') for row in option_rows().get(stem, [])]
    return config_docstring(f'{name} on {data} with {labels:,} labels{"" if error is None else " (Table 6)"}',
                            f'python tools/train.py {FOLDER}/{folder}/{stem}.py', twin, paper, note,
                            option_lines('Table 6', rows))


def with_isda(stem: str) -> str:
    """Return the body of the ISDA config: L_sup becomes the ISDA loss, and L_U is added (Eq. 19)."""
    return isda_twin(stem, dict(lambda_0=LAMBDA_0, covariance='full'), dict(eta_1=ETA_1))
