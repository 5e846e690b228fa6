"""Every module and tool is imported without the modules and functions that only POSIX systems have."""
import subprocess
import sys

from helpers import without_posix
from helpers.documents import ROOT
from helpers.exhaustive import exhaustive

SERIES = [ROOT / 'isda_seg' / 'paper' / 'series' / 'processes.py', *(
    ROOT / 'tools' / 'benchmarks' / f'{name}.py' for name in ('paired', 'sweep'))]
ALL = [*sorted((ROOT / 'isda_seg').rglob('*.py')), *sorted((ROOT / 'tools').rglob('*.py'))]
OPTIONAL = {'mmdet', 'mmpretrain', 'sklearn', 'torchvision', 'transformers', 'triton'}


def imported(root, *files):
    return subprocess.run([sys.executable, without_posix.__file__, root, *files], cwd=ROOT, capture_output=True,
                          text=True)


@exhaustive('files', [SERIES, ALL], ids=['series', 'all'])
def test_modules_and_tools_are_imported_without_posix(files):
    done = imported(ROOT, *files)
    assert done.returncode == 0, done.stderr
    skipped = [line.split() for line in done.stdout.splitlines() if ' ' in line]
    assert {package.split('.')[0] for _, package in skipped} <= OPTIONAL
    assert len(skipped) < len(files) / 10


def test_use_of_posix_at_import_is_found(tmp_path):
    for code, expected in (('import fcntl', 'imports fcntl'), ('import os\nos.nice(0)', "no attribute 'nice'"),
                           ('from signal import SIGUSR1', 'SIGUSR1'), ('def later():\n    import fcntl', ''),
                           ('import os.path, sys\nsys.platform == "win32" or os.getuid()', '')):
        (tmp_path / 'module.py').write_text(code)
        done = imported(tmp_path, tmp_path / 'module.py')
        assert bool(done.returncode) == bool(expected) and expected in done.stderr, done.stderr
