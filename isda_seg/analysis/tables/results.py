"""Tables and sentences of the documentation, generated from result files; nothing here is typed by hand."""
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from isda_seg.analysis.cost import table as cost_table
from isda_seg.analysis.tables import classification, detection, series
from isda_seg.analysis.tables.rows import NOT_RUN, average, origin, runs_sentence, seeds

HEADER = ('| config | seeds | single | ms | ms-flip | trained at commit | hardware | date |\n'
          '|---|---|---|---|---|---|---|---|')
PROTOCOLS = ('single', 'ms', 'ms-flip')
ROOMS = ('demo', 'camvid', 'cityscapes')
CLASSIFIERS = ('classification', 'semi')
TIMED = ('make demo', 'make test', 'tools/setup_openmmlab.sh')


def read_results(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Result files of ``tools/test.py --out`` by the stem of their config, one or, from a series, one per seed."""
    found = {Path(result['config']).stem: [result] for path in sorted(folder.glob('*.json'))
             if 'protocols' in (result := json.loads(path.read_text()))}
    for stem, runs in series.paired_runs(series.read_series(folder / 'series')).items():
        found[stem] = [runs[seed] for seed in sorted(runs)]
    return found


def table(configs: list[Path], results: dict[str, list[dict[str, Any]]]) -> str:
    """One row per config, mIoU in per cent; 'not yet run' where there is no result file."""
    rows = [HEADER]
    for config in configs:
        cells = [f'[{config.stem}]({config.parent.name}/{config.name})']
        found = results.get(config.stem)
        if found is None:
            cells += [NOT_RUN] + [''] * 6
        else:
            cells += [seeds(found), *(miou(found, protocol) for protocol in PROTOCOLS), *origin(found)]
        rows.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(rows)


def miou(results: Sequence[dict[str, Any]], protocol: str) -> str:
    """mIoU of one run, or mean and standard deviation over runs; '' where the protocol was not run."""
    return average([result['protocols'][protocol]['mIoU'] for result in results if protocol in result['protocols']])


def docstring_line(results: Sequence[dict[str, Any]] | None) -> str:
    """What a config's docstring says about its result."""
    if not results:
        return NOT_RUN
    values = ', '.join(f'{name} {miou(results, name)}' for name in PROTOCOLS if miou(results, name))
    return f'mIoU {values} ({runs_sentence(results)})'


def timing_sentence(name: str, timing: dict[str, Any] | None) -> str:
    """How long a command took that ended well, set-up included, as measured."""
    if timing is None:
        return f'`{name}`: {NOT_RUN}'
    return (f'`{name}`: {timing["seconds"] / 60:.0f} minutes on {timing["hardware"]}, {timing["date"][:10]}, '
            f'commit {timing["commit"]}')


def replace_block(text: str, name: str, content: str) -> str:
    """Put ``content`` between the markers ``<!-- name -->`` and ``<!-- /name -->``.

    Raises:
        ValueError: the markers are not there.
    """
    pattern = re.compile(rf'(<!-- {name} -->\n).*?(<!-- /{name} -->)', re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f'no block <!-- {name} --> in the text')
    return pattern.sub(lambda match: f'{match[1]}{content}\n{match[2]}', text)


def replace_result_line(text: str, line: str) -> str:
    """Set the ``Result:`` line of a config's docstring."""
    return re.sub(r'^(Result: +).*$', lambda match: match[1] + line, text, count=1, flags=re.MULTILINE)


def generate(root: Path) -> dict[Path, str]:
    """Every generated file below ``root`` with the text it should have."""
    folder = root / 'configs' / 'results'
    results = read_results(folder)
    configs = [path for room in ROOMS for path in sorted((root / 'configs' / room).glob('*.py'))]
    files = {path: replace_result_line(path.read_text(), docstring_line(results.get(path.stem))) for path in configs}
    readme = root / 'configs' / 'README.md'
    text = replace_block(readme.read_text(), 'results', table(configs, results))
    for room in detection.FOLDERS:
        configs = sorted((root / 'configs' / room).glob('*.py'))
        files.update({path: replace_result_line(path.read_text(), detection.docstring_line(
            results.get(path.stem), room)) for path in configs})
        text = replace_block(text, room, detection.section(configs, results, folder / room))
    results = classification.read_results(folder)
    for room in CLASSIFIERS:
        configs = sorted((root / 'configs' / room).glob('*/*.py'))
        lines = {path: classification.docstring_line(results.get(classification.key_of(path)))
                 for path in configs}
        files.update({path: replace_result_line(path.read_text(), line) for path, line in lines.items()})
        text = replace_block(text, room, classification.table(configs, results))
    text = replace_block(text, 'series', series.sections(folder / 'series', 'results/series'))
    measured = [json.loads(path.read_text()) for path in sorted(folder.glob('cost*.json'))]
    files[readme] = replace_block(text, 'cost', cost_table.section(measured))
    timings = folder / 'timings.json'
    known = json.loads(timings.read_text()) if timings.is_file() else {}
    sentences = '\n'.join(f'- {timing_sentence(name, known.get(name))}' for name in TIMED)
    front = root / 'README.md'
    text = replace_block(front.read_text(), 'timings', sentences)
    here = max((result for result in measured if result['device'] == 'cpu'), key=lambda result: result['date'],
               default=None)
    text = replace_block(text, 'cost', cost_table.two_lines(here) if here else NOT_RUN)
    files[front] = replace_block(text, 'gain', series.gain(folder / 'series'))
    return files
