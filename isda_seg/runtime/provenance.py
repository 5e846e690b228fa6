"""Provenance of a result: command, commit, seed, versions, hardware."""
import json
import os
import platform
import re
import subprocess
import sys
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from isda_seg.runtime.durable import written_aside

PACKAGES = ('torch', 'numpy', 'onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'onedl-mmdetection', 'mmengine',
            'mmcv', 'mmcv-lite', 'mmsegmentation', 'mmdet', 'opencv-python', 'scikit-learn', 'transformers',
            'segmentation-models-pytorch')


def provenance(seed: int | None = None) -> dict[str, Any]:
    """Return command line, commit ('-dirty' if the source tree was modified), seed, versions, hardware and time."""
    return dict(command=' '.join([Path(sys.executable).name, *map(_relative, sys.argv)]), commit=commit(), seed=seed,
                versions=versions(), hardware=hardware(), date=datetime.now(timezone.utc).isoformat(timespec='seconds'))


def commit(folder: Path = Path(__file__).parent) -> str:
    """Return the git commit of the source tree, or 'unknown' for an installed package."""
    def git(*words: str) -> str:
        return subprocess.run(['git', *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()

    try:
        if not git('ls-files', '.'):
            return 'unknown'  # installed inside another repository
        return git('describe', '--always', '--dirty', '--abbrev=12', '--exclude=*')
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that results depend on."""
    found = {'python': platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def hardware() -> str:
    """Return the number and name of the GPUs, or the processor with its cores and the number of threads."""
    if torch.cuda.is_available():
        return f'{torch.cuda.device_count()} x {torch.cuda.get_device_name()}'
    model = platform.processor() or platform.machine()
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        model = next(line.split(':')[1].strip() for line in lines if line.startswith('model name'))
    except (OSError, StopIteration):
        pass
    return f'{model}, {os.cpu_count()} cores, {torch.get_num_threads()} threads'


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as JSON, atomically. A list or an object without others in it stands on one line."""
    text = re.sub(r'([\[{])\n +([^][{}]+?)\n +([]}])',
                  lambda found: found[1] + re.sub(r'\n +', ' ', found[2]) + found[3], json.dumps(value, indent=2))
    with written_aside(Path(path)) as aside:
        aside.write_text(text + '\n')


def _relative(argument: str) -> str:
    """Return an absolute path relative to the current folder if it is inside, else its file name."""
    path = Path(argument)
    if not path.is_absolute():
        return argument
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else path.name
