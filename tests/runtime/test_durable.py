"""A file written atomically is complete or absent, also with concurrent writers."""
import errno
import os
import resource
import signal

import pytest
import torch

from isda_seg.runtime.durable import written_aside


def test_file_appears_at_the_end_without_leftovers(tmp_path):
    target = tmp_path / 'new' / 'file'
    with written_aside(target) as aside:
        aside.write_text('content')
        assert [path.name for path in target.parent.iterdir()] == [aside.name] != ['file']
    assert [(path.name, path.read_text()) for path in target.parent.iterdir()] == [('file', 'content')]


def test_error_keeps_the_old_file_without_leftovers(tmp_path):
    target = tmp_path / 'file'
    target.write_text('old')
    with pytest.raises(RuntimeError, match='power cut'):
        with written_aside(target) as aside:
            aside.write_text('ha')
            raise RuntimeError('power cut')
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('file', 'old')]


def test_full_disk_error_names_the_file_without_leftovers(tmp_path):
    target = tmp_path / 'file'
    with pytest.raises(OSError, match=f'cannot write {target} .No space left on device.'):
        with written_aside(target) as aside:
            aside.write_text('ha')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(aside))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_while_torch_writes_is_an_error_of_the_system(tmp_path):
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1][1]))  # a write beyond it fails
        with pytest.raises(OSError, match=f'cannot write {tmp_path / "file"} ') as caught:
            with written_aside(tmp_path / 'file') as aside:
                torch.save(torch.zeros(5000), aside)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before[1])
        signal.signal(signal.SIGXFSZ, before[0])
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_concurrent_writers_do_not_mix(tmp_path):
    target = tmp_path / 'file'
    with written_aside(target) as first, written_aside(target) as second:
        first.write_text('first')
        second.write_text('second')
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [('file', 'first')]
