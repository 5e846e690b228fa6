"""Run a function of a test module on two gloo ranks, each a process of its own.

``python -m helpers.two_ranks MODULE FUNCTION FOLDER [ARGUMENT ...]`` is one of the two.
"""
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import distributed

TESTS = Path(__file__).resolve().parents[1]


def two_ranks(function: Callable[..., Any], folder: Path, *arguments: object) -> list[Any]:
    """Return what ``function(rank, folder, *arguments)`` returns on rank 0 and on rank 1; arguments become strings."""
    paths = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    environment = dict(os.environ, PYTHONPATH=paths, OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='', WORLD_SIZE='2')
    command = [sys.executable, '-m', 'helpers.two_ranks', function.__code__.co_filename, function.__name__, str(folder),
               *map(str, arguments)]
    processes = [subprocess.Popen(command, env=dict(environment, RANK=rank, LOCAL_RANK=rank), text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for rank in '01']
    try:
        logs = [process.communicate(timeout=300)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], '\n'.join(logs)
    return [torch.load(folder / f'{function.__name__}{rank}') for rank in range(2)]


def main(module: str, name: str, place: str, *arguments: str) -> None:
    folder, rank = Path(place), int(os.environ['RANK'])
    torch.set_num_threads(1)
    store = (folder / f'{name}_store').as_uri()
    distributed.init_process_group('gloo', init_method=store, rank=rank, world_size=2)
    found = runpy.run_path(module)[name](rank, folder, *arguments)
    torch.save(found, folder / f'{name}{rank}')
    distributed.barrier()
    distributed.destroy_process_group()


if __name__ == '__main__':
    main(*sys.argv[1:])
