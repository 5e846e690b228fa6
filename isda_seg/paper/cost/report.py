"""Markdown tables and a summary of a cost benchmark, computed from its result file."""
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isda_seg.paper.cost.formatting import duration, factor, memory, percent, power, size, span, time
from isda_seg.paper.result_tables import NOT_RUN, markdown

PARTS = 'loss', 'profile', 'growth', 'step'


def report(result: dict[str, Any], keys: Sequence[str] = PARTS) -> str:
    """Return Markdown with a heading and a summary for each part of the result that ``keys`` names."""
    parts = [('Loss, forward and backward', loss_summary), ('Components of the extra time', profile_summary),
             ('Scaling', growth_summary), ('Training step', step_summary)]
    blocks = [f'**{title}** ({signature(result)})\n\n{summary(result)}'
              for (title, summary), key in zip(parts, PARTS, strict=True) if key in result and key in keys]
    return '\n\n'.join([*blocks, footnote(result)])


def section(results: list[dict[str, Any]]) -> str:
    """Report the newest measurement of each part on a CPU, and on a GPU."""
    return '\n\n'.join([_newest_parts(results, 'cpu'), '**On a GPU** (measured by `make gpu`)',
                        _newest_parts(results, 'cuda')])


def _newest_parts(results: list[dict[str, Any]], device: str) -> str:
    """Report each part from the newest result of a device that has it."""
    blocks, missing = [], list(PARTS)
    for result in sorted(results, key=lambda result: result['date'], reverse=True):
        found = [key for key in missing if key in result] if result['device'] == device else []
        if found:
            blocks.append(report(result, found))
            missing = [key for key in missing if key not in found]
    return '\n\n'.join(blocks) or NOT_RUN


