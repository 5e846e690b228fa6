"""Generated tables and sentences of the documentation, from the result files."""
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from docs import record_stack, series, torch_models
from docs.analyses import analyses
from docs.columns import CLASSIFICATION, DETECTION, SEGMENTATION, Columns, Runs
from docs.config_results import of_config, results_by_config
from docs.cost_line import cost_line
from docs.gain import digits, every_arm, front_page, gain
from docs.generated_text import replace_block, replace_blocks, replace_result_line
from docs.section import link, section
from isda_seg.paper.cost import kernel_report
from isda_seg.paper.cost import report as cost_report
from isda_seg.paper.result_tables import NOT_RUN, markdown

RECORDED = 'configs/results/README.md'  # as README links it
TIMED = ('make demo', 'make test')
LISTED = ('wrapped', 'not wrapped', 'not built')  # verdicts


class ConfigFolder(NamedTuple):
    """Folder of configs, the folder of the README that lists them, and the columns of their results."""
    name: str
    readme: str
    columns: Columns
    caveat: str = ''  # printed with every number


CONFIG_FOLDERS = (
    ConfigFolder('miniature', 'miniature', CLASSIFICATION),
    ConfigFolder('demo', 'demo', SEGMENTATION),
    ConfigFolder('camvid', 'camvid', SEGMENTATION),
    ConfigFolder('cityscapes', 'cityscapes', SEGMENTATION),
    ConfigFolder('classification', 'classification', CLASSIFICATION),
    ConfigFolder('long_tail', 'classification', CLASSIFICATION),
    ConfigFolder('semi', 'semi', CLASSIFICATION),
    ConfigFolder('coco', 'coco', DETECTION),
    ConfigFolder('coco256', 'coco', DETECTION, 'shows that the path works and says nothing about a backbone'))


def generate(root: Path) -> dict[Path, str]:
    """Return every file below ``root`` that contains generated text, with its up-to-date content."""
    configs, results = root / 'configs', root / 'configs' / 'results'
    series.require_committed(results / 'series')
    runs = results_by_config(configs)
    files: dict[Path, str] = {}
    for folder in CONFIG_FOLDERS:
        readme = configs / folder.readme / 'README.md'
        text = files.get(readme) or readme.read_text()
        files[readme] = replace_block(text, folder.name, folder_section(folder, configs, runs))
        for path in sorted((configs / folder.name).rglob('*.py')):
            files[path] = replace_result_line(path.read_text(), docstring_line(folder, *of_config(runs, path.stem)))
    measured = [json.loads(path.read_text()) for path in sorted(results.glob('cost*.json'))]
    inside = configs / 'miniature' / 'README.md'
    files[inside] = replace_block(files[inside], 'analyses', analyses(results / 'analysis', '../results/analysis'))
    guide = configs / 'camvid' / 'README.md'
    files[guide] = replace_block(files[guide], 'segmentation-arms', every_arm(results / 'series', 'segmentation'))
    card = configs / 'torch' / 'README.md'
    files[card] = replace_block(card.read_text(), 'torch-models', torch_models.table(results / 'torch_models.json'))
    install = root / 'docs' / 'install.md'
    files[install] = replace_block(install.read_text(), 'stacks', record_stack.table(results / 'stacks.json'))
    recorded, front = results / 'README.md', root / 'README.md'
    files[recorded] = replace_blocks(recorded.read_text(), {
        'gain': gain(results / 'series', '#recorded-series'), 'digits': digits(results),
        'series': series.sections(results / 'series', 'series'), 'cost': cost_report.section(measured),
        'zoo': supported(results / 'zoo.json'),
        'zoo-detection': supported(results / 'zoo_mmdet.json', 'MMDetection', '--package mmdet'),
        'kernels': kernel_report.section(_recorded(results / 'kernels.json')), 'timings': timings(results)})
    files[front] = replace_blocks(front.read_text(), {
        'gain': front_page(results / 'series', f'{RECORDED}#does-it-help'),
        'cost': cost_line(measured, f'{RECORDED}#what-does-it-cost')})
    return files


def _recorded(path: Path) -> Any:
    """Return the content of a result file; None without one."""
    return json.loads(path.read_text()) if path.is_file() else None


def folder_section(folder: ConfigFolder, configs: Path, runs: Mapping[str, Runs]) -> str:
    """Return the section of a folder: results, caveat and visualisations."""
    here = configs / folder.readme
    parts = [section(sorted((configs / folder.name).rglob('*.py')), runs, folder.columns.cells, here)]
    parts += [f'Every number of this table {folder.caveat}.'] if folder.caveat else []
    parts += [f'![Ground truth and prediction, image {path.stem}]({link(path, here)})'
              for path in sorted((configs / 'results' / folder.name).glob('*.png'))]
    return '\n\n'.join(filter(None, parts))


def docstring_line(folder: ConfigFolder, runs: Runs | None, tested: str = '') -> str:
    """Return the Result line of a config; ``tested`` is an option of the tests."""
    line = folder.columns.docstring_line(runs) + (f' with {tested}' if tested else '')
    return f'{line}; {folder.caveat}' if runs and folder.caveat else line


def timings(results: Path) -> str:
    """Return the newest duration of each command, including installation."""
    records = [json.loads(path.read_text()) for path in sorted(results.glob('timings*.json'))]
    known = {name: record for name, record in sorted(
        (entry for found in records for entry in found.items()), key=lambda entry: entry[1]['date'])}
    return '\n'.join(['Durations, including installation in a new environment:', '',
                      *(timing_sentence(name, known.get(name)) for name in TIMED)])


def supported(path: Path, package: str = 'MMSegmentation', options: str = '') -> str:
    """Return a table of the configs of a package that ISDA supports, from tools/benchmarks/zoo.py."""
    if not path.is_file():
        return f'`{" ".join(filter(None, ("tools/benchmarks/zoo.py", options)))}`: {NOT_RUN}.'
    found = json.loads(path.read_text())
    counts = found['counts']
    rows = [[f'configurations of {package}', 'number'], ['all', str(found['configurations'])],
            ['built without further packages', str(found['configurations'] - counts['not built'])],
            ['wrapped', str(counts['wrapped'])], ['without a linear softmax classifier', str(counts['not wrapped'])],
            ['fail in another way', str(counts['refused'] + counts['unclear'])]]
    lists = ''.join(f'- {verdict}: {families}\n' for verdict in LISTED if options and
                    (families := _families(found, verdict)))
    return '\n\n'.join(filter(None, (markdown(rows), lists.rstrip(),
                                     f'Measured on {found["date"][:10]} at commit {found["commit"]}.')))


def _families(found: dict[str, Any], verdict: str) -> str:
    """Return the families with this verdict, each with its number of configs if others have another verdict."""
    return ', '.join(family if len(counts) == 1 else f'{family} ({counts[verdict]} of {sum(counts.values())})'
                     for family, counts in found['families'].items() if verdict in counts)


def timing_sentence(name: str, timing: dict[str, Any] | None) -> str:
    """Return the measured duration of a command."""
    if timing is None:
        return f'- `{name}`: {NOT_RUN}'
    return (f'- `{name}`: {timing["seconds"] / 60:.0f} minutes on {timing["hardware"]}, {timing["date"][:10]}, '
            f'commit {timing["commit"]}')
