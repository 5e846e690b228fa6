"""Reading a config: invalid input is an error at once, and valid configs are not changed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from helpers import tiny
from helpers.rank_runs import free_port
from mmengine.config import Config
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from isda_seg.core.ops.torch_versions import release
from isda_seg.runtime.launch import LAUNCHERS, adapt_to_machine, add_vis_backends, load_config


@pytest.fixture
def configs(tmp_path):
    return tiny.write_configs(tmp_path)


@pytest.mark.parametrize(('place', 'error'), [
    ('file', FileExistsError), ('file/below', NotADirectoryError), ('file/far/below', NotADirectoryError)])
def test_unwritable_work_directory_is_an_error_that_names_it(configs, tmp_path, place, error):
    (tmp_path / 'file').touch()
    with pytest.raises(error, match=f'cannot write to the folder {tmp_path / place} .*--work-dir'):
        load_config(str(configs[0]), work_dir=str(tmp_path / place))


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_tools_reject_an_unwritable_work_directory(configs, tmp_path, monkeypatch, tool):
    (tmp_path / 'file').touch()
    checkpoint = ['any.pth'] if tool == 'test.py' else []
    with pytest.raises(NotADirectoryError, match=f'cannot write to the folder {tmp_path / "file/below"}'):
        tiny.run_tool(monkeypatch, tool, configs[1], *checkpoint, '--work-dir', tmp_path / 'file/below')


@pytest.mark.parametrize('tool', ['train.py', 'test.py'])
def test_missing_config_is_an_error_that_names_it(tmp_path, monkeypatch, tool):
    monkeypatch.chdir(tmp_path)
    checkpoint = ['any.pth'] if tool == 'test.py' else []
    with pytest.raises(FileNotFoundError, match='the config configs/nothing.py does not exist'):
        tiny.run_tool(monkeypatch, tool, 'configs/nothing.py', *checkpoint)
    assert list(tmp_path.iterdir()) == []


@tiny.on_cpu
@pytest.mark.parametrize('launcher', ['slurm', 'mpi'])
def test_unsupported_launcher_without_a_gpu_is_an_error(configs, tmp_path, launcher):
    assert launcher in LAUNCHERS
    with pytest.raises(ValueError, match='only --launcher pytorch is supported '
                                         rf"\(tools/dist_train.sh\), got '{launcher}'"):
        load_config(str(configs[1]), work_dir=str(tmp_path / 'work'), launcher=launcher)


def test_work_directory_is_argument_then_config_key_then_config_name(configs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = {'work_dir': str(tmp_path / 'mine')}
    assert load_config(str(configs[0]), mine, str(tmp_path / 'given')).work_dir == str(tmp_path / 'given')
    assert load_config(str(configs[0]), mine).work_dir == str(tmp_path / 'mine')
    assert load_config(str(configs[0])).work_dir == f'work_dirs/{Path(tiny.PLAIN).stem}'
    assert all(folder.is_dir() for folder in (tmp_path / 'given', tmp_path / 'mine', tmp_path / 'work_dirs/tiny_1xb2'))


def test_options_change_only_the_named_keys(configs, tmp_path):
    before = load_config(str(configs[1]), work_dir=str(tmp_path / 'work'))
    after = load_config(str(configs[1]), {'model.decode_head.loss_decode.lambda_0': 0.5}, str(tmp_path / 'work'))
    before, after = (tiny.flat(cfg.to_dict()) for cfg in (before, after))
    assert tiny.differing(before, after) == ['model.decode_head.loss_decode.lambda_0']


def test_unknown_option_is_an_error_before_a_folder_is_created(configs, tmp_path):
    with pytest.raises(ValueError, match=r'unknown option modle.pretrained: did you mean model\?'):
        load_config(str(configs[1]), {'modle.pretrained': None}, str(tmp_path / 'work'))
    assert not (tmp_path / 'work').exists()


LOCAL, BOARD = dict(type='LocalVisBackend'), dict(type='TensorboardVisBackend')


@pytest.mark.parametrize('text, expected', [
    ('', [LOCAL]), (f'vis_backends = [{BOARD}]', [LOCAL, BOARD]),
    (f'vis_backends = [{LOCAL}, {BOARD}]', [LOCAL, BOARD]),
    (f'visualizer = dict(vis_backends=[{BOARD}])', [BOARD, LOCAL]),
    (f'vis_backends = [{BOARD}]\nvisualizer = None', [LOCAL, BOARD])])
def test_vis_backends_are_added_to_the_visualizer(configs, tmp_path, text, expected):
    path = configs[1].with_name('mine.py')
    path.write_text(f"_base_ = './{tiny.ISDA}'\n{text}\n")
    cfg = load_config(str(path), work_dir=str(tmp_path / 'work'))
    assert [dict(backend) for backend in cfg.visualizer.vis_backends] == expected
    assert cfg.visualizer.type == ('Visualizer' if 'None' in text else 'SegLocalVisualizer')


def test_tensorboard_logs_the_isda_strength_with_one_key(configs, tmp_path):
    path = configs[1].with_name('board.py')
    path.write_text(f"_base_ = './{tiny.ISDA}'\nvis_backends = [{BOARD}]\n")
    tiny.train(path, tmp_path / 'work', {'train_cfg.max_iters': 2, 'default_hooks.logger.interval': 1})
    (events,) = (tmp_path / 'work').rglob('events.out.tfevents*')
    board = EventAccumulator(str(events)).Reload()
    assert [(event.step, event.value) for event in board.Scalars('decode_head.isda_strength')] == [(1, 3.75), (2, 7.5)]


def test_a_backend_can_be_added_on_the_command_line(configs, tmp_path):
    options = {'vis_backends.0.type': 'TensorboardVisBackend'}
    cfg = load_config(str(configs[1]), options, str(tmp_path / 'work'))
    assert [dict(backend) for backend in cfg.visualizer.vis_backends] == [LOCAL, BOARD]


@pytest.mark.parametrize('wrong', [BOARD, ['TensorboardVisBackend'], 'TensorboardVisBackend'])
def test_vis_backends_that_are_not_a_list_of_dicts_are_an_error(wrong):
    with pytest.raises(ValueError, match='vis_backends must be a list of dicts with a type'):
        add_vis_backends(Config(dict(vis_backends=wrong)))


@tiny.on_cpu
def test_cpu_ranks_use_batch_norm_and_do_not_broadcast_buffers(monkeypatch):
    monkeypatch.setattr('isda_seg.runtime.launch.dist.is_initialized', lambda: True)
    model = dict(backbone=dict(norm_cfg=dict(type='SyncBN', requires_grad=False)),
                 decode_head=[dict(norm_cfg=dict(type='SyncBN')), dict(norm_cfg=dict(type='GN', num_groups=2))])
    cfg = Config(dict(launcher='pytorch', model=model))
    adapt_to_machine(cfg)
    assert cfg.model.to_dict() == dict(backbone=dict(norm_cfg=dict(type='BN', requires_grad=False)),
                                       decode_head=[dict(norm_cfg=dict(type='BN')),
                                                    dict(norm_cfg=dict(type='GN', num_groups=2))])
    assert cfg.model_wrapper_cfg.broadcast_buffers is False
    assert (cfg.model_wrapper_cfg.device_ids, cfg.model_wrapper_cfg.find_unused_parameters) == (None, False)


@pytest.mark.parametrize(('own', 'wanted'), [
    (dict(find_unused_parameters=True, detect_anomalous_params=True),
     dict(type='MMDistributedDataParallel', broadcast_buffers=False, find_unused_parameters=True,
          detect_anomalous_params=True, device_ids=None)),
    (dict(type='MMFullyShardedDataParallel', cpu_offload=True),
     dict(type='MMFullyShardedDataParallel', cpu_offload=True))])
def test_model_wrapper_settings_of_the_user_are_kept(monkeypatch, own, wanted):
    monkeypatch.setattr('isda_seg.runtime.launch.dist.is_initialized', lambda: True)
    cfg = Config(dict(launcher='pytorch', model=dict(), model_wrapper_cfg=own))
    adapt_to_machine(cfg)
    assert cfg.model_wrapper_cfg.to_dict() == wanted


def test_config_of_a_single_process_is_unchanged():
    cfg = Config(dict(launcher='none', model=dict(norm_cfg=dict(type='SyncBN'))))
    before = cfg.to_dict()
    adapt_to_machine(cfg)
    assert cfg.to_dict() == before


ONE_RANK = '''
import atexit, glob
from mmengine.config import Config
threads = lambda: [open(name).read().strip() for name in glob.glob("/proc/self/task/*/comm")].count("pt_gloo_runloop")
atexit.register(lambda: print("after", threads()))  # registered first, runs last
from isda_seg.runtime.launch import adapt_to_machine
import torch
adapt_to_machine(Config(dict(launcher="pytorch", model=dict())))
model = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 2))
model(torch.zeros(4, 3)).sum().backward()
print("before", threads())
model.itself = [model]  # a cycle, as every runner has
del model
'''


@tiny.on_cpu
@pytest.mark.skipif(not Path('/proc/self/task').is_dir(), reason='threads are counted by Linux')
def test_process_group_threads_end_before_python_does():
    environment = dict(os.environ, RANK='0', WORLD_SIZE='1', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(free_port()),
                       PYTHONPATH=str(tiny.ROOT))
    done = subprocess.run([sys.executable, '-c', ONE_RANK], env=environment, capture_output=True, text=True,
                          timeout=120)
    threads = '0' if release(torch.__version__) == (2, 1) else '2'  # none to end in torch 2.1
    assert (done.returncode, done.stdout.split()) == (0, ['before', threads, 'after', '0']), done.stderr
