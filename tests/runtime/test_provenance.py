"""A result file says where it came from."""
import json
import subprocess
import sys

import pytest

from isda_seg.runtime.provenance import commit, provenance, write_json


def git(folder, *words):
    subprocess.run(['git', '-c', 'user.name=a', '-c', 'user.email=a@b', *words], cwd=folder, check=True,
                   capture_output=True)


def test_the_commit_is_named_and_a_changed_tree_is_called_dirty(tmp_path):
    git(tmp_path, 'init')
    (tmp_path / 'file').write_text('1')
    git(tmp_path, 'add', 'file')
    git(tmp_path, 'commit', '-m', 'first')
    head = subprocess.run(['git', 'rev-parse', '--short=12', 'HEAD'], cwd=tmp_path, capture_output=True, text=True)
    assert commit(tmp_path) == head.stdout.strip()
    (tmp_path / 'file').write_text('2')
    assert commit(tmp_path) == head.stdout.strip() + '-dirty'


def test_outside_of_a_repository_the_commit_is_unknown(tmp_path):
    assert commit(tmp_path) == 'unknown'


def test_inside_somebody_elses_repository_the_commit_is_unknown(tmp_path):
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


def test_a_file_that_cannot_be_completed_leaves_the_old_one(tmp_path):
    write_json(tmp_path / 'a.json', dict(x=1))
    with pytest.raises(TypeError):
        write_json(tmp_path / 'a.json', dict(x=object()))
    assert json.loads((tmp_path / 'a.json').read_text()) == dict(x=1)
