"""The documentation holds what the result files say: in the README of each folder, and in the docstrings."""
import json

import pytest

from docs.generated_text import replace_block
from docs.results import CONFIG_FOLDERS, ConfigFolder, docstring_line, folder_section, generate, supported, timings
from isda_seg.paper import result_tables

RESULT = dict(
    config='configs/camvid/a_isda.py', seed=9, commit='late', hardware='late', date='2026-02-03T00:00:00',
    protocols={'single': dict(mIoU=38.014), 'ms': dict(mIoU=39.0), 'ms-flip': dict(mIoU=39.996)},
    training=[dict(seed=3, commit=commit, hardware='a machine', date=f'2026-01-0{day}T03:04:05')
              for day, commit in ((1, 'abc123'), (2, 'abc123'), (3, 'def456'))])
PROMISE = '"""Title.\n\nRun:       x\nResult:    something old\n"""\n'


@pytest.fixture
def root(tmp_path):
    """A repository with a README in every folder and two configs of CamVid, one of them run."""
    configs = tmp_path / 'configs'
    for folder in {one.readme for one in CONFIG_FOLDERS}:
        (configs / folder).mkdir(parents=True)
        blocks = [one.name for one in CONFIG_FOLDERS if one.readme == folder]
        (configs / folder / 'README.md').write_text(''.join(f'<!-- {name} -->\n<!-- /{name} -->\n' for name in blocks))
    for name in ('a', 'a_isda'):
        (configs / 'camvid' / f'{name}.py').write_text(PROMISE)
    (configs / 'torch').mkdir()
    with (configs / 'miniature' / 'README.md').open('a') as card:
        card.write('<!-- analyses -->\n<!-- /analyses -->\n')
    with (configs / 'camvid' / 'README.md').open('a') as guide:
        guide.write('<!-- segmentation-arms -->\n<!-- /segmentation-arms -->\n')
    (configs / 'torch' / 'README.md').write_text('<!-- torch-models -->\n<!-- /torch-models -->\n')
    (configs / 'results').mkdir()
    recorded = ('gain', 'digits', 'series', 'cost', 'zoo', 'zoo-detection', 'kernels', 'timings')
    for folder, names in ((configs / 'results', recorded),
                          (tmp_path, ('gain', 'cost'))):
        (folder / 'README.md').write_text(''.join(f'<!-- {name} -->\n<!-- /{name} -->\n' for name in names))
    (configs / 'results' / 'a.json').write_text(json.dumps(RESULT))
    (configs / 'results' / 'stacks.json').write_text('[]')
    (tmp_path / 'docs').mkdir()
    (tmp_path / 'docs' / 'install.md').write_text('<!-- stacks -->\n<!-- /stacks -->\n')
    return tmp_path


def test_result_is_shown_in_the_readme_and_in_the_config_docstring(root):
    files = {path.relative_to(root).as_posix(): text for path, text in generate(root).items()}
    (row,) = [line for line in files['configs/camvid/README.md'].splitlines() if 'abc123' in line]
    assert row == ('| [a_isda](a_isda.py) | 3 | 38.01 | 39.00 | 40.00 | abc123, def456 | a machine | 2026-01-03 |')
    assert 'One config has not been run yet.' in files['configs/camvid/README.md']
    assert files['configs/camvid/a.py'] == PROMISE.replace('something old', 'not yet run')
    assert files['configs/camvid/a_isda.py'] == PROMISE.replace(
        'something old', 'mIoU single 38.01, ms 39.00, ms-flip 40.00 (seed 3, one run)')
    assert [name for name, text in files.items() if 'abc123' in text] == ['configs/camvid/README.md']


def test_generation_is_idempotent(root):
    first = generate(root)
    for path, text in first.items():
        path.write_text(text)
    assert generate(root) == first


def test_caveat_is_printed_with_every_number(tmp_path):
    (folder,) = [folder for folder in CONFIG_FOLDERS if folder.name == 'coco256']
    caveat = 'shows that the path works and says nothing about a backbone'
    runs = [dict(RESULT, protocols=dict(single=dict(bbox_mAP=0.3)))]
    assert docstring_line(folder, runs) == f'box mAP 0.30 (seed 3, one run); {caveat}'
    assert docstring_line(folder, None) == 'not yet run'
    assert folder_section(folder, tmp_path, {}) == f'Every number of this table {caveat}.'


def test_existing_visualisations_are_shown(tmp_path):
    pictures = tmp_path / 'results' / 'coco256'
    pictures.mkdir(parents=True)
    (pictures / '7.png').touch()
    assert folder_section(ConfigFolder('coco256', 'coco', CONFIG_FOLDERS[-1].columns), tmp_path, {}) == (
        '![Ground truth and prediction, image 7](../results/coco256/7.png)')


def test_newest_timing_of_each_command_is_shown(tmp_path):
    for day, seconds in ((2, 60), (1, 120)):
        record = dict(seconds=seconds, hardware='a machine', date=f'2026-01-0{day}T03:04:05', commit='abc')
        (tmp_path / f'timings_{3 - day}.json').write_text(json.dumps({'make demo': record}))
    assert timings(tmp_path).splitlines() == [
        'Durations, including installation in a new environment:', '',
        '- `make demo`: 1 minutes on a machine, 2026-01-02, commit abc', '- `make test`: not yet run']


def test_only_the_marked_block_is_replaced():
    text = 'a\n<!-- x -->\nold\n<!-- /x -->\nb\n'
    assert replace_block(text, 'x', 'new') == text.replace('old', 'new')
    with pytest.raises(ValueError, match='<!-- y -->'):
        replace_block(text, 'y', 'new')


def test_supported_configs_are_counted_among_those_that_were_built(tmp_path):
    assert supported(tmp_path / 'zoo.json') == '`tools/benchmarks/zoo.py`: not yet run.'
    counts = {'wrapped': 6, 'not wrapped': 2, 'refused': 1, 'unclear': 0, 'not built': 3}
    (tmp_path / 'zoo.json').write_text(json.dumps(dict(configurations=12, counts=counts, date='2026-02-03T04:05:06',
                                                       commit='abc')))
    assert supported(tmp_path / 'zoo.json').splitlines() == [
        '| configurations of MMSegmentation | number |', '|---|---|', '| all | 12 |',
        '| built without further packages | 9 |', '| wrapped | 6 |', '| without a linear softmax classifier | 2 |',
        '| fail in another way | 1 |', '', 'Measured on 2026-02-03 at commit abc.']


def test_the_families_of_detectors_are_listed_by_verdict(tmp_path):
    path, options = tmp_path / 'zoo_mmdet.json', ('MMDetection', '--package mmdet')
    assert supported(path, *options) == '`tools/benchmarks/zoo.py --package mmdet`: not yet run.'
    families = {'a': {'wrapped': 2, 'not wrapped': 1}, 'b': {'wrapped': 4}, 'c': {'not wrapped': 1}}
    counts = {'wrapped': 6, 'not wrapped': 2, 'refused': 0, 'unclear': 0, 'not built': 0}
    path.write_text(json.dumps(dict(configurations=8, counts=counts, families=families, date='2026-02-03T04:05:06',
                                    commit='abc')))
    assert supported(path, *options).splitlines()[-5:-1] == [
        '', '- wrapped: a (2 of 3), b', '- not wrapped: a (1 of 3), c', '']


def test_consecutive_seeds_are_shown_as_a_range():
    results = [dict(training=[dict(seed=seed)]) for seed in (0, 1, 2, 7, 10, 11, 12, 13, 14)]
    assert result_tables.seeds(results) == '0, 1, 2, 7, 10-14'
