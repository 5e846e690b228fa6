"""Checks that no output replaces an input, before anything is written.

MMEngine is not imported: some tools work without it.
"""
import glob
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from isda_seg.openmmlab.config_nodes import named_dicts

FIRST_BYTES = {'.json': (b'{', b'['), '.png': (b'\x89PNG',), '.pdf': (b'%PDF',), '.svg': (b'<',),
               '.pth': (b'PK', b'\x80')}  # by suffix
PROVENANCE = (b'"command"', b'"commit"', b'"versions"')                # in every result of this package
FOLDERS = ('output_dir', 'out_dir', 'save_dir', 'test_out_dir', 'img_save_dir', 'collect_dir',
           'on_trace_ready.dir_name', 'init_kwargs.dir', 'init_kwargs.repo')  # config keys of outputs
FILES = ('out_file_path', 'outfile_prefix', 'outfile_path', 'json_trace_path', 'proposals_file')
OUTPUT = re.compile(rf'(?:.*\.)?({"|".join(map(re.escape, (*FOLDERS, *FILES)))})')
BELOW = dict(img_save_dir='save_dir', proposals_file='output_dir')  # the key of the folder of a relative path
WITHOUT_INPUTS = ('output_dir', 'test_out_dir', 'img_save_dir', 'collect_dir')  # get names of images, or are deleted
READ = ('train_dataloader', 'val_dataloader', 'test_dataloader', 'model', 'val_evaluator', 'test_evaluator')
NOT_READ = re.compile(r'(?:^|_)(?:out|save|dump|result|work|cache|log|submission)')  # in keys of unknown outputs
OF_A_PATH = re.compile(r'root|dir|path|folder|.*_(?:root|dir|path|prefix|folder)')
SPLITS = ('train', 'val')  # folders of an image folder dataset


def check_file(option: str, path: str | Path, inputs: Iterable[Any] = (), kind: str = '') -> None:
    """Check that the output file ``path``, given by ``option``, may be written.

    ``inputs`` are files and folders, and configs with all files and data folders that they name. An existing file of
    another format than the suffix ``kind`` is not replaced.
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
        if start and kind == '.json' and not all(map(Path(path).read_bytes().__contains__, PROVENANCE)):
            raise ValueError(f'{option} would replace {path}, which is not a result of this package. {remedy}')


def check_folder(option: str, path: str | Path, inputs: Iterable[Any], only_outputs: bool = True) -> None:
    """Check that an output folder is not an input; see ``check_file`` for ``option`` and ``inputs``.

    With ``only_outputs`` it must not contain an input either, so that no file name can be that of an input.
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
    for source in _files(inputs) if only_outputs else ():
        if _inside(source, path):
            raise ValueError(f'{option} {path} contains the input {source}. {remedy}')


def check_config(cfg: Any) -> None:
    """Check the work directory and every other output of a config; raise ValueError as the functions above."""
    check_folder('--work-dir', cfg.work_dir, [cfg], only_outputs=False)
    for name, node in named_dicts({key: cfg[key] for key in cfg}):
        for key, value in node.items():
            option = f'{name}.{key}'.lstrip('.')
            if not isinstance(value, (str, Path)) or not OUTPUT.fullmatch(option):
                continue
            path = os.path.join(str(node.get(BELOW.get(key)) or ''), value)
            if key.endswith('_prefix'):  # of files with different endings
                for file in [f'{path}.json', *filter(os.path.isfile, glob.glob(f'{glob.escape(path)}.*'))]:
                    check_file(option, file, [cfg])
            elif key in FILES:
                check_file(option, path, [cfg])
            else:
                check_folder(option, path, [cfg], only_outputs=key in WITHOUT_INPUTS)


