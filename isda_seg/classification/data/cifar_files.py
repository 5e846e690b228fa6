"""Reading and validating the standard Python archives of CIFAR, in memory."""
import gzip
import hashlib
import io
import pickle
import tarfile
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

HOME = 'https://www.cs.toronto.edu/~kriz/cifar.html'
OFFICIAL = (50_000, 10_000)  # number of training and test images in both archives


class Layout(NamedTuple):
    """File names and keys in one of the two archives."""
    archive: str
    md5: str                # checksum of the official archive
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: str
    meta: str
    classes: str


CIFAR10 = Layout('cifar-10-python.tar.gz', 'c58f30108f718f92721af3b95e74349a', 'cifar-10-batches-py',
                 tuple(f'data_batch_{i}' for i in range(1, 6)), ('test_batch',), 'labels', 'batches.meta',
                 'label_names')
CIFAR100 = Layout('cifar-100-python.tar.gz', 'eb9058c3a382ffc7106e4002c42a8d85', 'cifar-100-python',
                  ('train',), ('test',), 'fine_labels', 'meta', 'fine_label_names')


def read_members(root: Path, layout: Layout, names: tuple[str, ...], md5: str | None) -> dict[str, dict[str, Any]]:
    """Read the named files from the extracted folder in ``root``, or else from the archive there.

    If the checksum of the archive is not ``md5`` (None accepts any) and the number of images is not the official one,
    the archive is read with a warning.
    """
    folder, archive = root / layout.folder, root / layout.archive
    needed, checksum = names, md5
    if folder.is_dir():
        found, where = {path.name: path.read_bytes() for path in folder.iterdir() if path.name in names}, folder
    elif archive.is_file():
        checksum = md5 and hashlib.md5(archive.read_bytes(), usedforsecurity=False).hexdigest()
        needed = names if checksum == md5 else (layout.meta, *layout.train, *layout.test)
        found, where = _unpack(archive, needed), archive
    else:
        raise FileNotFoundError(f'neither {archive} nor the folder {folder} exists. Download the archive from {HOME} '
                                f'into {root}, or set ISDA_SEG_DATA to the folder that holds {root.name}')
    missing = [name for name in needed if name not in found]
    if missing:
        raise FileNotFoundError(f'{where} is incomplete: {", ".join(missing)} is missing. Remove it and download '
                                f'{layout.archive} again from {HOME}')
    files = {name: _unpickle(found[name], f'{name} in {where}') for name in needed}
    if checksum != md5:
        _check_size(archive, checksum, md5, *(sum(len(files[name].get(layout.labels, ())) for name in part)
                                         for part in (layout.train, layout.test)))
    return {name: files[name] for name in names}


def _check_size(archive: Path, checksum: str | None, expected: str | None, train: int, test: int) -> None:
    """Raise an error if an archive of the official size has another checksum; warn if the size differs."""
    if (train, test) == OFFICIAL:
        raise ValueError(f'{archive} has the md5 checksum {checksum}, expected {expected}, although it holds {train:,} '
                         f'training and {test:,} test images like the official archive. It is damaged or modified: '
                         f'download it again from {HOME}, or set md5=None in the dataset configs if this is intended')
    warnings.warn(f'{archive} is not the official archive: it holds {train:,} training and {test:,} test images '
                  f'instead of {OFFICIAL[0]:,} and {OFFICIAL[1]:,}. Results on it are not comparable with published '
                  'numbers', stacklevel=2)


def _unpack(archive: Path, names: tuple[str, ...]) -> dict[str, bytes]:
    try:
        with gzip.open(archive) as stream:  # read to the end, so that gzip verifies its checksum
            content = io.BytesIO(stream.read())
        with tarfile.open(fileobj=content, mode='r:') as tar:
            members = [member for member in tar if member.isfile() and Path(member.name).name in names]
            return {Path(member.name).name: tar.extractfile(member).read()  # type: ignore[union-attr]
                    for member in members}
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise ValueError(f'{archive} is truncated or damaged ({error}). Download it again from {HOME}') from error


class _Unpickler(pickle.Unpickler):
    """Unpickler restricted to arrays, lists and strings, so that an untrusted file cannot execute code."""

    def find_class(self, module: str, name: str) -> Any:
        """Return an allowed class or function."""
        if (module, name) == ('numpy', 'dtype'):
            return _dtype
        if module.replace('_core', 'core') == 'numpy.core.multiarray' and name == '_reconstruct':
            return super().find_class('numpy._core.multiarray', name)
        if (module, name) in (('numpy', 'ndarray'), ('_codecs', 'encode')):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f'{module}.{name} is not allowed')


def _dtype(kind: str, align: int = 0, copy: int = 0) -> np.dtype[Any]:
    """Build a dtype; the archives of 2009 use 0 and 1 for booleans, which numpy deprecates."""
    return np.dtype(kind, bool(align), bool(copy))


def _unpickle(content: bytes, what: str) -> dict[str, Any]:
    try:
        found = _Unpickler(io.BytesIO(content), encoding='latin1').load()
        return {key.decode() if isinstance(key, bytes) else key: value for key, value in found.items()}
    except Exception as error:  # a damaged pickle can raise any exception
        raise ValueError(f'{what} is not a CIFAR file ({error}). Download it again from {HOME}') from error
