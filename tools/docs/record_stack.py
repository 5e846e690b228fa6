"""Record that tests pass with the installed versions: python tools/docs/record_stack.py WHAT [arguments of pytest]

The table of docs/install.md is made from these records: python tools/make.py tables.
"""
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from isda_seg.paper.result_tables import markdown
from isda_seg.runtime.provenance import provenance, write_json

OUT = Path(__file__).resolve().parents[2] / 'configs' / 'results' / 'stacks.json'
SHOWN = ('onedl-mmengine', 'onedl-mmcv', 'onedl-mmsegmentation', 'onedl-mmdetection', 'mmengine', 'mmcv', 'mmcv-lite',
         'mmsegmentation', 'transformers', 'segmentation-models-pytorch')


def table(path: Path) -> str:
    """Return one row per recorded run of tests, oldest torch first."""
    records = sorted(json.loads(path.read_text()), key=_order)
    head = ['Python', 'torch', 'numpy', 'packages', 'tests of', 'passed', 'skipped', 'failed', 'recorded']
    return markdown([head, *(_row(record) for record in records)])


def _order(record: dict[str, Any]) -> tuple[tuple[int, ...], str, str]:
    versions = record['versions']
    return tuple(map(int, versions['torch'].split('+')[0].split('.'))), versions['python'], record['what']


def _row(record: dict[str, Any]) -> list[str]:
    versions = record['versions']
    numbers = [str(record.get(name, 0)) for name in ('passed', 'skipped')]
    failed = str(record.get('failed', 0) + record.get('error', 0))
    return [versions['python'], versions['torch'], versions.get('numpy', ''), _packages(versions), record['what'],
            *numbers, failed, f"{record['date'][:10]}, {record['commit']}"]


def _packages(versions: dict[str, str]) -> str:
    return ', '.join(f'{name} {versions[name]}' for name in SHOWN if name in versions)


def counts(output: str) -> dict[str, int]:
    """Return the numbers of the last line of pytest, such as {'passed': 3, 'skipped': 1}."""
    last = output.strip().splitlines()[-1]
    return {name.rstrip('s'): int(number) for number, name in re.findall(
        r'(\d+) (passed|skipped|failed|errors?|xfailed|xpassed)', last)}


def add(records: list[dict[str, Any]], record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records with a new one, which replaces an earlier one of the same tests and versions."""
    key = record['what'], record['versions']
    return [*(old for old in records if (old['what'], old['versions']) != key), record]


def main() -> None:
    """Run pytest, show its output, and add a record; a failed test is recorded too."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    what, *arguments = sys.argv[1:]
    lines = []
    with subprocess.Popen([sys.executable, '-m', 'pytest', *arguments], stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout or ():
            print(line, end='', flush=True)
            lines.append(line)
    record = dict(what=what, **counts(''.join(lines)), **provenance())
    write_json(OUT, add(json.loads(OUT.read_text()) if OUT.is_file() else [], record))
    sys.exit(process.returncode)


if __name__ == '__main__':
    main()
