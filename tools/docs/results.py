"""Every table and sentence of the documentation that is generated from result files; nothing there is typed by hand."""
import json
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from docs import classification, detection, segmentation, series, torch_models
from docs.analyses import analyses
from docs.gain import digits, every_arm, gain
from docs.generated_text import replace_block, replace_result_line
from docs.section import Runs, link, section
from isda_seg.paper.cost import report as cost_report
from isda_seg.paper.result_rows import NOT_RUN
from isda_seg.paper.series.result_files import read_results

SERIES = 'configs/README.md#recorded-series'
TIMED = ('make demo', 'make test', 'make setup-openmmlab')


class Room(NamedTuple):
    """A folder of configs, whose README shows them, and how its runs are shown."""
    folder: str
    readme: str
    task: ModuleType
    caveat: str = ''  # stands beside every number


ROOMS = (Room('miniature', 'miniature', classification), Room('demo', 'demo', segmentation),
         Room('camvid', 'camvid', segmentation),
         Room('cityscapes', 'cityscapes', segmentation), Room('classification', 'classification', classification),
         Room('semi', 'semi', classification), Room('coco', 'coco', detection),
         Room('coco256', 'coco', detection, 'shows that the path works and says nothing about a backbone'))


def generate(root: Path) -> dict[Path, str]:
    """Every file below ``root`` that holds generated text, with the text it should have."""
    configs, results = root / 'configs', root / 'configs' / 'results'
    runs = read_results(results)
    files: dict[Path, str] = {}
    for room in ROOMS:
        readme = configs / room.readme / 'README.md'
        text = files.get(readme) or readme.read_text()
        files[readme] = replace_block(text, room.folder, room_section(room, configs, runs))
        for path in sorted((configs / room.folder).rglob('*.py')):
            files[path] = replace_result_line(path.read_text(), docstring_line(room, runs.get(path.stem)))
    measured = [json.loads(path.read_text()) for path in sorted(results.glob('cost*.json'))]
    inside = configs / 'miniature' / 'README.md'
    files[inside] = replace_block(files[inside], 'analyses', analyses(results / 'analysis', '../results/analysis'))
    guide = configs / 'camvid' / 'README.md'
    files[guide] = replace_block(files[guide], 'segmentation-arms', every_arm(results / 'series', 'segmentation'))
    card = configs / 'torch' / 'README.md'
    files[card] = replace_block(card.read_text(), 'torch-models', torch_models.table(results / 'torch_models.json'))
    index, front = configs / 'README.md', root / 'README.md'
    text = replace_block(index.read_text(), 'series', series.sections(results / 'series', 'results/series'))
    files[index] = replace_block(text, 'cost', cost_report.section(measured))
    text = replace_block(front.read_text(), 'timings', timings(results))
    text = replace_block(text, 'cost', cost_report.front_page(measured))
    text = replace_block(text, 'digits', digits(results))
    text = replace_block(text, 'zoo', served(results / 'zoo.json'))
    files[front] = replace_block(text, 'gain', gain(results / 'series', SERIES))
    return files


def room_section(room: Room, configs: Path, runs: dict[str, Runs]) -> str:
    """The section of a room's configs, its caveat, and the pictures that its results hold."""
    here = configs / room.readme
    parts = [section(sorted((configs / room.folder).rglob('*.py')), runs, room.task.COLUMNS, here)]
    parts += [f'Every number of this table {room.caveat}.'] if room.caveat else []
    parts += [f'![Ground truth and prediction, image {path.stem}]({link(path, here)})'
              for path in sorted((configs / 'results' / room.folder).glob('*.png'))]
    return '\n\n'.join(filter(None, parts))


def docstring_line(room: Room, runs: Runs | None) -> str:
    """What a config's docstring says about its result."""
    return room.task.docstring_line(runs) + (f'; {room.caveat}' if runs and room.caveat else '')


def timings(results: Path) -> str:
    """How long the commands took that ended well, installation included: the newest record of each."""
    records = [json.loads(path.read_text()) for path in sorted(results.glob('timings*.json'))]
    known = {name: record for name, record in sorted(
        (entry for found in records for entry in found.items()), key=lambda entry: entry[1]['date'])}
    return '\n'.join(['Installation in a new environment included:', '',
                      *(timing_sentence(name, known.get(name)) for name in TIMED)])


def served(path: Path) -> str:
    """How many of MMSegmentation's configurations README's diff serves, as tools/benchmarks/zoo.py found."""
    if not path.is_file():
        return f'- `tools/benchmarks/zoo.py`: {NOT_RUN}'
    found = json.loads(path.read_text())
    counts = found['counts']
    built = found['configurations'] - counts['cannot be built here']
    return (f"- Of MMSegmentation's {found['configurations']} configurations, {built} were built without further "
            f'packages. The diff serves {counts["served"]}; {counts["plain by nature"]} are plain by nature, '
            f'{counts["refused clearly"] + counts["unclear"]} fail in another way ({found["date"][:10]}, '
            f'commit {found["commit"]}).')


def timing_sentence(name: str, timing: dict[str, Any] | None) -> str:
    """How long a command took, as measured."""
    if timing is None:
        return f'- `{name}`: {NOT_RUN}'
    return (f'- `{name}`: {timing["seconds"] / 60:.0f} minutes on {timing["hardware"]}, {timing["date"][:10]}, '
            f'commit {timing["commit"]}')
