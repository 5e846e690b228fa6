"""Text of a plan that is not carried out."""
from isda_seg.paper.reproduce.checks import disk_bytes
from isda_seg.paper.reproduce.estimate import iterations
from isda_seg.paper.reproduce.plan import Plan, Planned
from isda_seg.paper.reproduce.trial import read_trial
from isda_seg.paper.result_tables import markdown
from isda_seg.paper.series.training_runs import read_result

UNKNOWN = 'not measured'


def plan_text(plan: Plan, step_time: float | None = None) -> str:
    """Return a line per arm in the order of the plan, and the sums.

    ``step_time``, the seconds per training step, replaces those of the trials.
    """
    by_arm: dict[str, list[Planned]] = {}
    for planned in plan.runs:
        by_arm.setdefault(planned.arm.label, []).append(planned)
    rows, hours, complete = [['run', 'seeds', 'complete', 'GPUs', 'steps', 'GPU hours']], list[float | None](), 0
    for label, runs in by_arm.items():
        done = sum(read_result(plan.folder / run.run.name, run.test) is not None for run in runs)
        each = gpu_hours(plan, runs[0], step_time)
        hours.append(each if each is None else each * (len(runs) - done))
        complete += done
        steps = iterations(runs[0].run.cfg, runs[0].ranks)
        rows.append([label, ' '.join(str(run.seed) for run in runs), f'{done}/{len(runs)}', str(runs[0].ranks),
                     'unknown' if steps is None else f'{steps:,}', UNKNOWN if each is None else f'{each:,.1f}'])
    measured = [value for value in hours if value is not None]
    left = f'{sum(measured):,.0f} GPU hours' + (' for the arms with a step time' * (len(measured) < len(hours)))
    return '\n'.join([
        f'{plan.table.title}: {len(plan.runs)} runs in {plan.folder}, {complete} of them complete', '',
        markdown(rows), '',
        f'GPU hours are those of one run, training only. Left: {left if measured else UNKNOWN}'
        f'{"" if measured else " (--check measures, --step-time SECONDS sets the time of a step)"}.',
        f'Checkpoints of the incomplete runs: {disk_bytes(plan) / 1e9:,.1f} GB.'])


def gpu_hours(plan: Plan, planned: Planned, step_time: float | None) -> float | None:
    """Return the GPU hours of a training; None without a step time or a known number of steps."""
    steps, trial = iterations(planned.run.cfg, planned.ranks), read_trial(planned, plan.folder)
    seconds = step_time if step_time is not None else None if trial is None else float(trial['seconds'])
    return None if steps is None or seconds is None else steps * seconds * planned.ranks / 3600
