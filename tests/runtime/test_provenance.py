"""A result file contains its provenance."""
import json
import subprocess
import sys

import pytest

from isda_seg.runtime.provenance import commit, provenance, write_json


def git(folder, *words):
    subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *words], cwd=folder, check=True,
                   capture_output=True)


def test_commit_is_marked_dirty_if_the_tree_is_modified(tmp_path):
    git(tmp_path, 'init')
    (tmp_path / 'file').write_text('1')
    git(tmp_path, 'add', 'file')
    git(tmp_path, 'commit', '-m', 'first')
    head = subprocess.run(['git', 'rev-parse', '--short=12', 'HEAD'], cwd=tmp_path, capture_output=True, text=True)
    assert commit(tmp_path) == head.stdout.strip()
    (tmp_path / 'file').write_text('2')
    assert commit(tmp_path) == head.stdout.strip() + '-dirty'


def test_commit_is_unknown_outside_a_repository(tmp_path):
    assert commit(tmp_path) == 'unknown'


def test_commit_is_unknown_inside_another_repository(tmp_path):
    git(tmp_path, 'init')
    (tmp_path / 'file').write_text('1')
    git(tmp_path, 'add', 'file')
    git(tmp_path, 'commit', '-m', 'theirs')
    (tmp_path / 'installed').mkdir()
    assert commit(tmp_path / 'installed') == 'unknown'


def test_provenance_holds_command_seed_versions_and_hardware(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tools/train.py', 'c.py', '--work-dir', '/somewhere/else/run'])
    found = provenance(seed=4)
    assert found['command'].split()[1:] == ['tools/train.py', 'c.py', '--work-dir', 'run']
    assert (found['seed'], found['versions']['python']) == (4, sys.version.split()[0])
    assert 'cores' in found['hardware'] or ' x ' in found['hardware']


def test_innermost_lists_and_objects_stand_on_one_line(tmp_path):
    content = dict(points=[1.5, None, 'a [b]'], nested=[dict(x=1, y=[2, 3]), []], empty={})
    write_json(tmp_path / 'a.json', content)
    text = (tmp_path / 'a.json').read_text()
    assert json.loads(text) == content
    assert '      "y": [2, 3]\n' in text
    write_json(tmp_path / 'a.json', [[1, 2], dict(x='a', y=None)])
    assert (tmp_path / 'a.json').read_text() == '[\n  [1, 2],\n  {"x": "a", "y": null}\n]\n'


def test_failed_write_keeps_the_old_file(tmp_path):
    write_json(tmp_path / 'a.json', dict(x=1))
    with pytest.raises(TypeError):
        write_json(tmp_path / 'a.json', dict(x=object()))
    assert json.loads((tmp_path / 'a.json').read_text()) == dict(x=1)
