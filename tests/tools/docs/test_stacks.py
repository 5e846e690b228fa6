"""The compatibility table names what was run, and nothing else."""
import json

import pytest

from docs import record_stack
from isda_seg.runtime import provenance

CLASSIC = {'python': '3.11.7', 'torch': '2.1.2+cu121', 'numpy': '1.26.4', 'mmengine': '0.10.7', 'mmcv-lite': '2.1.0'}


def record(what='core', versions=CLASSIC, **others):
    return dict(what=what, passed=7, versions=versions, date='2026-01-02T03:04:05', commit='abc', **others)


def test_the_table_has_a_row_per_record_with_the_oldest_torch_first(tmp_path):
    records = [record(versions={'python': '3.11.7', 'torch': '2.13.0+cpu'}, skipped=1, failed=1, error=2), record()]
    (tmp_path / 'stacks.json').write_text(json.dumps(records))
    rows = record_stack.table(tmp_path / 'stacks.json').splitlines()[2:]
    when, packages = '2026-01-02, abc', 'mmengine 0.10.7, mmcv-lite 2.1.0'
    assert [[cell.strip() for cell in row.strip('|').split('|')] for row in rows] == [
        ['3.11.7', '2.1.2+cu121', '1.26.4', packages, 'core', '7', '0', '0', when],
        ['3.11.7', '2.13.0+cpu', '', '', 'core', '7', '1', '3', when]]


@pytest.mark.parametrize('line, expected', [
    ('== 3 failed, 12 passed, 4 skipped, 1 error in 5.6s ==', dict(failed=3, passed=12, skipped=4, error=1)),
    ('12 passed in 1.0s', dict(passed=12)), ('2 passed, 3 errors in 1s', dict(passed=2, error=3))])
def test_counts_are_those_of_the_last_line(line, expected):
    assert record_stack.counts(f'1 failed\n{line}\n') == expected


def test_a_record_replaces_that_of_the_same_tests_and_versions():
    other = record(versions={'torch': '2.13.0'})
    assert record_stack.add([record(), other, record('hook')], record(skipped=1)) == [
        other, record('hook'), record(skipped=1)]


def test_the_tool_runs_pytest_and_records_versions_and_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(record_stack, 'OUT', tmp_path / 'stacks.json')
    (tmp_path / 'test_it.py').write_text('def test_one(): pass\ndef test_two(): assert False')
    monkeypatch.setattr('sys.argv', ['record_stack.py', 'two tests', str(tmp_path), '-c', '/dev/null'])
    with pytest.raises(SystemExit) as end:
        record_stack.main()
    (found,) = json.loads((tmp_path / 'stacks.json').read_text())
    assert (end.value.code, found['what'], found['passed'], found['failed']) == (1, 'two tests', 1, 1)
    assert found['versions'] == provenance.versions()