def newest_of_devices(results: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Map each device, 'cpu' or 'cuda', to its newest measurement."""
    return {result['device']: result for result in sorted(results, key=lambda result: result['date'])}


def loss_summary(result: dict[str, Any]) -> str:
    """Return one row per size and resolution."""
    rows = [['tensors', 'resolution', 'baseline', 'ISDA', 'extra time', 'of the baseline', 'extra peak memory',
             'in logits tensors', 'N x C x A extra time', 'N x C x A extra memory', 'ratio of extra times',
             'ratio to the lower bound']]
    for loss in result['loss']:
        baseline, literal = loss['measured']['plain'], loss['literal_extra']
        note = '' if literal['slice'] == 1 else f' (slice of {literal["slice"]:.3f}, extrapolated)'
        for row in loss['rows']:
            isda = loss['measured'][f'isda {row["resolution"]}']
            rows.append([tensors(loss), row['resolution'] if len(loss['rows']) > 1 else '',
                         f'{span(baseline["seconds"])}, {size(baseline["peak_bytes"])}',
                         f'{span(isda["seconds"])}, {size(isda["peak_bytes"])}', span(row['extra']['seconds']),
                         percent(row['extra']['share']['median']) + on_gpu_alone(isda, baseline),
                         size(row['extra']['bytes']),
                         f'{row["of_logits"]:+.2f}', span(literal['seconds']) + note, size(literal['bytes']) + note,
                         factor(row['literal_times']), factor(row['over_floor'])])
    return markdown(rows)


def on_gpu_alone(isda: dict[str, Any], baseline: dict[str, Any]) -> str:
    """Return ISDA's time on the GPU as a multiple of the baseline's; nothing on a CPU and in older results."""
    seconds = isda.get('device_seconds')
    return f'; on the GPU alone {factor(seconds / baseline["device_seconds"])}' if seconds else ''


def profile_summary(result: dict[str, Any]) -> str:
    """Return one row per size: the components of ISDA and, where timed, of the N x C x A form."""
    names = list(dict.fromkeys(name for profile in result['profile'] for name in profile['pieces']))
    rows = [['tensors', 'extra time', *names, 'remaining extra time']]
    for profile in result['profile']:
        parts = [span(profile['pieces'][name]) if name in profile['pieces'] else '' for name in names]
        rows.append([tensors(profile), span(profile['extra']), *parts, time(profile['rest'])])
    return markdown(rows)


def growth_summary(result: dict[str, Any]) -> str:
    """Return two rows per axis, time and memory: the work in addition to cross-entropy, and the scaling exponents."""
    rows = [['axis', 'sizes', '', 'statistics and table', 'exponent', 'exponent of ISDA', 'exponent of the baseline']]
    for growth in result['growth']:
        sizes = ', '.join(str(point['size']) for point in growth['points'])
        points = [point['measured']['beside'] for point in growth['points']]
        shown = dict(seconds=', '.join(time(point['seconds']['median']) for point in points),
                     bytes=', '.join(size(point['peak_bytes']) for point in points))
        for kind, name in (('seconds', 'time'), ('bytes', 'peak memory')):
            rows.append([growth['axis'], sizes, name, shown[kind],
                         *(power(growth['exponents'][which][kind]) for which in ('beside', 'isda', 'plain'))])
    return markdown(rows)


def step_summary(result: dict[str, Any]) -> str:
    """Return one row: the training step of the network."""
    step = result['step']
    baseline, isda = step['measured']['plain'], step['measured']['isda']
    return markdown([['config', 'batch', 'baseline', 'ISDA', 'extra time', 'of the baseline (quartiles)',
                      'extra peak memory', 'in logits tensors'],
                     [step['config'], f'{step["images"]} x {step["size"]} x {step["size"]}',
                      f'{span(baseline["seconds"])}, {size(baseline["peak_bytes"])}',
                      f'{span(isda["seconds"])}, {size(isda["peak_bytes"])}', span(step['extra']['seconds']),
                      '{} ({} to {})'.format(*(percent(step['extra']['share'][k]) for k in ('median', 'low', 'high'))),
                      size(step['extra']['bytes']), f'{step["of_logits"]:+.2f}']])


def footnote(result: dict[str, Any]) -> str:
    """Return the note on the method of a measurement."""
    toy = 'Toy sizes: these numbers do not represent the cost. ' if result['toy'] else ''
    return (f'{toy}Medians of {result["rounds"]} alternating rounds (quartiles in brackets); differences and shares '
            'are computed within a round. Memory is the peak of the tensor bytes during forward and backward, without '
            'the inputs. The N x C x A form includes its own statistics and works on feature pixels at every '
            'resolution; its penalties are resized to the labels. On a slice of the tensors, its extra cost over '
            'cross-entropy on the same slice is scaled up to the full size. Lower bound on the time: features read '
            'once, logits written once and their gradient read once, at the copy bandwidth of '
            f'{result["bandwidth"] / 1e9:.1f} GB/s.')


def one_sentence(result: dict[str, Any]) -> str:
    """Summarise one measurement: the loss at its first size and resolution, and the training step if measured."""
    loss = result['loss'][0]
    row, pixels = loss['rows'][0], ' x '.join(map(str, loss['labels'][1:]))
    text = (f'The loss alone takes {duration(row["extra"]["share"]["median"])} than cross-entropy at '
            f'{pixels or loss["labels"][0]} labels and {loss["classes"]} classes, and its peak memory is '
            f'{memory(row["of_logits"])} the logits tensor')
    if row['literal_times'] is not None:
        note = '' if loss['literal_extra']['slice'] == 1 else ', extrapolated from a slice'
        text += f'; the extra time of the N x C x A form is {factor(row["literal_times"])} as long{note}'
    if 'step' in result:
        step = result['step']
        text = (f'A training step of {step_size(step)} takes '
                f'{duration(step["extra"]["share"]["median"])} with ISDA. {text}')
    return f'{text} ({signature(result)}).'


def step_size(step: dict[str, Any]) -> str:
    """Return the name of the network and the size of its batch."""
    return f'`{network(step["config"])}` at {step["images"]} x {step["size"]} x {step["size"]}'


def network(config: str) -> str:
    """Return pspnet_r50-d8 for cityscapes/pspnet_r50-d8_isda_....py."""
    return Path(config).stem.split('_isda')[0]


def signature(result: dict[str, Any]) -> str:
    """Return hardware, date and commit."""
    return f'{result["hardware"]}, {result["date"][:10]}, commit {result["commit"]}'


def tensors(loss: dict[str, Any]) -> str:
    """Describe the size of the tensors."""
    shape = ' x '.join(map(str, loss['features']))
    labels = f', {" x ".join(map(str, loss["labels"][1:]))} labels' if len(loss['labels']) > 1 else ''
    return f'{loss["name"]}: {shape}{labels}, {loss["classes"]} classes, {loss["covariance"]}'
