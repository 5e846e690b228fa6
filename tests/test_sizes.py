"""Sizes of the package. ``python -m pytest -s tests/test_sizes.py`` prints them."""
import re
import statistics
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / 'isda_seg'
LINES = {path: len(path.read_text().splitlines()) for path in PACKAGE.rglob('*.py')}
MODULES = {path: lines for path, lines in LINES.items() if path.name != '__init__.py'}
KERNELS = PACKAGE / 'core/kernels'  # for GPUs; core has the same in PyTorch operators
METHOD = ('core', 'attachment', 'openmmlab', 'attach.py', 'criterion.py', 'losses.py', 'hooks.py')
STUDIES = ('paper', 'demo_data')  # the paper's experiments and the synthetic street scenes


def part_of(path):
    return path.relative_to(PACKAGE).parts[0]


def names(paths):
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def test_lines_by_package_stay_within_their_limits():
    parts = {part: sum(lines for path, lines in LINES.items() if part_of(path) == part)
             for part in sorted({part_of(path) for path in LINES})}
    kernels = sum(lines for path, lines in LINES.items() if path.is_relative_to(KERNELS))
    method = sum(parts[part] for part in METHOD) - kernels
    library = sum(lines for part, lines in parts.items() if part not in STUDIES) - kernels
    print()
    for part, lines in [*parts.items(), ('the method', method), ('kernels', kernels),
                        ('without paper, demo_data and kernels', library)]:
        print(f'{lines:6,} {part}')
    assert method <= 4_736
    assert kernels <= 1_550
    assert library <= 11_367


def test_modules_have_at_most_250_lines_and_a_median_below_90():
    longest = max(MODULES, key=MODULES.get)
    print(f'\n{len(MODULES)} modules, median {statistics.median(MODULES.values())} lines, longest '
          f'{longest.relative_to(ROOT)} with {MODULES[longest]}')
    assert MODULES[longest] <= 250
    assert statistics.median(MODULES.values()) < 90


def test_few_modules_have_less_than_20_lines():
    short = names(path for path, lines in MODULES.items() if lines < 20)
    print('\nbelow 20 lines:', *short)
    assert len(short) <= 6


def test_the_package_has_few_folders_and_root_files():
    folders = {path.parent for path in MODULES}
    of_paper = {folder for folder in folders if folder.is_relative_to(PACKAGE / 'paper')}
    root = names(path for path in LINES if path.parent == PACKAGE)
    print(f'\n{len(folders)} folders, {len(of_paper)} of them in paper; {len(root)} files at the root')
    assert len(folders - of_paper) <= 14 and len(of_paper) <= 12
    assert len(root) <= 7


def test_the_tour_is_a_few_short_files():
    files = re.findall(r'^\d+\. \[(isda_seg/[\w/]+\.py)\]', (ROOT / 'README.md').read_text(), re.MULTILINE)
    lines = [LINES[ROOT / file] for file in files]
    print(f'\ntour: {", ".join(map(str, lines))} lines')
    assert 3 <= len(files) <= 5 and sum(lines) <= 350
