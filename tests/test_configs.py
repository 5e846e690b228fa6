"""Properties of all configs: one name each, a pair differs in `_isda` and few keys, every key is read by something."""

import functools
import re

import pytest
from helpers import tiny
from mmengine.config import Config

from docs.config_text import option_rows
from docs.model_index import list_configs
from isda_seg import compat
from isda_seg.paper.series.arm import parse_arm
from isda_seg.paper.series.run_options import with_options
from isda_seg.runtime.config_keys import READ

compat.prepare()

CONFIGS = {path.stem: tiny.ROOT / path for path in list_configs(tiny.ROOT)}
# Those of MMDetection are compared with its own in tests/detection.
READABLE = [stem for stem, path in CONFIGS.items() if path.parent.name not in ('coco', 'coco256')]
# What a file of _base_ calls a value that it writes in several places.
NAMES = {'norm_cfg', 'data_root', 'crop_size', 'train_pipeline', 'test_pipeline', 'optimizer', 'vis_backends',
         'train_images', 'test_images', 'zca_file', 'loss_decode', 'sampler'}
MOST = 6
FOLDERS = ('classification', 'semi')


@functools.cache
def settings(stem):
    """A config as one flat dict."""
    return tiny.flat(Config.fromfile(CONFIGS[stem]).to_dict())


def differing(stem, other):
    """The keys in which two configs differ: those of both heads once, the imports as one."""
    return {re.sub(r'^model\.(decode|auxiliary)_head\.|(?<=^custom_imports)\..*', '', key)
            for key in tiny.differing(settings(stem), settings(other))}


def test_config_names_are_unique():
    assert sorted(CONFIGS) == sorted(path.stem for path in list_configs(tiny.ROOT))


def test_config_names_contain_data_and_isda():
    for stem, path in CONFIGS.items():
        if path.parent.parent.name in FOLDERS:
            assert stem.rpartition('_')[2] == path.parent.name.replace('_', '-')
        assert ('isda' in stem) == bool({'isda', 'isda-head'} & {*stem.split('_')})


def test_every_isda_config_has_a_baseline_config():
    pairs = [stem for stem in CONFIGS if '_isda' in stem]
    assert len(pairs) > 70
    baselines = {stem: CONFIGS[stem].with_name(f'{re.sub("_isda(-head)?", "", stem)}.py') for stem in pairs}
    assert [stem for stem, path in baselines.items() if not path.is_file()] == []


@pytest.mark.parametrize('stem', [stem for stem in READABLE if '_isda' in stem])
def test_baseline_and_isda_configs_differ_in_few_keys(stem):
    plain = stem.replace('_isda', '')
    assert 1 <= len(differing(stem, plain)) <= MOST


@pytest.mark.parametrize('stem', READABLE)
def test_every_config_key_is_used(stem):
    assert {key.split('.')[0] for key in settings(stem)} <= READ | NAMES


@pytest.mark.parametrize('stem', option_rows())
def test_option_rows_in_docstrings_change_the_named_keys(stem):
    docstring = CONFIGS[stem].read_text().split('"""')[1]
    cfg = Config.fromfile(CONFIGS[stem])
    for row in option_rows()[stem]:
        (line,) = [line.split() for line in docstring.splitlines() if line.strip().startswith(row.options)]
        number = [] if row.error is None else [f'{row.error:.2f}']
        assert line[:len(row.options.split()) + len(number)] == [*row.options.split(), *number]
        settings = parse_arm(f'{CONFIGS[stem]} {row.options}').settings
        before, after = (tiny.flat(one.to_dict()) for one in (cfg, with_options(cfg, options=settings)))
        assert {key: after[key] for key in tiny.differing(before, after)} == settings


def test_tables_6_and_8_have_all_their_rows():
    rows = [(stem, row) for stem, found in option_rows().items() for row in found]
    paper = [(stem, row) for stem, row in rows if row.error is not None]
    assert len([stem for stem, row in paper if row.table == 'Table 8']) == 3 * 4
    assert len([stem for stem, row in paper if row.table == 'Table 6']) == 2 * 4 * (2 + 1)
    assert [(row.options, row.error) for row in option_rows()['vat_isda_cifar10']] == [
        ('train_dataloader.dataset.num_labels=2000', 11.52), ('train_dataloader.dataset.num_labels=4000', 9.72)]
    assert {row.options: row.error for row in option_rows()['wrn28-10_cutout_isda_cifar100']} == {
        'default_hooks.isda.covariance=identity': 17.83, 'default_hooks.isda.covariance=diagonal': 17.54,
        'default_hooks.isda.covariance=shared': 18.12, 'default_hooks.isda.ramp=constant': 17.34}
