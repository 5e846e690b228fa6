"""An output that would replace an input is an error before anything is written."""
import json
import os
from pathlib import Path

import pytest
from mmengine.config import Config

from isda_seg.runtime.arguments import result_file
from isda_seg.runtime.outputs import check_config, check_file, check_folder, check_start
from isda_seg.runtime.provenance import provenance

PNG, TORCH = b'\x89PNG\r\n', b'PK\x03\x04'


@pytest.fixture
def cfg(tmp_path):
    """A config with two data folders, a list of files, pretrained weights and its own file."""
    for folder in ('val', 'valannot', 'work'):
        (tmp_path / 'data' / folder).mkdir(parents=True)
    for name, content in (('data/val/0.png', PNG), ('list.txt', b'0'), ('w.pth', TORCH), ('c.py', b'a = 1'),
                          ('data/ann.json', b'{}'), ('lists/a.txt', b'0'), ('lists/a.bbox.json', b'{}')):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    dataset = dict(type='Any', data_root=str(tmp_path / 'data'), ann_file='ann.json',
                   list=[tmp_path / name for name in ('list.txt', 'lists/a.txt', 'lists/a.bbox.json')],
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
    path.write_bytes({'r.json': json.dumps([provenance()]).encode(), 'r.png': PNG, 'r.pth': TORCH}[kind])
    assert result_file(str(path), kind) == path


def test_a_json_file_that_is_not_a_result_is_not_replaced(tmp_path):
    (tmp_path / 'ann.json').write_text('{"images": [], "annotations": []}')
    with pytest.raises(ValueError, match='--out would replace .*ann.json, which is not a result of this package'):
        result_file(str(tmp_path / 'ann.json'), 'results.json')


def test_a_result_whose_name_is_a_folder_is_an_error_at_the_start(tmp_path):
    (tmp_path / 'results.json').mkdir()
    with pytest.raises(ValueError, match='results.json: it is a folder. Choose another file with --out'):
        result_file(str(tmp_path), 'results.json')


@pytest.mark.parametrize('folder, outputs, works', [
    ('data/val', False, False), ('data/val/new', False, False), ('data', False, False), ('.', True, False),
    ('work', True, True), ('.', False, True), ('data/work', False, True), ('new', True, True), ('lists', True, False),
    ('lists', False, True)])
def test_a_folder_with_inputs_is_no_folder_for_outputs(cfg, tmp_path, folder, outputs, works):
    if works:
        assert check_folder('--x', tmp_path / folder, [cfg], outputs) is None
        return
    with pytest.raises(ValueError, match='with --x|is the folder of the data'):
        check_folder('--x', tmp_path / folder, [cfg], outputs)


@pytest.mark.parametrize('dataset, folder', [
    (dict(root='{}/mine'), 'mine'), (dict(img_dir='{}/mine'), 'mine'),
    (dict(img_prefix='mine', data_root='{}'), 'mine'),
    (dict(data_prefix='mine', data_root='{}'), 'mine'), (dict(data_prefix=dict(img=['mine']), data_root='{}'), 'mine'),
    (dict(data_prefix=dict(img='', seg='other'), data_root='{}/mine'), 'mine'),
    (dict(data_root='{}/images'), 'images/train'),
    (dict(pipeline=[dict(type='Paste', folder='{}/mine')]), 'mine'),
    (dict(pipeline=[dict(type='Paste', folder='mine')], data_root='{}'), 'mine')])
def test_every_folder_that_a_dataset_names_is_an_input(cfg, tmp_path, dataset, folder):
    for name in ('mine', 'images/train'):
        (tmp_path / name).mkdir(parents=True)
    cfg.train_dataloader = dict(dataset=json.loads(json.dumps(dataset).replace('{}', str(tmp_path))))
    with pytest.raises(ValueError, match='would write into the input folder'):
        check_folder('--x', tmp_path / folder / 'new', [cfg], only_outputs=False)
    assert check_folder('--x', tmp_path / 'new', [cfg]) is None


def test_names_that_are_not_paths_and_folders_of_outputs_are_not_inputs(cfg, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('val', 'encoder', 'w/preds'):
        (tmp_path / name).mkdir(parents=True)
    cfg.model.update(mode='encoder', stages=['encoder'], root=str(tmp_path))
    cfg.test_evaluator[0].update(prefix='val', save_path='w/preds', output_dir='w/preds')
    cfg.train_dataloader = dict(dataset=dict(data_root='', ann_file='', root='.', data_prefix=dict(img_path='')))
    for folder in ('val', 'encoder', 'w/preds', 'w'):
        cfg.work_dir = folder
        assert check_config(cfg) is None


@pytest.mark.parametrize('change, words', [
    (lambda cfg, root: cfg.test_evaluator[0].update(output_dir=f'{root}/data/valannot'), 'evaluator.0.output_dir'),
    (lambda cfg, root: cfg.test_evaluator[0].update(output_dir=f'{root}/data'), 'test_evaluator.0.output_dir'),
    (lambda cfg, root: cfg.test_evaluator[0].update(out_file_path=str(root / 'w.pth')), 'evaluator.0.out_file_path'),
    (lambda cfg, root: cfg.update(custom_hooks=[dict(out_dir=root / 'data/val')]), 'custom_hooks.0.out_dir'),
    (lambda cfg, root: cfg.update(default_hooks=dict(visualization=dict(test_out_dir=str(root / 'data')))),
     'default_hooks.visualization.test_out_dir'),
    (lambda cfg, root: cfg.update(custom_hooks=[dict(json_trace_path=str(root / 'data/ann.json'))]), 'json_trace_path'),
    (lambda cfg, root: cfg.update(visualizer=dict(save_dir=str(root / 'data/val'))), 'visualizer.save_dir'),
    (lambda cfg, root: cfg.update(visualizer=dict(save_dir=f'{root}/new', img_save_dir='../data')), 'img_save_dir'),
    (lambda cfg, root: cfg.update(visualizer=[dict(init_kwargs=dict(dir=str(root / 'data/val')))]), 'init_kwargs.dir'),
    (lambda cfg, root: cfg.update(custom_hooks=[dict(on_trace_ready=dict(dir_name=str(root / 'data/val')))]),
     'custom_hooks.0.on_trace_ready.dir_name'),
    (lambda cfg, root: cfg.test_evaluator[0].update(collect_dir=str(root)), 'test_evaluator.0.collect_dir'),
    (lambda cfg, root: cfg.test_evaluator[0].update(collect_dir=str(root / 'lists')), 'contains the input .*a.txt'),
    (lambda cfg, root: cfg.test_evaluator[0].update(outfile_prefix=str(root / 'lists/a')), 'outfile_prefix'),
    (lambda cfg, root: cfg.test_evaluator[0].update(outfile_path=str(root / 'data/val/a.json')), 'outfile_path'),
    (lambda cfg, root: cfg.test_evaluator.append(dict(output_dir=f'{root}/work', proposals_file='../w.pth')),
     'test_evaluator.1.proposals_file'),
    (lambda cfg, root: cfg.update(val_evaluator=dict(seg_prefix=f'{root}/lists'), work_dir=f'{root}/lists'),
     '--work-dir'),
    (lambda cfg, root: cfg.update(work_dir=str(root / 'data/val')), '--work-dir')])
def test_every_output_of_a_config_is_checked(cfg, tmp_path, change, words):
    assert check_config(cfg) is None
    change(cfg, tmp_path)
    with pytest.raises(ValueError, match=words):
        check_config(cfg)


@pytest.mark.parametrize('hook, name, works', [
    ({}, 'work/iter_4.pth', False), ({}, 'work/start.pth', True), ({}, 'other/iter_4.pth', True),
    ({}, 'work/interrupted_iter_4.pth', False), ({}, 'work/best_mIoU_iter_4.pth', True),
    (dict(save_best='mIoU'), 'work/best_mIoU_iter_4.pth', False), (dict(save_best='mIoU'), 'work/iter_4.pth', False),
    (dict(filename_tmpl='m_{}.pth'), 'work/m_4.pth', False), (dict(filename_tmpl='m_{}.pth'), 'work/iter_4.pth', True),
    (dict(out_dir='{}/saved'), Path('saved', 'work', 'iter_4.pth'), False),
    (dict(out_dir='{}/saved'), 'saved/iter_4.pth', True)])
def test_a_training_does_not_replace_a_checkpoint_that_it_starts_from(cfg, tmp_path, hook, name, works):
    start = tmp_path / name
    start.parent.mkdir(parents=True, exist_ok=True)
    start.write_bytes(TORCH)
    cfg.default_hooks = dict(checkpoint=json.loads(json.dumps(hook).replace('{}/', f'{tmp_path}/')))
    for change in (dict(load_from=str(start)), dict(load_from=None, model=dict(init_cfg=dict(checkpoint=str(start))))):
        cfg.update(change)
        if works:
            assert check_start(cfg) is None
            continue
        with pytest.raises(ValueError, match=f'replace the checkpoint {start} .*another folder with --work-dir'):
            check_start(cfg)
        assert check_start(cfg, resumed=True) is None


@pytest.mark.parametrize('suffix, base', [('.py', "b = 1  # why"), ('.json', '{"b": 1}'), ('.yml', 'b: 1  # why')])
def test_a_run_does_not_replace_its_config_or_a_base_by_its_dump(tmp_path, suffix, base):
    for folder in ('configs', 'bases', 'work'):
        (tmp_path / folder).mkdir()
    path, of_bases = tmp_path / f'configs/c{suffix}', tmp_path / f'bases/c{suffix}'
    of_bases.write_text(base)
    path.write_text({'.py': '_base_ = "{}"', '.json': '{{"_base_": "{}"}}', '.yml': '_base_: {}'}[suffix].format(
        f'../bases/c{suffix}'))
    cfg = Config.fromfile(path)
    for folder in ('configs', 'bases'):
        cfg.work_dir = str(tmp_path / folder)
        with pytest.raises(ValueError, match=f'would replace the config .*{folder}/c{suffix} .* with --work-dir'):
            check_start(cfg)
    with pytest.raises(ValueError, match='would replace the input'):
        check_file('--out', of_bases, [cfg])
    cfg.work_dir = str(tmp_path / 'work')
    assert check_start(cfg) is None
    cfg.dump(tmp_path / 'work' / path.name)
    assert check_start(Config.fromfile(tmp_path / 'work' / path.name)) is None  # a run continues from its dump
