"""Test ISDA with every config of the installed MMSegmentation or MMDetection."""
import contextlib
import logging
import os
import re
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import torch
from mmengine.config import Config
from mmengine.registry import HOOKS, DefaultScope
from torch import nn

from isda_seg import compat
from isda_seg.openmmlab.config_nodes import dicts
from isda_seg.runtime.launch import plain_batch_norm

DIFF = "default_hooks = dict(isda=dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5))\n"
WRAPPED, NOT_WRAPPED, REFUSED, UNCLEAR, NOT_BUILT = VERDICTS = (
    'wrapped', 'not wrapped', 'refused', 'unclear', 'not built')
PACKAGES = ('mmseg', 'mmdet')


class Verdict(NamedTuple):
    """Verdict on a config, one of ``VERDICTS``, with log lines or the error."""
    kind: str
    messages: list[str]


def zoo(package: str = PACKAGES[0]) -> list[Path]:
    """Return all configs of an installed package, sorted; the folder of a config is its model family."""
    compat.prepare()
    if package == 'mmdet':
        compat.require_detection()
    folder = Path(str(import_module(package).__file__)).parent / '.mim' / 'configs'
    return sorted(path for path in folder.glob('*/*.py') if path.parent.name != '_base_')


def with_diff(path: Path, diff: str = DIFF) -> Config:
    """Load a config that has the package's config as ``_base_``, and adds ``diff``."""
    with tempfile.TemporaryDirectory() as folder:
        user_config = Path(folder) / 'mine.py'
        user_config.write_text(f'_base_ = {str(path)!r}\n{diff}', encoding='utf-8')
        return Config.fromfile(user_config)


def without_downloads(model: Any) -> Any:
    """Remove pretrained weights, also of teachers, and replace SyncBN by BN in a model config, in place."""
    for node in dicts(model):
        node.pop('pretrained', None)
        node.pop('teacher_ckpt', None)
        if isinstance(node.get('init_cfg'), dict) and node['init_cfg'].get('type') == 'Pretrained':
            node.pop('init_cfg')
    plain_batch_norm(model)
    return model


def build_and_wrap(path: Path) -> Verdict:
    """Build the model of a config with the diff, run the hook, and return the verdict."""
    try:
        cfg = with_diff(path)
        if 'model' not in cfg:
            raise ValueError('the file has no model: it is a part of other configs')
        scope = cfg.get('default_scope', PACKAGES[0])
        with DefaultScope.overwrite_default_scope(scope), uninitialised():
            model = import_module(f'{scope}.registry').MODELS.build(without_downloads(cfg.model))
    except Exception as error:  # configs need different operators and packages
        return Verdict(NOT_BUILT, [first_line(with_remedy(error))])
    return start(model, cfg)


def start(model: nn.Module, cfg: Config) -> Verdict:
    """Run the ISDAHook of the config on a model, and return the verdict."""
    lines: list[str] = []
    logger = SimpleNamespace(info=lines.append)
    try:
        with DefaultScope.overwrite_default_scope(cfg.get('default_scope', 'mmseg')):
            HOOKS.build(cfg.default_hooks.isda).before_run(SimpleNamespace(model=model, cfg=cfg, logger=logger))
    except ValueError as error:
        return Verdict(NOT_WRAPPED if 'found no loss to wrap' in str(error) else REFUSED, [str(error)])
    except Exception as error:
        return Verdict(UNCLEAR, [first_line(error)])
    return Verdict(WRAPPED, lines)


def with_remedy(error: Exception) -> Exception:
    """Return the build error; for missing compiled operators, the error with installation instructions."""
    operator = re.search(r'Please install \S*mmcv for (\w+) ops', str(error))  # message of MMSegmentation
    if operator:
        try:
            compat.require_operators(operator[1])
        except ImportError as remedy:
            return remedy
    return error


def first_line(error: Exception) -> str:
    """Format an error in one line, with paths below the folder of installed packages."""
    line = (str(error).strip().splitlines() or [''])[0].replace(f'{sysconfig.get_path("purelib")}{os.sep}', '')
    return f'{type(error).__name__}: {" ".join(line.split())}'


@contextlib.contextmanager
def uninitialised() -> Iterator[None]:
    """Skip random weight initialisation inside this context, to build large models quickly."""
    names = [name for name in vars(nn.init) if name.endswith('_') and not name.startswith('_') and name not in
             ('zeros_', 'ones_', 'constant_')]
    with contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(mock.patch.object(nn.init, name, lambda tensor, *_, **__: tensor))
        yield


def survey(paths: Sequence[Path]) -> Iterator[tuple[Path, Verdict]]:
    """Yield the verdict on each config; equal model configs are built once."""
    verdicts: dict[str, Verdict] = {}
    for path in paths:
        with quiet():
            key = model_text(path)
            if key not in verdicts:
                verdicts[key] = build_and_wrap(path)
        yield path, verdicts[key]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Suppress logging and preserve the random state while models are built."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        logging.disable(before)


def model_text(path: Path) -> str:
    """Return the text of the model config, a key for equal models."""
    try:
        return str(Config.fromfile(path, import_custom_modules=False).get('model'))
    except Exception as error:  # part of the report
        return f'{path}: {error}'


def summary(verdicts: dict[str, Verdict]) -> dict[str, Any]:
    """Count verdicts, in total and by family, and list each message with its configs ('family/name.py')."""
    families: dict[str, Counter[str]] = {}
    reasons: dict[tuple[str, str], list[str]] = {}
    for name, verdict in verdicts.items():
        families.setdefault(name.split('/')[0], Counter())[verdict.kind] += 1
        for reason in verdict.messages:
            if verdict.kind == WRAPPED and 'is not wrapped' not in reason:
                continue
            reasons.setdefault((verdict.kind, reason), []).append(name)
    counts = Counter(verdict.kind for verdict in verdicts.values())
    return dict(configurations=len(verdicts), counts={kind: counts[kind] for kind in VERDICTS},
                families={family: dict(found) for family, found in sorted(families.items())},
                messages=[dict(verdict=kind, message=reason, configurations=names)
                      for (kind, reason), names in sorted(reasons.items())])


def report(found: dict[str, Any]) -> str:
    """Format the counts, the families, and the messages with their number of configs."""
    lines = [f'{found["configurations"]} configurations in {len(found["families"])} families: '
             + ', '.join(f'{kind} {count}' for kind, count in found['counts'].items())]
    lines += [f'  {family}: {", ".join(f"{kind} {count}" for kind, count in counts.items())}'
              for family, counts in found['families'].items()]
    lines += [f'{entry["verdict"]} ({len(entry["configurations"])}): {entry["message"]}' for entry in found['messages']]
    return '\n'.join(lines)
