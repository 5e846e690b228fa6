"""The table of other libraries' models: which layer is the classifier, and what has to be set."""
import json
from pathlib import Path
from typing import Any

from isda_seg.paper.result_rows import NOT_RUN

HEAD = ['| library | model | attach to | settings |', '| --- | --- | --- | --- |']


def table(path: Path) -> str:
    """Every model that was run, in the order of the file; the sentence below says what each run was held against."""
    if not path.is_file():
        return NOT_RUN
    libraries = json.loads(path.read_text())
    entries = [entry for library in libraries.values() for entry in library['models']]
    lines = [f'| {entry["library"]} {libraries[entry["library"]]["library"][entry["library"]]} | {entry["model"]} | '
             f'{attached(entry)} | {settings(entry)} |' for entry in entries]
    return '\n'.join([*HEAD, *lines, '', sentence(list(libraries.values()))])


def attached(entry: dict[str, Any]) -> str:
    """The layer, as Python names it in the model."""
    if not entry['served']:
        return 'not served'
    name = ''.join(f'[{part}]' if part.isdigit() else f'.{part}' for part in entry['classifier'].split('.'))
    return f'`model{name}`'


def settings(entry: dict[str, Any]) -> str:
    """What differs from a head that returns logits of the labels' size, or upsamples them without corners."""
    if not entry['served']:
        return str(entry.get('reason', 'Eq. 7 is not met'))
    inside = entry['logits'] != entry['positions']
    found = ['upsample its logits'] if entry['logits'] != entry['labels'] else []
    found += ['`align_corners=True`'] if inside and entry['align_corners'] else []
    found += ['x'.join(map(str, entry['kernel'])) + ' convolution'] if entry['kernel'] != [1, 1] else []
    return ', '.join(found)


def sentence(libraries: list[dict[str, Any]]) -> str:
    """What was run, and how near it came."""
    entries = [entry for library in libraries for entry in library['models']]
    served = [entry for entry in entries if entry['served']]
    worst = max((max(entry['value_error'], entry['gradient_error']) for entry in served), default=0.0)
    origins = dict.fromkeys(f'{library["date"][:10]}, commit {library["commit"]}' for library in libraries)
    return (f'{len(served)} of {len(entries)} models are served: three training steps each, with random weights; '
            'strength 0 is plain cross-entropy bit for bit, the numbers of samples are exact, and Eq. 7 in float64 '
            f'with its gradient is met to {worst:.0e} ({"; ".join(origins)}).')
