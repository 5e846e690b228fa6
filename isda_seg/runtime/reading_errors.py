"""Errors about files that cannot be read: the remedy depends on the reason."""
from pathlib import Path

OF_NONE = "'NoneType' object has no attribute "
READERS = {f"{OF_NONE}'imread'": 'tifffile', f"{OF_NONE}'decode'": 'PyTurboJPEG'}  # mmcv uses them without a check


def reading_error(kind: str, path: str | Path, error: Exception) -> Exception:
    """Return the exception for a file that could not be read: a ``kind``, such as 'image', and the reader's ``error``.

    It is an ImportError for a missing package and a ValueError for a damaged file. An OSError of the system keeps its
    class, such as PermissionError, and a MemoryError is returned unchanged.
    """
    start = f'cannot read {kind} {path}'
    if isinstance(error, AttributeError) and str(error) in READERS:
        return ImportError(f'{start}: its imdecode_backend needs {READERS[str(error)]}. Install the missing package')
    if isinstance(error, ImportError):
        return ImportError(f'{start}: {error}. Install the missing package')
    if isinstance(error, OSError) and error.errno is not None:
        return type(error)(f'{start}: {error.strerror}. Check its permissions and its disk')
    if isinstance(error, MemoryError):
        return error
    if isinstance(error, ValueError) and str(error):
        return ValueError(f'{start}: {error}. Replace or remove it')
    return ValueError(f'{start}: the file is damaged or not an image ({type(error).__name__}: {error}). Replace or '
                      'remove it')
