"""Options of the command line, and validation of config keys: MMEngine silently ignores an unknown or misspelt key."""
import argparse
import inspect
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from mmengine import registry as registries
from mmengine.config import Config, DictAction
from mmengine.registry.registry import Registry
from mmengine.runner import Runner
from torch.nn.utils import clip_grad_norm_, clip_grad_value_
from torch.utils.data import DataLoader

from isda_seg.openmmlab.config_nodes import did_you_mean, named_dicts

DICT = r'(?:^|[\[(,])\s*[\'"]?\{(?!\}[^\s,\])])'  # text with a placeholder, such as '{}.pth', is not a dict
# Arguments of the Runner, and further keys that the Runner, config reading and testing look up.
READ = frozenset(inspect.signature(Runner).parameters) - {'cfg'} | {
    'activation_checkpointing', 'compile', 'custom_imports', 'efficient_conv_bn_eval', 'find_unused_parameters',
    'likelihood', 'model_wrapper_cfg', 'pictures', 'sync_bn', 'tta_model', 'vis_backends'}
NO_DICT = {name for name, parameter in inspect.signature(Runner).parameters.items() if 'ict' not in str(parameter)}
REGISTRIES = [registries.MODELS, registries.TRANSFORMS,  # the most frequent ones first, to save failing look-ups
              *(one for one in vars(registries).values() if isinstance(one, Registry))]
BY_BUILDERS = {'type', '_scope_', 'name', 'override', 'requires_grad', 'priority', 'convert_to_iter_based',
               'epoch_length', 'constructor', 'paramwise_cfg'}  # keys that MMEngine and mmcv remove from a typed dict
UNTYPED = {  # keys of dicts without a type, by the path of the dict
    '(train|val|test)_dataloader': {'dataset', 'num_batch_per_epoch', *inspect.signature(DataLoader).parameters},
    'randomness': {*inspect.signature(Runner.set_randomness).parameters},
    'env_cfg': {'cudnn_benchmark', 'mp_cfg', 'dist_cfg', 'resource_limit'},
    r'optim_wrapper\..*clip_grad': {'type', *inspect.signature(clip_grad_norm_).parameters,
                                    *inspect.signature(clip_grad_value_).parameters},
    r'optim_wrapper\..*paramwise_cfg': {'bias_lr_mult', 'bias_decay_mult', 'norm_decay_mult', 'flat_decay_mult',
                                        'dwconv_decay_mult', 'dcn_offset_lr_mult', 'bypass_duplicate', 'custom_keys'},
    r'optim_wrapper\..*custom_keys\..*': {'lr_mult', 'decay_mult'}}
CLOSE = 0.85  # similarity above which an unknown name counts as a misspelt key


