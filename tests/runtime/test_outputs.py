"""An output that would replace an input is an error before anything is written."""
import os

import pytest
from mmengine.config import Config

from isda_seg.runtime.arguments import result_file
from isda_seg.runtime.outputs import check_config, check_file, check_folder, check_start

PNG, TORCH = b'\x89PNG\r\n', b'PK\x03\x04'


@pytest.fixture
def cfg(tmp_path):
    """A config with two data folders, a list of files, pretrained weights and its own file."""
    for folder in ('val', 'valannot', 'work'):
        (tmp_path / 'data' / folder).mkdir(parents=True)
    for name, content in (('data/val/0.png', PNG), ('list.txt', b'0'), ('w.pth', TORCH), ('c.py', b'a = 1'),
                          ('data/ann.json', b'{}')):
        (tmp_path / name).write_bytes(content)
    dataset = dict(type='Any', data_root=str(tmp_path / 'data'), ann_file='ann.json', list=[tmp_path / 'list.txt'],
                   data_prefix=dict(img_path='val', seg_map_path='valannot'))
    return Config(dict(model=dict(pretrained=str(tmp_path / 'w.pth')), work_dir=str(tmp_path / 'work'),
                       test_dataloader=dict(dataset=dict(type='Repeat', dataset=dataset)),
                       test_evaluator=[dict(type='IoUMetric')]), filename=str(tmp_path / 'c.py'))


@pytest.mark.parametrize('name', ['w.pth', 'c.py', 'list.txt', 'data/ann.json', 'data/val/0.png'])
def test_a_file_that_a_config_names_is_not_replaced(cfg, tmp_path, name):
    before = (tmp_path / name).read_bytes()
    with pytest.raises(ValueError, match='--out would .*Choose another file with --out'):
        result_file(str(tmp_path / name), 'results.json', [cfg])
    assert (tmp_path / name).read_bytes() == before


def test_links_to_an_input_are_recognised(cfg, tmp_path):
    os.link(tmp_path / 'w.pth', tmp_path / 'hard.pth')
    (tmp_path / 'soft.pth').symlink_to('w.pth')
    (tmp_path / 'folder').symlink_to(tmp_path / 'data' / 'val')
    for name in ('hard.pth', 'soft.pth', 'folder/new.json', 'folder/../val/new.json'):
        with pytest.raises(ValueError, match='--out would '):
            check_file('--out', tmp_path / name, [cfg])


def test_figures_next_to_a_result_are_checked(cfg, tmp_path):
    (tmp_path / 'a.png').write_bytes(PNG)
    with pytest.raises(ValueError, match='would replace the input .*a.png'):
        result_file(str(tmp_path / 'a.json'), 'results.json', [tmp_path / 'a.png'], ['.png'])
    with pytest.raises(ValueError, match='is the file of the figure. Give the result another suffix, .*b.json'):
        result_file(str(tmp_path / 'b.png'), 'results.json', figures=['.png'])


@pytest.mark.parametrize('content, kind', [
    (TORCH, 'r.json'), (PNG, 'r.json'), (b'a = 1', 'r.json'), (b'{"a": 1}', 'r.png'), (PNG, 'r.pth')])
def test_an_existing_file_of_another_format_is_not_replaced(tmp_path, content, kind):
    path = tmp_path / f'file{kind[1:]}'
    path.write_bytes(content)
    with pytest.raises(ValueError, match='--out would replace .*, which is not a '):
        result_file(str(path), kind)
    path.write_bytes({'r.json': b' {"a": 1}', 'r.png': PNG, 'r.pth': TORCH}[kind])
    assert result_file(str(path), kind) == path


def test_a_result_whose_name_is_a_folder_is_an_error_at_the_start(tmp_path):
    (tmp_path / 'results.json').mkdir()
    with pytest.raises(ValueError, match='results.json: it is a folder. Choose another file with --out'):
        result_file(str(tmp_path), 'results.json')


@pytest.mark.parametrize('folder, outputs, works', [
    ('data/val', False, False), ('data/val/new', False, False), ('data', False, False), ('.', True, False),
    ('work', True, True), ('.', False, True), ('data/work', False, True), ('new', True, True)])
def test_a_folder_with_inputs_is_no_folder_for_outputs(cfg, tmp_path, folder, outputs, works):
    if works:
        assert check_folder('--x', tmp_path / folder, [cfg], outputs) is None
        return
    with pytest.raises(ValueError, match='with --x|is the folder of the data'):
        check_folder('--x', tmp_path / folder, [cfg], outputs)


@pytest.mark.parametrize('change, words', [
    (lambda cfg, root: cfg.test_evaluator[0].update(output_dir=f'{root}/data/valannot'), 'evaluator.0.output_dir'),
    (lambda cfg, root: cfg.test_evaluator[0].update(output_dir=f'{root}/data'), 'test_evaluator.0.output_dir'),
    (lambda cfg, root: cfg.test_evaluator[0].update(out_file_path=str(root / 'w.pth')), 'evaluator.0.out_file_path'),
    (lambda cfg, root: cfg.update(custom_hooks=[dict(out_dir=root / 'data/val')]), 'custom_hooks.0.out_dir'),
    (lambda cfg, root: cfg.update(default_hooks=dict(visualization=dict(test_out_dir=str(root / 'data')))),
     'default_hooks.visualization.test_out_dir'),
    (lambda cfg, root: cfg.update(custom_hooks=[dict(json_trace_path=str(root / 'data/ann.json'))]), 'json_trace_path'),
    (lambda cfg, root: cfg.update(visualizer=dict(save_dir=str(root / 'data/val'))), 'visualizer.save_dir'),
    (lambda cfg, root: cfg.update(work_dir=str(root / 'data/val')), '--work-dir')])
def test_every_output_of_a_config_is_checked(cfg, tmp_path, change, words):
    assert check_config(cfg) is None
    change(cfg, tmp_path)
    with pytest.raises(ValueError, match=words):
        check_config(cfg)


def test_a_training_does_not_replace_the_checkpoint_that_it_starts_from(cfg, tmp_path):
    (tmp_path / 'work').mkdir()
    for name in ('iter_4.pth', 'start.pth'):
        (tmp_path / 'work' / name).write_bytes(TORCH)
    cfg.load_from = str(tmp_path / 'work' / 'start.pth')
    assert check_start(cfg) is None
    cfg.load_from = str(tmp_path / 'work' / 'iter_4.pth')
    with pytest.raises(ValueError, match='would replace the checkpoint .*iter_4.pth .*another folder with --work-dir'):
        check_start(cfg)
    cfg.work_dir = str(tmp_path / 'other')
    assert check_start(cfg) is None
