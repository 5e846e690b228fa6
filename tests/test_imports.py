"""The package layout: imports point down."""

import ast
import re
import sys
from pathlib import Path

import pytest
from helpers import tiny

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'isda_seg'
ORDER = re.search(r'`(core/ops <- [^`]*)`', (ROOT / 'CONTRIBUTING.md').read_text())[1]
# From the lowest: a package may import itself and the packages of earlier levels.
LEVELS = [level.split(', ') for level in ' '.join(ORDER.split()).split(' <- ')]
TASKS = {'segmentation', 'classification', 'detection', 'semi'}
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


def unit_of(name):
    """The file or folder of isda_seg that holds a dotted name, core/ops apart from core; None for isda_seg itself."""
    if within(name, 'isda_seg.core.ops'):
        return 'core/ops'
    parts = name.split('.')
    return parts[1] if len(parts) > 1 else None


def level_of(unit):
    return next(level for level, units in enumerate(LEVELS) if unit in units)


def dotted(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def upward(name, imports):
    """The imported units on the module's own level or above it."""
    own = unit_of(name)
    others = {unit_of(other) for other in imports if within(other, 'isda_seg')} - {None, own}
    others = {unit for unit in others if any(unit in units for units in LEVELS)}  # not names inside of modules
    return sorted(unit for unit in others if level_of(unit) >= level_of(own))


def cycle(graph):
    """Return a cycle of imports, or []: `graph` maps each name to what it imports."""
    done, path = set(), []

    def visit(name):
        if name in path:
            return path[path.index(name):]
        if name in done:
            return []
        path.append(name)
        found = next((loop for other in sorted(graph.get(name, ())) if (loop := visit(other))), [])
        path.pop()
        done.add(name)
        return found

    return next((loop for name in sorted(graph) if (loop := visit(name))), [])


def test_every_form_of_import_is_found():
    source = 'import a.b\nfrom . import c\nfrom ..d import e\ndef f():\n    from g import h\n'
    assert imported(ast.parse(source), 'isda_seg.semi') == {
        'a.b', 'isda_seg.semi', 'isda_seg.semi.c', 'isda_seg.d', 'isda_seg.d.e', 'g', 'g.h'}


def test_upward_and_sideways_imports_are_found():
    assert upward('isda_seg.segmentation.loading', {'isda_seg.semi.hook', 'isda_seg.core', 'isda_seg.detection'}) == [
        'detection', 'semi']
    assert upward('isda_seg.semi.hook', {'isda_seg.classification', 'isda_seg.losses', 'isda_seg.run'}) == ['run']
    assert upward('isda_seg.attach', {'isda_seg.criterion', 'isda_seg.losses.ISDALoss', 'isda_seg'}) == ['losses']
    imports = {'isda_seg.attach', 'isda_seg.attachment.verification', 'isda_seg.openmmlab.pairs'}
    assert upward('isda_seg.criterion', imports) == ['attach', 'openmmlab']
    assert upward('isda_seg.core.margin', {'isda_seg.attachment.label_grid', 'isda_seg.corelike'}) == ['attachment']
    assert upward('isda_seg.core.ops.fused', {'isda_seg.core.prior', 'isda_seg.core.ops.checks'}) == ['core']
    assert upward('isda_seg.core.margin', {'isda_seg.core.ops.quadratic', 'isda_seg.core.ops'}) == []


def test_a_cycle_is_found_from_any_entry():
    assert cycle({'a': {'b'}, 'b': {'c'}, 'c': {'d', 'b'}, 'd': set()}) == ['b', 'c']
    assert cycle({'a': {'b', 'c'}, 'b': {'c'}, 'c': set()}) == []


@pytest.mark.parametrize('path', sorted((PACKAGE / 'core').rglob('*.py')), ids=names)
def test_core_imports_only_torch_and_the_standard_library(path):
    allowed = ('triton', ) if path.parent.name == 'kernels' and path.stem != '__init__' else ()
    assert foreign(path, 'torch', 'isda_seg.core', *allowed) == []


PLAIN = ('isda_seg', 'isda_seg.core', 'isda_seg.criterion', 'isda_seg.attach', 'isda_seg.openmmlab.wrapping',
         'isda_seg.openmmlab.unused_losses', 'isda_seg.openmmlab.config_nodes')


@pytest.mark.parametrize('module', PLAIN)
def test_plain_torch_modules_load_no_mm_module(module):
    loaded = tiny.loaded_by(f'import {module}')
    assert module in loaded
    assert tiny.of_openmmlab(loaded) == []


@pytest.mark.parametrize('path', [path for path in MODULES if path.parent != PACKAGE or path.stem != '__init__'],
                         ids=names)
def test_imports_point_down(path):
    assert upward(dotted(path), imports_of(path)) == []


def test_the_order_names_each_package_once():
    units = [unit for level in LEVELS for unit in level]
    assert sorted(units) == sorted({unit_of(dotted(path)) for path in MODULES} - {None} | {'tools'})


def test_semi_alone_imports_another_task():
    pairs = {(unit_of(dotted(path)), unit_of(name)) for path in MODULES for name in imports_of(path)
             if within(name, 'isda_seg')}
    assert {(own, other) for own, other in pairs if {own, other} <= TASKS and own != other} == {
        ('semi', 'classification')}


def test_no_modules_import_each_other_in_a_cycle():
    known = {dotted(path) for path in MODULES}
    graph = {dotted(path): {name for name in imports_of(path) & known if not within(dotted(path), name)}
             for path in MODULES}
    assert len(graph) == len(MODULES) > 100
    assert cycle(graph) == []


def test_nothing_imports_tools():
    paths = [path for folder in ('isda_seg', 'tools', 'tests') for path in (ROOT / folder).rglob('*.py')]
    assert len(paths) > len(MODULES)
    assert [names(path) for path in paths if any(within(name, 'tools') for name in imports_of(path))] == []