class OptionsAction(DictAction):
    """MMEngine's DictAction that rejects dicts, which DictAction keeps as a string or never finishes parsing."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace,
                 values: Sequence[str] | Any, option_string: str | None = None) -> None:
        """Store the dict of options in the namespace.

        Calls ``parser.error`` for an argument that is not KEY=VALUE and for a value that is a dict.
        """
        for text in values:
            key, equals, value = text.partition('=')
            if not equals:
                parser.error(f'{option_string} takes KEY=VALUE, got {text!r}')
            if 'dict(' in value or re.search(DICT, value):
                parser.error(f'{option_string} {key}: dicts are not supported as values. Set its keys one by one: '
                             f'{key}.a=1 {key}.b=2')
        super().__call__(parser, namespace, values, option_string)


def add_cfg_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction, metavar='KEY=VALUE',
                        help='override config keys, dotted if nested, such as optim_wrapper.optimizer.lr=0.01')


def type_of(node: Mapping[str, Any], registry: Registry, scope: str | None = None) -> Any:
    """Return the class of a config dict, which the registry holds, first in ``scope``; None for an unknown name."""
    kind = node.get('type')
    if not isinstance(kind, str):
        return kind
    for name in ([f'{scope}.{kind}'] if scope else []) + [kind]:
        try:
            found = registry.get(name)
        except (ImportError, KeyError, RuntimeError):
            continue
        if found is not None:
            return found
    return None


def argument(node: Mapping[str, Any], key: str, registry: Registry, otherwise: Any = None) -> Any:
    """Return a value of a config dict, or the default in its class or a base class; ``otherwise`` without either."""
    if key in node:
        return node[key]
    kind = type_of(node, registry)
    for base in kind.__mro__ if isinstance(kind, type) else ():
        known = inspect.signature(base).parameters.get(key)
        if known is not None and known.default is not known.empty and known.default is not None:
            return known.default
    return otherwise


def change_metrics(cfg: Config, change: Callable[[list[Any]], list[Any]]) -> None:
    """Replace the list of test metrics by ``change(metrics)``, in place; an Evaluator keeps its other arguments."""
    evaluator = cfg.test_evaluator
    wrapped = isinstance(evaluator, dict) and 'metrics' in evaluator and type_of(evaluator, registries.METRICS) is None
    metrics = evaluator['metrics'] if wrapped else evaluator
    metrics = change(list(metrics) if isinstance(metrics, (list, tuple)) else [metrics])
    cfg.test_evaluator = dict(evaluator, metrics=metrics) if wrapped else metrics


def check_names(cfg: Config) -> None:
    """Raise a ValueError for a misspelt top-level key of a config file.

    A key that the file itself uses more than once is an intermediate variable and passes.
    """
    for name in cfg:
        hint = did_you_mean(name, READ, CLOSE)
        if name not in READ and hint and len(re.findall(rf'\b{name}\b', cfg.text)) < 2:
            raise ValueError(f'unknown key {name} in {cfg.filename}: {hint}')


def merge_options(cfg: Config, options: Mapping[str, Any]) -> None:
    """Merge options, {dotted key: value}, into a config, in place; keys that are None or absent become dicts."""
    check_options(cfg, options)
    for option in options:
        node: Any = cfg
        for name in option.split('.')[:-1]:
            if hasattr(node, 'get') and node.get(name) is None:
                node[name] = {}
            node = _child(node, name)
    cfg.merge_from_dict(dict(options))


def check_options(cfg: Config, options: Iterable[str]) -> None:
    """Raise a ValueError for an option (dotted key) that has no effect.

    A new key is accepted inside an existing dict of the config. A dotted key below a key that the config lacks, or has
    as None, is accepted if the type of the surrounding dict takes that key, such as ``clip_grad`` of an OptimWrapper,
    or if another option gives it a type.
    """
    options = list(options)
    for option in options:
        first, *inner = option.split('.')
        if first not in READ:
            if first in cfg:
                raise ValueError(f'the option {option} has no effect: {first} is only a variable inside the config '
                                 'file. Set the keys that received its value, such as '
                                 'train_dataloader.dataset.pipeline for train_pipeline')
            raise ValueError(f'unknown option {option}: {_suggestion(first, READ)}')
        if inner and cfg.get(first) is None and first in NO_DICT:
            raise ValueError(f'unknown option {option}: {first} is not a dict, so it has no {inner[0]}')
        path, node = first, cfg.get(first)
        for name in inner[:-1]:
            if isinstance(node, Mapping) and name not in node and f'{path}.{name}.type' not in options \
                    and name not in BY_BUILDERS | _arguments(node, path, cfg.get('default_scope'))[0]:
                raise ValueError(f'unknown option {option}: in {cfg.filename or "the config"}, '
                                 f'{path} has no {name}; {_suggestion(name, node)}')
            path, node = f'{path}.{name}', _child(node, name)


def check_arguments(cfg: Config) -> None:
    """Raise a ValueError for an argument in a config that the class of its dict does not take.

    A class with ``**kwargs`` and a dict without a type may take others: there, only a misspelt name is an error.
    """
    scope = cfg.get('default_scope')
    for path, node in named_dicts({name: cfg[name] for name in cfg if name in READ}):
        known, complete = _arguments(node, path, scope)
        for name in node.keys() - known - BY_BUILDERS if known else ():
            if complete or did_you_mean(name, known, CLOSE):
                hint = did_you_mean(name, known | BY_BUILDERS) or _suggestion(name, known)
                raise ValueError(f'unknown argument {path}.{name}: {hint}')


def _arguments(node: Mapping[str, Any], path: str, scope: str | None) -> tuple[set[str], bool]:
    """Return the arguments of a config dict, empty for an unknown type, and whether it takes no others."""
    if node.get('type') is None and path == 'optim_wrapper' and 'optimizer' in node:
        node = dict(node, type='OptimWrapper')
    kind = next(filter(None, (type_of(node, registry, scope) for registry in REGISTRIES)), None)
    if not inspect.isclass(kind):
        return next((names for of, names in UNTYPED.items() if re.fullmatch(of, path)), set()), False
    names: set[str] = set()
    complete = True
    for own in filter(None, (vars(base).get('__init__') for base in kind.__mro__)):
        parameters = inspect.signature(own).parameters.values()
        names |= {one.name for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)}
        if not any(one.kind is one.VAR_KEYWORD for one in parameters):
            break
        complete = False
    return names - {'self'}, complete


def _child(node: Any, name: str) -> Any:
    """Return an entry of a dict or list; None for a bad index or another value, which MMEngine reports itself."""
    if isinstance(node, Mapping | Config):
        return node.get(name)
    if isinstance(node, (list, tuple)) and name.isdecimal() and int(name) < len(node):
        return node[int(name)]
    return None


def _suggestion(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, known) or f'the known keys are {", ".join(sorted(known))}'
