"""Files that are either complete or not there: written aside, then renamed."""
import os
from pathlib import Path

UNFINISHED = '.unfinished'  # the name of a file that is still being written ends so


def replace_durably(source: Path, target: Path) -> None:
    """Flush ``source`` to the disk and give it the name ``target`` in one step."""
    with open(source, 'rb+') as file:
        os.fsync(file.fileno())
    os.replace(source, target)
