"""Files that are either complete or not there: written aside, then renamed."""
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

UNFINISHED = '.unfinished'  # the name of a file that is still being written ends so


def replace_durably(source: Path, target: Path) -> None:
    """Flush ``source`` to the disk and give it the name ``target`` in one step."""
    with open(source, 'rb+') as file:
        os.fsync(file.fileno())
    os.replace(source, target)


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """The name to write ``target`` under; it gets its own at the end, and nothing is left after an error.

    Every process writes under a name of its own: where several write the same file, the last one stays.

    Raises:
        OSError: as the system raised it, a full disk for instance, with the name of ``target``.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f'{target.name}.{uuid.uuid4().hex}{UNFINISHED}')
    try:
        yield aside
        replace_durably(aside, target)
    except OSError as error:
        raise OSError(f'{target} cannot be written ({error.strerror or error})') from error
    finally:
        aside.unlink(missing_ok=True)
