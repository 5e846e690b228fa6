"""Compatibility table: the versions that tests were run with, from configs/results/stacks.json."""
import json
from pathlib import Path
from typing import Any

from isda_seg.paper.result_tables import markdown

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
