"""Atomic file writes: write to a temporary name, flush, rename."""
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = '.unfinished'  # suffix of a file that is still being written


def replace_durably(source: Path, target: Path) -> None:
    """Flush ``source`` to disk and rename it to ``target`` atomically."""
    with open(source, 'rb+') as file:
        os.fsync(file.fileno())
    os.replace(source, target)


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; rename it to ``target`` on success and delete it on an error.

    Every process uses a different temporary name, so if several write the same file, the last one wins. Errors of the
    system, such as a full disk, name ``target``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f'{target.name}.{uuid.uuid4().hex}{UNFINISHED}')
    try:
        yield aside
        replace_durably(aside, target)
    except (OSError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and 'inline_container' not in str(error):  # torch's error on a full disk
            raise
        raise OSError(f'cannot write {target} ({getattr(error, "strerror", "") or error})') from error
    finally:
        aside.unlink(missing_ok=True)
