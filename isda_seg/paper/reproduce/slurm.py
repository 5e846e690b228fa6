"""Script that submits the jobs of a plan to Slurm as arrays of jobs."""
import shlex
from collections.abc import Sequence

from isda_seg.paper.series.jobs import Job

SUBMIT = '''\
{name}=$(sbatch --parsable --job-name={title} --array={array} {after}--nodes=1 --gpus-per-node={gpus} \\
    --cpus-per-task={cpus} --signal=TERM@300 --requeue --open-mode=append --output={log} ${{SBATCH_ARGS:-}} <<'END'
#!/bin/bash
cd {folder} || exit 1
srun {command} --only "$SLURM_ARRAY_TASK_ID/{total}"
code=$?
# 143: Slurm ended the run five minutes before its time limit, after it saved a checkpoint. It continues in the queue.
if [ "$code" -eq 143 ]; then scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_$SLURM_ARRAY_TASK_ID"; fi
exit "$code"
END
)
'''
COLLECT = '''\
sbatch --parsable --job-name={title}-collect --dependency=afterany:{after} --output={log} ${{SBATCH_ARGS:-}} <<'END'
#!/bin/bash
cd {folder} || exit 1
{command} --collect
END
'''
HEAD = '''\
#!/bin/bash
# Submits {total} jobs and the collection of their results. Submitted again, it carries out what is missing.
# SBATCH_ARGS holds further options of sbatch, such as '--partition=gpu --time=24:00:00'.
set -euo pipefail
'''
CPUS_PER_GPU = 6


def stages(jobs: Sequence[Job]) -> list[list[int]]:
    """Return the numbers of the jobs, from 1, by stage: a job comes after the stages of the jobs that it needs."""
    level: dict[str, int] = {}
    for job in jobs:
        level[job.name] = 1 + max((level[need.name] for need in job.after), default=-1)
    return [[number for number, job in enumerate(jobs, 1) if level[job.name] == stage]
            for stage in range(1 + max(level.values()))]


def script(name: str, jobs: Sequence[Job], command: Sequence[str], folder: str, log_folder: str, ranks: int) -> str:
    """Return the script: an array of jobs per stage, and a last job that collects the results.

    ``command`` is the command line of tools/reproduce.py with the options of the plan; it runs in ``folder``. ``ranks``
    is the number of GPUs of a job.
    """
    parts, after = [HEAD.format(total=len(jobs))], ''
    words = ' '.join(map(shlex.quote, command))
    log = shlex.quote(f'{log_folder}/slurm_%A_%a.txt')
    found = stages(jobs)
    for place, numbers in enumerate(found, 1):
        parts.append(SUBMIT.format(
            name=f'stage{place}', title=f'isda-{name}', array=_ranges(numbers), log=log, gpus=ranks,
            cpus=CPUS_PER_GPU * ranks, after=f'--dependency=afterany:{after} ' if after else '', command=words,
            folder=shlex.quote(folder), total=len(jobs)))
        after = f'$stage{place}'
    parts.append(COLLECT.format(title=f'isda-{name}', log=shlex.quote(f'{log_folder}/slurm_%j.txt'), command=words,
                                folder=shlex.quote(folder), after=after))
    return ''.join(parts)


def _ranges(numbers: Sequence[int]) -> str:
    """Format increasing numbers as in --array: 1-4,7."""
    found: list[list[int]] = []
    for number in numbers:
        if found and found[-1][-1] == number - 1:
            found[-1][1:] = [number]
        else:
            found.append([number])
    return ','.join('-'.join(map(str, each)) for each in found)
