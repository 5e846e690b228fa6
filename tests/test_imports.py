"""The rules of the rooms: who imports whom, and how large a module may be."""

import ast
import re
import statistics
import sys
from pathlib import Path

import pytest
from helpers import tiny

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'isda_seg'
ORDER = re.search(r'`(core <- [^`]*)`', (ROOT / 'CONTRIBUTING.md').read_text())[1]
# From the lowest: what stands in a line may import what stands in the lines above, and its own room.
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


def room_of(name):
    """The room of a module's dotted name: the file or folder of the package; None for the package itself."""
    parts = name.split('.')
    return parts[1] if len(parts) > 1 else None


def level_of(room):
    return next(level for level, rooms in enumerate(LEVELS) if room in rooms)


def dotted(path):
    parts = path.relative_to(ROOT).with_suffix('').parts
    return '.'.join(parts[:-1] if parts[-1] == '__init__' else parts)


def upward(name, imports):
    """The rooms among the imports that stand on the module's own, or beside it."""
    own = room_of(name)
    others = {room_of(other) for other in imports if within(other, 'isda_seg')} - {None, own}
    others = {room for room in others if any(room in rooms for rooms in LEVELS)}  # not names inside of modules
    return sorted(room for room in others if level_of(room) >= level_of(own))


def circle(graph):
    """A circle of imports, or []: `graph` says what each name imports."""
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


def test_the_reader_of_imports_sees_every_form():
    source = 'import a.b\nfrom . import c\nfrom ..d import e\ndef f():\n    from g import h\n'
    assert imported(ast.parse(source), 'isda_seg.semi') == {
        'a.b', 'isda_seg.semi', 'isda_seg.semi.c', 'isda_seg.d', 'isda_seg.d.e', 'g', 'g.h'}


def test_the_rule_of_rooms_tells_down_from_up_and_beside():
    assert upward('isda_seg.segmentation.loading', {'isda_seg.semi.hook', 'isda_seg.core', 'isda_seg.detection'}) == [
        'detection', 'semi']
    assert upward('isda_seg.semi.hook', {'isda_seg.classification', 'isda_seg.losses', 'isda_seg.run'}) == ['run']
    assert upward('isda_seg.attach', {'isda_seg.criterion', 'isda_seg.losses.ISDALoss', 'isda_seg'}) == ['losses']
    assert upward('isda_seg.criterion', {'isda_seg.attach', 'isda_seg.handshake', 'isda_seg.serving.pairs'}) == [
        'attach', 'serving']
    assert upward('isda_seg.core.fused', {'isda_seg.grid', 'isda_seg.corelike'}) == ['grid']


def test_a_circle_is_found_wherever_it_is_entered():
    assert circle({'a': {'b'}, 'b': {'c'}, 'c': {'d', 'b'}, 'd': set()}) == ['b', 'c']
    assert circle({'a': {'b', 'c'}, 'b': {'c'}, 'c': set()}) == []


@pytest.mark.parametrize('path', sorted((PACKAGE / 'core').rglob('*.py')), ids=names)
def test_core_imports_torch_and_the_standard_library_only(path):
    assert foreign(path, 'torch', 'isda_seg.core') == []


PLAIN = ('isda_seg', 'isda_seg.core', 'isda_seg.serving.serve', 'isda_seg.serving.swallowed')


@pytest.mark.parametrize('module', PLAIN)
def test_importing_what_is_plain_torch_loads_no_mm_module(module):
    loaded = tiny.loaded_by(f'import {module}')
    assert module in loaded
    assert tiny.of_openmmlab(loaded) == []


@pytest.mark.parametrize('path', [path for path in MODULES if path.parent != PACKAGE or path.stem != '__init__'],
                         ids=names)
def test_no_arrow_points_up(path):
    assert upward(dotted(path), imports_of(path)) == []


def test_the_order_names_each_room_once():
    rooms = [room for level in LEVELS for room in level]
    assert sorted(rooms) == sorted({room_of(dotted(path)) for path in MODULES} - {None} | {'tools'})


def test_of_the_tasks_only_semi_imports_another():
    pairs = {(room_of(dotted(path)), room_of(name)) for path in MODULES for name in imports_of(path)
             if within(name, 'isda_seg')}
    assert {(own, other) for own, other in pairs if {own, other} <= TASKS and own != other} == {
        ('semi', 'classification')}


def test_no_modules_import_each_other_in_a_circle():
    known = {dotted(path) for path in MODULES}
    graph = {dotted(path): {name for name in imports_of(path) & known if not within(dotted(path), name)}
             for path in MODULES}
    assert len(graph) == len(MODULES) > 100
    assert circle(graph) == []


def test_a_drawing_of_the_package_fits_a_page():
    rooms = {path.parent for path in MODULES}
    assert len(rooms) <= 18
    assert len([path for path in MODULES if path.parent == PACKAGE]) <= 12


def test_nothing_imports_tools():
    paths = [path for folder in ('isda_seg', 'tools', 'tests') for path in (ROOT / folder).rglob('*.py')]
    assert len(paths) > len(MODULES)
    assert [names(path) for path in paths if any(within(name, 'tools') for name in imports_of(path))] == []


def test_no_module_is_longer_than_250_lines():
    assert [names(path) for path in MODULES if len(path.read_text().splitlines()) > 250] == []


def test_the_median_module_has_fewer_than_90_lines():
    lengths = [len(path.read_text().splitlines()) for path in MODULES if path.name != '__init__.py']
    assert statistics.median(lengths) < 90
