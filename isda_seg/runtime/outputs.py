"""Checks that no output replaces an input, before anything is written.

MMEngine is not imported: some tools work without it.
"""
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from isda_seg.openmmlab.config_nodes import dicts, named_dicts

FIRST_BYTES = {'.json': (b'{', b'['), '.png': (b'\x89PNG',), '.pdf': (b'%PDF',), '.svg': (b'<',),
               '.pth': (b'PK', b'\x80')}  # by suffix
FOLDERS = ('output_dir', 'out_dir', 'save_dir', 'test_out_dir')      # config keys of outputs
FILES = ('out_file_path', 'outfile_prefix', 'json_trace_path')
OF_IMAGES = ('output_dir', 'test_out_dir')  # files in them have the names of images
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
SPLITS = ('train', 'val')  # folders of an image folder dataset


def check_file(option: str, path: str | Path, inputs: Iterable[Any] = (), kind: str = '') -> None:
    """Check that an output file may be written.

    Args:
        option: option with the path, for the error message.
        path: path of the output.
        inputs: paths of files and folders, and configs with all files and data folders that they name.
        kind: suffix of the format of the output; an existing file of another format is not replaced.
    """
    inputs, remedy = list(inputs), f'Choose another file with {option}'
    if os.path.isdir(path):
        raise ValueError(f'cannot write the file {path}: it is a folder. {remedy}')
    for source in _files(inputs):
        if _same(path, source):
            raise ValueError(f'{option} would replace the input {source}. {remedy}')
    for folder in _data_folders(inputs):
        if _inside(path, folder):
            raise ValueError(f'{option} would write {path} into the input folder {folder}. {remedy}')
    if kind in FIRST_BYTES and os.path.isfile(path):
        start = Path(path).open('rb').read(64).lstrip()
        if start and not start.startswith(FIRST_BYTES[kind]):
            raise ValueError(f'{option} would replace {path}, which is not a {kind[1:]} file. {remedy}')


def check_folder(option: str, path: str | Path, inputs: Iterable[Any], only_outputs: bool = True) -> None:
    """Check that an output folder is not an input; see ``check_file`` for ``option`` and ``inputs``.

    With ``only_outputs`` it must not contain a data folder either, so that no file name can be that of an input.
    """
    inputs, remedy = list(inputs), f'Choose another folder with {option}'
    for folder in _data_folders(inputs):
        if _inside(path, folder):
            raise ValueError(f'{option} would write into the input folder {folder}. {remedy}')
        if only_outputs and _inside(folder, path):
            raise ValueError(f'{option} {path} contains the input folder {folder}. {remedy}')
    for folder in _roots(inputs):
        if _same(path, folder):
            raise ValueError(f'{option} {path} is the folder of the data. {remedy}')


def check_config(cfg: Any) -> None:
    """Check the work directory and every other output of a config; raise ValueError as the functions above."""
    check_folder('--work-dir', cfg.work_dir, [cfg], only_outputs=False)
    for name, node in named_dicts({key: cfg[key] for key in cfg}):
        for key in FOLDERS:
            if isinstance(node.get(key), (str, Path)):
                check_folder(f'{name}.{key}'.lstrip('.'), node[key], [cfg], only_outputs=key in OF_IMAGES)
        for key in FILES:
            if isinstance(node.get(key), (str, Path)):
                check_file(f'{name}.{key}'.lstrip('.'), node[key], [cfg])


def check_start(cfg: Any) -> None:
    """Raise ValueError if a training that starts from ``load_from`` would replace that checkpoint."""
    from isda_seg.runtime.checkpoint import NUMBERED
    start = Path(str(cfg.get('load_from') or ''))
    if re.fullmatch(NUMBERED, start.name) and start.is_file() and _same(start.parent, cfg.work_dir):
        raise ValueError(f'the training would replace the checkpoint {start} that it starts from (load_from). Choose '
                         'another folder with --work-dir, or use --resume to continue that run')


def _files(inputs: list[Any]) -> Iterator[str]:
    """Yield the input files: paths, and the config file and all existing files that a config names."""
    for each in inputs:
        if isinstance(each, (str, Path)):
            yield str(each)
            continue
        yield str(each.filename or '')
        for node in _nodes(each, each):
            root = node.get('data_root') or ''
            for text in _texts({key: value for key, value in node.items() if key not in (*FOLDERS, *FILES)}):
                yield from (path for path in dict.fromkeys([text, os.path.join(str(root), text)])
                            if '\n' not in path and os.path.isfile(path))


def _texts(node: dict[str, Any]) -> Iterator[str]:
    """Yield the strings and paths among the values of a dict and in their lists."""
    for value in node.values():
        for text in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(text, (str, Path)):
                yield str(text)


def _data_folders(inputs: list[Any]) -> Iterator[str]:
    """Yield the folders that hold nothing but inputs: given folders, and the image and label folders of a config."""
    for each in inputs:
        if isinstance(each, (str, Path)):
            yield from [str(each)] if os.path.isdir(each) else []
            continue
        for node in _nodes(each, LOADERS):
            root = str(node.get('data_root') or '')
            prefixes = node['data_prefix'].values() if isinstance(node.get('data_prefix'), dict) else SPLITS
            if 'data_prefix' in node or root:
                yield from (folder for prefix in prefixes if isinstance(prefix, (str, Path))
                            and os.path.isdir(folder := os.path.join(root, prefix)))


def _roots(inputs: list[Any]) -> Iterator[str]:
    for each in inputs:
        if not isinstance(each, (str, Path)):
            yield from (str(node['data_root']) for node in _nodes(each, LOADERS) if node.get('data_root'))


def _nodes(cfg: Any, keys: Iterable[str]) -> Iterator[Any]:
    """Yield all dicts below some keys of a config."""
    return dicts({key: cfg.get(key) for key in keys})


def _same(a: str | Path, b: str | Path) -> bool:
    """Return whether two paths are one file or folder, also through links."""
    if os.path.exists(a) and os.path.exists(b):
        return os.path.samefile(a, b)
    return os.path.realpath(a) == os.path.realpath(b)


def _inside(path: str | Path, folder: str | Path) -> bool:
    """Return whether a path is a folder or lies in it."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
