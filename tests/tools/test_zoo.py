"""tools/benchmarks/zoo.py prints what became of each family and keeps it in a file that says how it came about."""
import json
import logging

import pytest
from helpers import tiny


def test_the_tool_checks_the_requested_families(monkeypatch, tmp_path, capsys):
    before = logging.root.manager.disable
    tiny.run_tool(monkeypatch, 'benchmarks/zoo.py', '--families', 'erfnet', 'dpt', '--out', tmp_path / 'zoo.json')
    found = json.loads((tmp_path / 'zoo.json').read_text())
    assert found['families'] == {'dpt': {'wrapped': 1}, 'erfnet': {'wrapped': 1}}
    assert (found['kind'], found['configurations'], found['counts']['unclear']) == ('zoo', 2, 0)
    assert {'command', 'commit', 'hardware', 'date', 'versions'} <= set(found)
    assert logging.root.manager.disable == before  # what others log is heard again
    assert capsys.readouterr().out.startswith('2 configurations in 2 families: wrapped 2, not wrapped 0')


@pytest.mark.mmdet
def test_the_tool_checks_detectors(monkeypatch, tmp_path):
    tiny.run_tool(monkeypatch, 'benchmarks/zoo.py', '--package', 'mmdet', '--families', 'double_heads', 'yolact', 'lad',
                  '--out', tmp_path / 'zoo.json')
    found = json.loads((tmp_path / 'zoo.json').read_text())
    assert found['families'] == {'double_heads': {'wrapped': 1}, 'lad': {'not wrapped': 2},
                                 'yolact': {'not wrapped': 3}}
    messages = {entry['message']: len(entry['configurations']) for entry in found['messages']}
    assert sum(number for text, number in messages.items() if 'bbox_head (YOLACTHead): loss_cls is not wrapped: its '
               'classifier runs once for each feature level' in text) == 3
    reason = 'bbox_head (LADHead): loss_cls is not wrapped: FocalLoss with use_sigmoid is'
    assert any(reason in text for text in messages)
