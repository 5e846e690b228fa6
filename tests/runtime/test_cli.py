"""`isda-seg COMMAND` runs the tool of that name from any folder."""
import runpy
import subprocess
import sys

import pytest
from helpers import tiny
from helpers.documents import PROJECT

from isda_seg.runtime import cli


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, 'argv', ['isda-seg', *map(str, arguments)])
    return cli.main()


def tool_in(folder, text, name='train.py'):
    (folder / 'tools').mkdir(exist_ok=True)
    (folder / 'tools' / name).write_text(text)
    return folder / 'tools'


def test_every_tool_of_a_clone_is_a_command():
    tools = [path for path in (tiny.ROOT / 'tools').rglob('*.*') if path.suffix in ('.py', '.sh')
             and path.parent.name in ('tools', 'benchmarks')]
    assert cli.find_tools() == {path.stem.replace('_', '-'): path for path in tools}
    assert {'train', 'test', 'demo', 'gain', 'show-directions', 'cost', 'dist-train'} <= set(cli.find_tools())


def test_a_command_runs_its_tool_in_the_current_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, 'make-streets', '--help')
    assert end.value.code == 0
    assert capsys.readouterr().out.startswith('usage: make_streets.py')
    run(monkeypatch, 'make-streets', '--out', 'streets', '--train', 1, '--val', 1, '--height', 32, '--width', 64)
    assert (tmp_path / 'streets' / 'leftImg8bit').is_dir()


def test_tools_of_a_wheel_take_precedence_over_a_neighbouring_folder(tmp_path, monkeypatch):
    folders = []
    for name in ('.mim', 'beside'):
        (tmp_path / name).mkdir()
        folders.append(tool_in(tmp_path / name, '"""Train: tools/train.py"""'))
    monkeypatch.setattr(cli, 'FOLDERS', folders)
    assert cli.find_tools() == {'train': tmp_path / '.mim' / 'tools' / 'train.py'}
    monkeypatch.setattr(cli, 'FOLDERS', [tmp_path / 'none'])
    with pytest.raises(SystemExit, match='this installation of isda-seg contains no tools'):
        run(monkeypatch, 'train')


def test_unknown_command_is_an_error_that_lists_the_known_ones(monkeypatch):
    with pytest.raises(SystemExit, match=r"unknown command 'trian'; did you mean train\?\nusage: isda-seg COMMAND"):
        run(monkeypatch, 'trian')


def test_a_missing_package_is_an_error_that_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setattr(cli, 'FOLDERS', [tool_in(tmp_path, 'import no_such_package')])
    with pytest.raises(SystemExit, match=r"isda-seg train needs .*'no_such_package'.* pip install 'isda-seg\[seg\]'"):
        run(monkeypatch, 'train')


def test_without_a_command_all_commands_are_listed_with_a_description(monkeypatch, capsys):
    run(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    assert next(line for line in lines if line.startswith('  test ')).split(maxsplit=1)[1] == 'Evaluate a checkpoint'
    assert lines[-1] == f'configs: {tiny.ROOT / "configs"}'
    commands = [line.split()[0] for line in lines if line.startswith('  ')]
    assert commands == list(cli.find_tools())


def test_shell_script_receives_the_current_python(tmp_path, monkeypatch):
    folder = tool_in(tmp_path, '')
    script = tool_in(tmp_path, '#!/bin/sh\necho "$PYTHON" "$@"\n', 'dist_train.sh') / 'dist_train.sh'
    script.chmod(0o755)
    code = (f'import sys, pathlib; from isda_seg.runtime import cli; cli.FOLDERS = [pathlib.Path({str(folder)!r})]; '
            'sys.argv = ["isda-seg", "dist-train", "config.py", "2"]; cli.main()')
    monkeypatch.delenv('PYTHON', raising=False)
    done = subprocess.run([sys.executable, '-c', code], cwd=tiny.ROOT, capture_output=True, text=True)
    assert done.stdout.split() == [sys.executable, 'config.py', '2']


def test_entry_point_imports_only_the_standard_library():
    module, _, function = PROJECT['scripts']['isda-seg'].partition(':')
    assert runpy.run_module(module)[function].__module__ == module
    loaded = tiny.loaded_by(f'import {module}')
    assert [name for name in loaded if name in ('torch', 'numpy', 'mmengine')] == []


def test_a_launcher_of_shell_names_its_python_twin_where_no_shell_is(monkeypatch, tmp_path):
    monkeypatch.setattr(cli, 'FOLDERS', (tool_in(tmp_path, ''),))
    script = tool_in(tmp_path, '', 'dist_train.sh') / 'dist_train.sh'
    monkeypatch.setattr(cli.os, 'name', 'nt')
    with pytest.raises(SystemExit, match=rf'-m torch.distributed.run .* {script.with_name("train.py")} CONFIG'):
        run(monkeypatch, 'dist-train', 'config.py', '2')
