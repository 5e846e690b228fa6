"""Table of models of other libraries: classifier layer and required settings."""
import json
from pathlib import Path
from typing import Any

from isda_seg.paper.result_tables import NOT_RUN

HEAD = ['| library | model | attach to | settings |', '| --- | --- | --- | --- |']


def table(path: Path) -> str:
    """Return a table of the tested models with a note on the test."""
    if not path.is_file():
        return NOT_RUN
    libraries = json.loads(path.read_text())
    entries = [entry for library in libraries.values() for entry in library['models']]
    lines = [f'| {entry["library"]} {libraries[entry["library"]]["library"][entry["library"]]} | {entry["model"]} | '
             f'{attached(entry)} | {settings(entry)} |' for entry in entries]
    return '\n'.join([*HEAD, *lines, '', sentence(list(libraries.values()))])


def attached(entry: dict[str, Any]) -> str:
    """Return the classifier layer as a Python expression."""
    if not entry['supported']:
        return 'not supported'
    name = ''.join(f'[{part}]' if part.isdigit() else f'.{part}' for part in entry['classifier'].split('.'))
    return f'`model{name}`'


def settings(entry: dict[str, Any]) -> str:
    """Return the settings that differ from those of a head with logits at label resolution."""
    if not entry['supported']:
        return str(entry.get('reason', 'does not match Eq. 7'))
    inside = entry['logits'] != entry['positions']
    found = ['upsample its logits'] if entry['logits'] != entry['labels'] else []
    found += ['`align_corners=True`'] if inside and entry['align_corners'] else []
    found += ['x'.join(map(str, entry['kernel'])) + ' convolution'] if entry['kernel'] != [1, 1] else []
    return ', '.join(found)


def sentence(libraries: list[dict[str, Any]]) -> str:
    """Describe the test and its numerical error."""
    entries = [entry for library in libraries for entry in library['models']]
    supported = [entry for entry in entries if entry['supported']]
    worst = max((max(entry['value_error'], entry['gradient_error']) for entry in supported), default=0.0)
    origins = dict.fromkeys(f'{library["date"][:10]}, commit {library["commit"]}' for library in libraries)
    return (f'{len(supported)} of {len(entries)} models are supported, tested in three training steps with random '
            'weights. Strength 0 equals cross-entropy bitwise, and the sample counts are exact. The largest relative '
            f'error of Eq. 7 and its gradient against float64 is {worst:.0e} ({"; ".join(origins)}).')
