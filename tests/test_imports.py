"""The rules of the rooms: who imports whom, and how large a module may be."""

import ast
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'isda_seg'
ROOMS = ('segmentation', 'classification', 'semi', 'detection', 'analysis')
ALLOWED_BETWEEN_ROOMS = {('semi', 'classification')}
GROUND = ('core', 'attach.py', 'losses.py', 'hooks.py', 'reproducible.py', 'compat.py')  # what the rooms stand on
MODULES = sorted(PACKAGE.rglob('*.py'))


def names(path):
    return str(path.relative_to(ROOT))


def imported(tree, package):
    """Dotted names of all that a module imports, anywhere in it; `package` is the dotted package it lies in."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split('.')[:len(package.split('.')) - node.level + 1] if node.level else []
            base = '.'.join([*base, *([node.module] if node.module else [])])
            found.update([base, *(f'{base}.{alias.name}' for alias in node.names)])
    return found


def imports_of(path):
    return imported(ast.parse(path.read_text()), '.'.join(path.relative_to(ROOT).parent.parts))


def within(name, package):
    return name == package or name.startswith(f'{package}.')


def foreign(path, *allowed):
    """What a module imports beside the standard library and the allowed packages."""
    return sorted(name for name in imports_of(path) if name.split('.')[0] not in sys.stdlib_module_names
                  and not any(within(name, package) for package in allowed))


def room_of(path):
    part = path.relative_to(PACKAGE).parts[0]
    return part if part in ROOMS else None


def strangers(room, imports):
    """The rooms among the imports that the given room (or None: the ground) may not import."""
    return [other for other in ROOMS if other != room and (room, other) not in ALLOWED_BETWEEN_ROOMS
            and any(within(name, f'isda_seg.{other}') for name in imports)]


def test_the_reader_of_imports_sees_every_form():
    source = 'import a.b\nfrom . import c\nfrom ..d import e\ndef f():\n    from g import h\n'
    assert imported(ast.parse(source), 'isda_seg.semi') == {
        'a.b', 'isda_seg.semi', 'isda_seg.semi.c', 'isda_seg.d', 'isda_seg.d.e', 'g', 'g.h'}


def test_the_rule_of_rooms_tells_a_stranger_from_a_friend():
    assert strangers('segmentation', {'isda_seg.semi.model', 'isda_seg.core'}) == ['semi']
    assert strangers('semi', {'isda_seg.classification', 'isda_seg.losses', 'isda_seg.analysis'}) == ['analysis']
    assert strangers('classification', {'isda_seg.semi'}) == ['semi']
    assert strangers('semi', {'isda_seg.semi.model', 'isda_seg.semiotics'}) == []


@pytest.mark.parametrize('path', sorted((PACKAGE / 'core').rglob('*.py')), ids=names)
def test_core_imports_torch_and_the_standard_library_only(path):
    assert foreign(path, 'torch', 'isda_seg.core') == []


PLAIN = [module for module in ('isda_seg', 'isda_seg.core', 'isda_seg.attach')
         if (ROOT / module.replace('.', '/')).is_dir() or (ROOT / module.replace('.', '/')).with_suffix('.py').exists()]


@pytest.mark.parametrize('module', PLAIN)
def test_importing_what_is_plain_torch_loads_no_mm_module(module):
    code = f'import json, sys, {module}; print(json.dumps(sorted(sys.modules)))'
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, '-c', code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert module in loaded
    assert [m for m in loaded if m.startswith('mm') and m.split('.')[0] not in sys.stdlib_module_names] == []


@pytest.mark.parametrize('path', MODULES, ids=names)
def test_rooms_never_import_each_other_and_their_ground_imports_none(path):
    bound = room_of(path) or path.relative_to(PACKAGE).parts[0] in GROUND
    assert (strangers(room_of(path), imports_of(path)) if bound else []) == []


def test_nothing_imports_tools():
    paths = [path for folder in ('isda_seg', 'tools', 'tests') for path in (ROOT / folder).rglob('*.py')]
    assert len(paths) > len(MODULES)
    assert [names(path) for path in paths if any(within(name, 'tools') for name in imports_of(path))] == []


def test_no_module_is_longer_than_250_lines():
    assert [names(path) for path in MODULES if len(path.read_text().splitlines()) > 250] == []


def test_the_median_module_has_fewer_than_90_lines():
    lengths = [len(path.read_text().splitlines()) for path in MODULES if path.name != '__init__.py']
    assert statistics.median(lengths) < 90
