"""The result of the cost benchmark as Markdown and as two sentences. Pure functions of the result file."""
from pathlib import Path
from typing import Any

from isda_seg.paper.cost.formatting import change, factor, markdown, percent, power, size, span, time, verdict
from isda_seg.paper.cost.targets import targets
from isda_seg.paper.result_rows import NOT_RUN


def report(result: dict[str, Any]) -> str:
    """Every part the result holds, each with a heading."""
    parts = [('Loss, forward and backward', loss_summary), ('Where the extra time goes', profile_summary),
             ('Growth', growth_summary), ('Whole training step', step_summary)]
    blocks = [f'**{title}**\n\n{summary(result)}' for (title, summary), key in
              zip(parts, ('loss', 'profile', 'growth', 'step'), strict=True) if key in result]
    if 'loss' in result or 'step' in result:
        blocks.append(f'**Targets**\n\n{target_summary(result)}')
    return '\n\n'.join([*blocks, footnote(result)])


def section(results: list[dict[str, Any]]) -> str:
    """The newest measurement on a CPU and the newest on a GPU as a whole, and the extra time of all of them."""
    results = sorted(results, key=lambda result: result['date'])
    newest = newest_of_devices(results)
    on_cpu, on_gpu = (report(newest[device]) if device in newest else NOT_RUN for device in ('cpu', 'cuda'))
    blocks = [on_cpu, '**On a GPU** (`make gpu` measures it)', on_gpu]
    return '\n\n'.join([*blocks, '**Extra time over the versions**', history(results)] if results else blocks)