def check_start(cfg: Any, resumed: bool = False) -> None:
    """Raise ValueError if a training would replace its config, or unless ``resumed`` a checkpoint that it loads."""
    dumped = os.path.join(cfg.work_dir, os.path.basename(cfg.filename or ''))
    if any(_same(dumped, source) for source in _config_files(cfg)) and not _is_dump(dumped):
        raise ValueError(f'the training would replace the config {dumped} by its complete config. Choose another '
                         'folder with --work-dir')
    from isda_seg.runtime.checkpoint import checkpoint_files
    hook = (cfg.get('default_hooks') or {}).get('checkpoint') or {}
    folders, pattern = checkpoint_files(cfg.work_dir, hook)
    pattern = rf'{"(?:best_.*_)?" if hook.get("save_best") else ""}(?:{pattern})'
    for start in map(Path, () if resumed else _files([cfg])):
        if re.fullmatch(pattern, start.name) and any(_same(start.parent, folder) for folder in folders):
            raise ValueError(f'the training would replace the checkpoint {start} that it starts from'
                             f'{" (load_from)" if str(start) == cfg.get("load_from") else ""}. Choose another folder '
                             'with --work-dir, or use --resume to continue that run')


def _is_dump(path: str) -> bool:
    """Return whether a file is a complete config as a run writes it, so that rewriting it loses nothing."""
    from mmengine.config import Config
    cfg = Config.fromfile(path)
    return 'work_dir' in cfg and cfg.dump().split() == Path(path).read_text(encoding='utf-8').split()


def _config_files(cfg: Any) -> list[str]:
    """Return the file of a config and those of its ``_base_``, whose names are lines of MMEngine's ``cfg.text``."""
    return [path for path in dict.fromkeys([cfg.filename or '', *cfg.text.splitlines()]) if os.path.isfile(path)]


def _files(inputs: Iterable[Any]) -> Iterator[str]:
    """Yield the input files: paths, and the config files and all existing files that a config names."""
    for each in inputs:
        if isinstance(each, (str, Path)):
            yield str(each)
        else:
            yield from _config_files(each)
            yield from (path for _, text, root in _texts({key: each[key] for key in each})
                        for path in dict.fromkeys([text, os.path.join(root, text)]) if os.path.isfile(path))


def _data_folders(inputs: list[Any]) -> Iterator[str]:
    """Yield the folders that hold nothing but inputs: given folders, and those that a config reads.

    A folder around the current one is left out: it holds outputs too.
    """
    for each in inputs:
        if isinstance(each, (str, Path)):
            yield from [str(each)] if os.path.isdir(each) else []
            continue
        for name, text, root in _read(each):
            key, prefix = name.rsplit('.', 1)[-1], 'data_prefix' in name.split('.')
            if key == 'data_root' or NOT_READ.search(key) or not prefix and os.path.normpath(text) == '.':
                continue
            alone = os.sep in text or OF_A_PATH.fullmatch(key)  # a folder also without data_root
            paths = [os.path.join(root, text)] * bool(root or prefix or alone) + [text] * bool(alone and not prefix)
            yield from (path for path in list(filter(os.path.isdir, paths))[:1] if not _inside(os.getcwd(), path))


def _roots(inputs: list[Any]) -> Iterator[str]:
    for each in inputs:
        if not isinstance(each, (str, Path)):
            yield from (text for name, text, _ in _read(each) if name.endswith('.data_root') and text)


def _read(cfg: Any) -> Iterator[tuple[str, str, str]]:
    return _texts({key: cfg.get(key) for key in READ})


def _texts(node: Any, name: str = '', root: str = '') -> Iterator[tuple[str, str, str]]:
    """Yield dotted keys, strings and paths of a nested config, except those of outputs, and the ``data_root`` of each.

    The items of a list have the key of the list.
    """
    if isinstance(node, dict):
        root = str(node.get('data_root') or root)
        for key, child in node.items():
            yield from _texts(child, f'{name}.{key}', root)
        if 'data_root' in node and 'data_prefix' not in node:
            yield from _texts(SPLITS, f'{name}.splits', root)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _texts(child, name, root)
    elif isinstance(node, (str, Path)) and not OUTPUT.fullmatch(name):
        yield name, str(node), root


def _same(a: str | Path, b: str | Path) -> bool:
    """Return whether two paths are one file or folder, also through links."""
    if os.path.exists(a) and os.path.exists(b):
        return os.path.samefile(a, b)
    return os.path.realpath(a) == os.path.realpath(b)


def _inside(path: str | Path, folder: str | Path) -> bool:
    """Return whether a path is a folder or lies in it."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))
