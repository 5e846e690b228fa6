"""Printed commands and arms run as printed: the tool's own parser takes them, and the config takes its options."""
import functools
import importlib.util
import re
import sys

import pytest
from helpers import tiny
from helpers.documents import DOCUMENTS, ROOT, commands, split
from mmengine.registry import HOOKS, MODELS, init_default_scope

from docs.model_index import list_configs
from isda_seg import compat
from isda_seg.paper.series.arm import Arm, parse_arm, parse_arms
from isda_seg.paper.series.result_files import read_series
from isda_seg.paper.series.run_options import with_options

compat.prepare()

CONFIGS = {path.stem: str(path) for path in list_configs(ROOT)}
NEEDS_DETECTION = ('configs/coco/', 'configs/coco256/')
OPTION = r'[a-z_]\w*(?:\.\w+)+=[^\s`\]|,]+'
LABEL = re.compile(rf'(?<![\w./-])([\w+-]+)((?: {OPTION})+)')


def labels():
    """The arms in tables and text that have options, each once: a config's stem and KEY=VALUE."""
    found = [match for path in DOCUMENTS for match in LABEL.findall(path.read_text()) if match[0] in CONFIGS]
    return sorted({f'{stem}{options}' for stem, options in found})


def documented():
    """Return the configs whose docstring names options, with these options."""
    found = {path: re.findall(OPTION, (ROOT / path).read_text().split('"""')[1]) for path in CONFIGS.values()}
    return [pytest.param(path, options, id=path, marks=[pytest.mark.mmdet] * path.startswith(NEEDS_DETECTION))
            for path, options in found.items() if options]


def tool_commands():
    """The printed commands of tools that can be asked to parse: all but those `make` starts."""
    found = [words for words in map(split, commands()) if words[0].startswith('tools/')]
    return [pytest.param(words, marks=[pytest.mark.mmdet] * any(word.startswith(NEEDS_DETECTION) for word in words))
            for words in found if 'def parse_args' in (ROOT / script(words[0])).read_text()]


def script(tool):
    """A tool's file; of dist_*.sh and slurm_*.sh that of the tool they start."""
    return re.sub(r'(?:dist|slurm)_(\w+)\.sh', r'\1.py', tool)


@functools.cache
def load(path):
    """The module of a tool."""
    spec = importlib.util.spec_from_file_location(path, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def parse(words, monkeypatch):
    """Parse the words as the tool does, without what only dist_*.sh (GPUs) and slurm_*.sh (partition, job) read."""
    tool, *rest = words
    if 'slurm_' in tool:
        rest = rest[2:]
    elif tool.endswith('.sh'):
        gpus = next(place for place, word in enumerate(rest) if word.isdecimal())
        rest = [*rest[:gpus], *rest[gpus + 1:]]
    monkeypatch.setattr(sys, 'argv', [script(tool), *rest])
    monkeypatch.chdir(ROOT)
    return load(script(tool)).parse_args()


read = functools.cache(lambda config: compat.read_config(str(ROOT / config)))


def assert_takes(config, options):
    """A config has the options, and the hooks and the model that get them take them."""
    cfg = with_options(read(config), 0, options)
    found = tiny.flat(cfg.to_dict())
    assert {key: found[key] for key in options} == options
    init_default_scope(cfg.get('default_scope', 'mmengine'))
    for name in {key.split('.')[1] for key in options if key.startswith('default_hooks.')}:
        HOOKS.build(cfg.default_hooks[name])
    if any(key.startswith('model.') and 'init_cfg' not in key for key in options):
        MODELS.build(cfg.model)


@pytest.mark.parametrize('words', tool_commands())
def test_a_printed_command_is_parsed_and_its_configs_take_its_options(words, monkeypatch):
    args = vars(parse(words, monkeypatch))
    options = args.get('cfg_options') or {}
    if args.get('plain', '').startswith('configs/'):
        arms = parse_arms([args['plain'], *args['isda']])
    else:
        named = [args.get('config'), *args.get('models', [])[::2]]
        arms = [parse_arm(text) for text in named if text and text.startswith('configs/')]
    assert len(arms) >= any(word.startswith('configs/') and '.py' in word for word in words)
    for arm in arms:
        assert_takes(arm.config, {**options, **arm.settings})


@pytest.mark.parametrize('label', labels())
def test_a_printed_arm_is_parsed_and_its_config_takes_its_options(label):
    stem, *options = label.split(' ')
    arm = parse_arm(' '.join([CONFIGS[stem], *options]))
    assert arm == Arm(CONFIGS[stem], tuple(options)) and arm.label == label
    assert_takes(arm.config, arm.settings)


def test_every_recorded_arm_is_that_of_a_config():
    series = read_series(ROOT / 'configs' / 'results' / 'series')
    recorded = {arm.split(' ')[0] for entry in series.values() if entry['kind'] == 'paired' for arm in entry['runs']}
    assert len(recorded) > 40 and recorded - CONFIGS.keys() == set()


@pytest.mark.parametrize('config, options', documented())
def test_the_options_in_the_docstring_of_a_config_are_taken_by_it(config, options):
    for option in options:
        assert_takes(config, Arm(config, (option,)).settings)


def test_options_of_older_spelling_are_refused():
    with pytest.raises(KeyError, match='must contain the key "type"'):
        assert_takes(CONFIGS['resnet8_isda_cifar10-1k'], {'model.loss.lambda_0': 1})
    with pytest.raises(TypeError, match='lambda_0'):
        assert_takes(CONFIGS['resnet8_lq_isda_cifar10-1k'], {'model.loss.lambda_0': 1})