def newest_of_devices(results: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The last measurement on each device: 'cpu' or 'cuda' -> result."""
    return {result['device']: result for result in sorted(results, key=lambda result: result['date'])}


def history(results: list[dict[str, Any]]) -> str:
    """One row per measurement: the loss's extra time at every size and resolution, and the step's."""
    rows = [{'measured': f'{result["date"][:10]}, commit {result["commit"]}', 'on': result['hardware'],
             **{f'{loss["name"]}, {row["resolution"]}': time(row['extra']['seconds']['median'])
                for loss in result.get('loss', ()) for row in loss['rows']},
             **({'whole step': percent(result['step']['extra']['share']['median'])} if 'step' in result else {})}
            for result in results]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return markdown([names, *([row.get(name, '') for name in names] for row in rows)])


def loss_summary(result: dict[str, Any]) -> str:
    """One row per size and resolution."""
    rows = [['tensors', 'resolution', 'plain', 'ISDA', 'extra time', 'of plain', 'extra peak memory',
             'of one logits tensor', 'literal extra time', 'literal extra memory', "literal / ISDA's", 'over floor']]
    for loss in result['loss']:
        plain, literal = loss['measured']['plain'], loss['literal_extra']
        note = '' if literal['slice'] == 1 else f' (slice of {literal["slice"]:.3f}, extrapolated)'
        for row in loss['rows']:
            ours = loss['measured'][f'isda {row["resolution"]}']
            rows.append([tensors(loss), row['resolution'] if len(loss['rows']) > 1 else '',
                         f'{span(plain["seconds"])}, {size(plain["peak_bytes"])}',
                         f'{span(ours["seconds"])}, {size(ours["peak_bytes"])}', span(row['extra']['seconds']),
                         percent(row['extra']['share']['median']), size(row['extra']['bytes']),
                         percent(row['of_logits']), span(literal['seconds']) + note, size(literal['bytes']) + note,
                         factor(row['literal_times']), factor(row['over_floor'])])
    return markdown(rows)


def profile_summary(result: dict[str, Any]) -> str:
    """One row per size: the pieces of ISDA, and those of the literal form where they were timed."""
    names = list(dict.fromkeys(name for profile in result['profile'] for name in profile['pieces']))
    rows = [['tensors', 'extra time', *names, 'rest of the extra time']]
    for profile in result['profile']:
        parts = [span(profile['pieces'][name]) if name in profile['pieces'] else '' for name in names]
        rows.append([tensors(profile), span(profile['extra']), *parts, time(profile['rest'])])
    return markdown(rows)


def growth_summary(result: dict[str, Any]) -> str:
    """Two rows per axis, time and memory: what is done beside cross-entropy at each size, and the exponents."""
    rows = [['axis', 'sizes', '', 'statistics and table', 'exponent', 'exponent of ISDA', 'exponent of plain']]
    for growth in result['growth']:
        sizes = ', '.join(str(point['size']) for point in growth['points'])
        beside = [point['measured']['beside'] for point in growth['points']]
        shown = dict(seconds=', '.join(time(one['seconds']['median']) for one in beside),
                     bytes=', '.join(size(one['peak_bytes']) for one in beside))
        for kind, name in (('seconds', 'time'), ('bytes', 'peak memory')):
            rows.append([growth['axis'], sizes, name, shown[kind],
                         *(power(growth['exponents'][which][kind]) for which in ('beside', 'isda', 'plain'))])
    return markdown(rows)


def step_summary(result: dict[str, Any]) -> str:
    """One row: the step of the network."""
    step = result['step']
    plain, ours = step['measured']['plain'], step['measured']['isda']
    return markdown([['config', 'batch', 'plain', 'ISDA', 'extra time', 'of plain (quartiles)', 'extra peak memory',
                      'of one logits tensor'],
                     [step['config'], f'{step["images"]} x {step["size"]} x {step["size"]}',
                      f'{span(plain["seconds"])}, {size(plain["peak_bytes"])}',
                      f'{span(ours["seconds"])}, {size(ours["peak_bytes"])}', span(step['extra']['seconds']),
                      '{} ({} to {})'.format(*(percent(step['extra']['share'][k]) for k in ('median', 'low', 'high'))),
                      size(step['extra']['bytes']), percent(step['of_logits'])]])


def target_summary(result: dict[str, Any]) -> str:
    """Measured beside aimed at."""
    rows = [['target', 'where', 'measured', 'wanted', 'reached', 'aim', 'reached']]
    for target in targets(result):
        show = percent if target['unit'] == '%' else factor
        aim = ['', ''] if target['aim'] is None else [f'{target["bound"]} {show(target["aim"])}',
                                                      verdict(target['aim_reached'])]
        reached = verdict(target['reached']) + (f': {target["because"]}' if target['because'] else '')
        rows.append([target['what'], target['where'], show(target['measured']),
                     f'{target["bound"]} {show(target["target"])}', reached, *aim])
    return markdown(rows)


def footnote(result: dict[str, Any]) -> str:
    """How it was measured, where and at which commit."""
    toy = 'Toy sizes, which say nothing about cost. ' if result['toy'] else ''
    return (f'{toy}Medians of {result["rounds"]} alternating rounds (quartiles in brackets); differences and shares '
            'are taken within a round. Memory is peak tensor bytes during forward and backward above the inputs. The '
            'literal form includes its own statistics and works on feature pixels at every resolution; its penalties '
            'are resized to the labels. On a slice, its extra cost over plain cross-entropy of the same slice is '
            'multiplied by how much smaller the slice is. Floor: features read once, logits written once, their '
            f'gradient read once, at {result["bandwidth"] / 1e9:.1f} GB/s of copying. {signature(result)}.')


def two_lines(result: dict[str, Any]) -> str:
    """One measurement in short: the first size and resolution, and the step where it was measured."""
    loss = result['loss'][0]
    row, pixels = loss['rows'][0], ' x '.join(map(str, loss['labels'][1:]))
    text = (f'The loss alone takes {change(row["extra"]["share"]["median"], "longer")} than plain cross-entropy at '
            f'{pixels or loss["labels"][0]} labels and {loss["classes"]} classes, and its peak memory is '
            f'{change(row["of_logits"], "higher", " of one logits tensor")}')
    if row['literal_times'] is not None:
        whole = '' if loss['literal_extra']['slice'] == 1 else ', extrapolated from a slice'
        text += f'; the N x C x A form costs {factor(row["literal_times"])} its extra time{whole}'
    if 'step' in result:
        step = result['step']
        text = (f'A whole training step of {where(step)} takes '
                f'{change(step["extra"]["share"]["median"], "longer")} with ISDA. {text}')
    return f'{text} ({signature(result)}).'


def front_page(results: list[dict[str, Any]]) -> str:
    """The newest whole measurement on a GPU and the newest on a CPU, in this order: the step, then the loss alone."""
    newest = newest_of_devices([result for result in results if {'loss', 'step'} <= set(result)])
    shown = [newest[device] for device in ('cuda', 'cpu') if device in newest]
    if not shown:
        return NOT_RUN
    steps = [f'{change(one["step"]["extra"]["share"]["median"], "longer")} on {one["hardware"]} ({where(one["step"])}, '
             f'{one["date"][:10]}, commit {one["commit"]})' for one in shown]
    losses = [one['loss'][0] for one in shown]
    times = [f'{time(loss["measured"]["isda label"]["seconds"]["median"])} instead of '
             f'{time(loss["measured"]["plain"]["seconds"]["median"])}' for loss in losses]
    memory = [f'{100 * loss["rows"][0]["of_logits"]:+.1f} %' for loss in losses]
    labels = ' x '.join(map(str, losses[0]['labels'][1:]))
    return (f'With ISDA a training step takes {" and ".join(steps)}. The loss alone, at {labels} labels and '
            f'{losses[0]["classes"]} classes, takes {" and ".join(times)}, its peak memory '
            f'changes by {" and ".join(memory)} of one logits tensor.')


def where(step: dict[str, Any]) -> str:
    """The network and its crops."""
    return f'`{network(step["config"])}` at {step["images"]} x {step["size"]} x {step["size"]}'


def network(config: str) -> str:
    """pspnet_r50-d8 from cityscapes/pspnet_r50-d8_isda_....py."""
    return Path(config).stem.split('_isda')[0]


def signature(result: dict[str, Any]) -> str:
    """Hardware, day and commit."""
    return f'{result["hardware"]}, {result["date"][:10]}, commit {result["commit"]}'


def tensors(loss: dict[str, Any]) -> str:
    """The size in words."""
    shape = ' x '.join(map(str, loss['features']))
    labels = f', {" x ".join(map(str, loss["labels"][1:]))} labels' if len(loss['labels']) > 1 else ''
    return f'{loss["name"]}: {shape}{labels}, {loss["classes"]} classes, {loss["covariance"]}'
