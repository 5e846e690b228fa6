"""No tool replaces its inputs, whatever its output options name."""
import runpy
import sys

import pytest
from helpers import tiny

pytestmark = tiny.on_cpu
CONFIG, ISDA, CHECKPOINT, IMAGES = 'tiny_1xb2.py', 'tiny_isda_1xb2.py', 'iter_4.pth', 'camvid/val'
MODEL, BENCHMARKS = [CONFIG, CHECKPOINT], 'benchmarks/'
TOOLS = [
    ('test.py', MODEL), ('analyse.py', ['prior', *MODEL]), ('analyse.py', ['tightness', CONFIG]),
    ('analyse.py', ['features', *MODEL]), ('show_directions.py', MODEL),
    ('reverse_map.py', [*MODEL, 'gan.pth', '--class', 'car']), ('export_model.py', [CHECKPOINT]),
    ('export_backbone.py', [CHECKPOINT, '--to', 'mmseg']), (f'{BENCHMARKS}samples.py', [CONFIG]),
    (f'{BENCHMARKS}cost.py', ['--step-config', CONFIG]), (f'{BENCHMARKS}sweep.py', [ISDA, '--lambda-0', '1']),
    (f'{BENCHMARKS}paired.py', [CONFIG, ISDA, '--seeds', '0']), ('plot_curves.py', ['run'])]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    tiny.write_configs(tmp_path, train=4, val=1)
    for name, content in ((CHECKPOINT, 'PK'), ('gan.pth', 'PK'), ('run/1/vis_data/scalars.json', '{"step": 1}')):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob('*') if path.is_file()}


def refusal(monkeypatch, folder, tool, *arguments):
    """The message of a tool that stops before it writes a file."""
    before = contents(folder)
    monkeypatch.setattr(sys, 'argv', [tool, *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(tiny.ROOT / 'tools' / tool), run_name='__main__')
    assert contents(folder) == before
    return str(end.value)


@pytest.mark.parametrize('tool, arguments', TOOLS)
def test_out_is_never_an_input(monkeypatch, folder, tool, arguments):
    inputs = [name for name in arguments if name.endswith(('.py', '.pth'))]
    for name in inputs or ['run/1/vis_data/scalars.json']:
        assert f'--out would replace the input {name}' in refusal(monkeypatch, folder, tool, *arguments, '--out', name)


@pytest.mark.parametrize('tool, arguments', [(tool, arguments) for tool, arguments in TOOLS
                                             if {CONFIG, ISDA} & {*arguments} and 'cost' not in tool])
def test_out_is_never_in_a_folder_of_images(monkeypatch, folder, tool, arguments):
    found = refusal(monkeypatch, folder, tool, *arguments, '--out', f'{IMAGES}/new.json')
    assert 'into the input folder' in found


@pytest.mark.parametrize('tool, arguments, option', [
    ('test.py', MODEL, '--show-dir'), ('test.py', MODEL, '--work-dir'), ('train.py', [CONFIG], '--work-dir'),
    ('analyse.py', ['tightness', CONFIG], '--work-dir'),
    (f'{BENCHMARKS}paired.py', [CONFIG, ISDA, '--seeds', '0'], '--work-dir'),
    (f'{BENCHMARKS}sweep.py', [ISDA, '--lambda-0', '1'], '--work-dir')])
def test_folders_for_outputs_are_never_folders_of_images(monkeypatch, folder, tool, arguments, option):
    for name in ('val', 'valannot'):
        found = refusal(monkeypatch, folder, tool, *arguments, option, f'camvid/{name}')
        assert f'{option} would write into the input folder' in found


def test_label_maps_of_predictions_are_never_written_to_the_labels(monkeypatch, folder):
    option = 'test_evaluator.output_dir=camvid/valannot'
    found = refusal(monkeypatch, folder, 'test.py', *MODEL, '--cfg-options', option)
    assert 'test_evaluator.output_dir would write into the input folder' in found


@pytest.mark.parametrize('resume', [[], ['--resume']])
def test_a_training_never_replaces_its_config_or_its_base(monkeypatch, folder, resume):
    (folder / 'b').mkdir()
    (folder / 'b' / ISDA).write_text(f"_base_ = '../{ISDA}'  # lost in a dump")
    for work_dir in ('.', 'b'):
        found = refusal(monkeypatch, folder, 'train.py', f'b/{ISDA}', '--work-dir', work_dir, *resume)
        assert f'the training would replace the config {work_dir}/{ISDA}' in found


def test_the_result_of_a_run_is_never_the_result_of_a_table(monkeypatch, folder):
    run = folder / 'w' / 'pspnet_r101-d8_4xb2-40k-paper_cityscapes-769x769' / 'seed_0' / 'results.json'
    run.parent.mkdir(parents=True)
    run.write_text('{"command": "", "commit": "", "versions": {}}')
    found = refusal(monkeypatch, folder, 'reproduce.py', 'table7', '--collect', '--work-dir', 'w', '--out', run)
    assert f'--out would replace the input {run.relative_to(folder)}' in found


@pytest.mark.parametrize('tool, out, words', [
    ('gain.py', 'photo.json', '--out would replace photo.png, which is not a png file'),
    ('gain.py', 'new.png', '--out new.png is the file of the figure'),
    (f'{BENCHMARKS}kernels.py', CONFIG, f'--out would replace {CONFIG}, which is not a json file')])
def test_files_of_others_are_not_replaced(monkeypatch, folder, tool, out, words):
    if tool == 'gain.py':
        pytest.importorskip('sklearn')
    (folder / 'photo.png').write_bytes(b'a jpeg')
    assert words in refusal(monkeypatch, folder, tool, '--out', out)


def test_the_demo_is_never_in_its_data(monkeypatch, folder):
    monkeypatch.setenv('ISDA_SEG_DATA', 'camvid')
    assert 'is the folder of the data' in refusal(monkeypatch, folder, 'demo.py', '--work-dir', 'camvid/streets')


def test_curves_have_different_labels(monkeypatch, folder):
    from pathlib import Path
    labels = runpy.run_path(str(tiny.ROOT / 'tools' / 'plot_curves.py'))['labels']
    assert labels([Path('a/x'), Path('a/y')]) == ['x', 'y']
    assert labels([Path('a/x/s'), Path('b/x/s')]) == ['a/x/s', 'b/x/s']
    assert labels([Path('a/x'), Path('b/x')]) == ['a/x', 'b/x']
