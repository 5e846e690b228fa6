"""Actions of tools/reproduce.py on a plan: check it, submit it to Slurm, train its runs, collect their results."""
import os
import shlex
import sys
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from isda_seg.paper.reproduce import checks, report, slurm, trial
from isda_seg.paper.reproduce.plan import Plan, jobs_of, write_configs
from isda_seg.paper.reproduce.status import StatusScreen
from isda_seg.paper.series import jobs
from isda_seg.paper.series.processes import Slot
from isda_seg.runtime.provenance import write_json

Slots = Callable[[], Sequence[Slot]]
say = partial(print, flush=True)


def check(plan: Plan, tools: Path, slots: Slots, gpus: Sequence[str] | None, cpu: bool, words: Sequence[str]) -> bool:
    """Print everything that is missing, and if nothing is, try each config; return whether the plan can start.

    ``gpus`` and ``cpu`` are as in ``check_plan``; ``words``, the arguments of the command that starts the plan, are
    printed.
    """
    warnings.filterwarnings('ignore', module='mmcv')  # about operators; packages that a table needs were checked before
    found = checks.check_plan(plan, gpus, cpu)
    if any(finding.missing for finding in found):
        say('\n'.join([*map(str, found), 'The trial of each config is left out until nothing is missing.']))
        return False
    problems = jobs.run_jobs(trial.trial_jobs(plan, tools), slots(), say, keep_going=True)
    found += [checks.Finding(True, f'{name}: {problem}') for name, problem in problems.items()]
    found += checks.check_trials(plan)
    command = shlex.join([Path(sys.executable).name, 'tools/reproduce.py', *words])
    say('\n'.join([*map(str, found), 'A trial failed.' if problems else f'Nothing is missing. Start with {command}']))
    return not problems


def write_slurm_script(plan: Plan, tools: Path, ranks: int, words: Sequence[str]) -> None:
    """Write the script that submits the runs; ``words`` are the arguments of tools/reproduce.py with the plan."""
    path = plan.folder / f'{plan.name}.sh'
    path.write_text(slurm.script(plan.name, jobs_of(plan, tools), [sys.executable, str(tools / 'reproduce.py'), *words],
                                 os.getcwd(), str(plan.folder.absolute()), ranks))
    say(f'wrote {path}. Set SBATCH_ARGS to the partition and time limit, such as '
        f"SBATCH_ARGS='--partition=gpu --time=24:00:00', and submit the runs with: bash {path}")


def train(plan: Plan, chosen: Sequence[jobs.Job], slots: Slots) -> bool:
    """Carry out some jobs of the plan, each tried twice, and print those that fail; return whether all are complete."""
    write_configs(plan, chosen)
    with StatusScreen(plan) as screen:
        problems = jobs.run_jobs(chosen, slots(), screen.say, retries=1, keep_going=True)
    for name, problem in problems.items():
        say(f'{name} is not complete: {problem}')
    return not problems


def collect(plan: Plan, out: Path) -> bool:
    """Print the table and write the result file from the complete runs; return whether none is missing."""
    record = report.collect(plan)
    say(report.table_text(plan, record))
    write_json(out, record)
    say(f'wrote {out}')
    return not record['missing']
