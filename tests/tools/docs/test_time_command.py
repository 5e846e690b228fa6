"""A command's seconds stand under its words, beside those of others; one that fails leaves the file as it was."""
import json
import subprocess
import sys

import pytest

from docs import time_command


def record(monkeypatch, *words):
    monkeypatch.setattr(sys, 'argv', ['time_command', *map(str, words)])
    time_command.main()


def test_every_command_has_an_entry_with_its_seconds_and_provenance(monkeypatch, tmp_path):
    out = tmp_path / 'timings.json'
    record(monkeypatch, out, 'sleep', '0.3')
    record(monkeypatch, out, 'true')
    known = json.loads(out.read_text())
    assert list(known) == ['sleep 0.3', 'true']
    assert 0.3 <= known['sleep 0.3']['seconds'] < 10 and known['true']['seconds'] < 0.3
    assert {'command', 'commit', 'versions', 'hardware', 'date'} <= set(known['true'])


def test_a_command_that_fails_is_not_recorded(monkeypatch, tmp_path):
    out = tmp_path / 'timings.json'
    out.write_text('{}')
    with pytest.raises(subprocess.CalledProcessError, match="'false'"):
        record(monkeypatch, out, 'false')
    assert out.read_text() == '{}'


def test_a_missing_command_is_an_error_with_the_usage(monkeypatch, tmp_path):
    with pytest.raises(SystemExit, match='OUT.json COMMAND'):
        record(monkeypatch, tmp_path / 'timings.json')
