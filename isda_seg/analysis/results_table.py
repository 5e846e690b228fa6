"""Tables and sentences of the documentation, generated from result files; nothing here is typed by hand."""
import json
import re
from pathlib import Path
from typing import Any

HEADER = ('| config | seed | single | ms | ms-flip | trained at commit | hardware | date |\n'
          '|---|---|---|---|---|---|---|---|')
PROTOCOLS = ('single', 'ms', 'ms-flip')
ROOMS = ('demo', 'camvid', 'cityscapes')
TIMED = ('make demo', 'make test', 'tools/setup_openmmlab.sh')
NOT_RUN = 'not yet run'


def read_results(folder: Path) -> dict[str, dict[str, Any]]:
    """Result files of ``tools/test.py --out`` by the stem of their config."""
    return {Path(result['config']).stem: result for path in sorted(folder.glob('*.json'))
            if 'protocols' in (result := json.loads(path.read_text()))}


def table(configs: list[Path], results: dict[str, dict[str, Any]]) -> str:
    """One row per config, mIoU in per cent; 'not yet run' where there is no result file."""
    rows = [HEADER]
    for config in configs:
        result = results.get(config.stem)
        cells = [f'[{config.stem}]({config.parent.name}/{config.name})']
        if result is None:
            cells += [NOT_RUN] + [''] * 6
        else:
            runs = result['training'] or [result]
            miou = [result['protocols'].get(protocol, {}).get('mIoU') for protocol in PROTOCOLS]
            commits = ', '.join(dict.fromkeys(run['commit'] for run in runs))
            cells += [str(runs[0]['seed']), *('' if value is None else f'{value:.2f}' for value in miou),
                      commits, runs[-1]['hardware'], runs[-1]['date'][:10]]
        rows.append('| ' + ' | '.join(cells) + ' |')
    return '\n'.join(rows)


def docstring_line(result: dict[str, Any] | None) -> str:
    """What a config's docstring says about its result."""
    if result is None:
        return NOT_RUN
    runs = result['training'] or [result]
    miou = ', '.join(f'{name} {result["protocols"][name]["mIoU"]:.2f}' for name in PROTOCOLS
                     if name in result['protocols'])
    return f'mIoU {miou} (seed {runs[0]["seed"]}, one run)'


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
    files[readme] = replace_block(readme.read_text(), 'results', table(configs, results))
    timings = folder / 'timings.json'
    known = json.loads(timings.read_text()) if timings.is_file() else {}
    sentences = '\n'.join(f'- {timing_sentence(name, known.get(name))}' for name in TIMED)
    front = root / 'README.md'
    files[front] = replace_block(front.read_text(), 'timings', sentences)
    return files
