"""Properties of checkpoints: resume is bitwise exact, and a kill at any time keeps the last checkpoint."""

import errno
import itertools
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.fileio import LocalBackend
from mmengine.logging import HistoryBuffer
from mmengine.runner import CheckpointLoader

from isda_seg.core.ops.torch_versions import release
from isda_seg.runtime.checkpoint import check_checkpoint, latest_checkpoint

pytestmark = tiny.on_cpu

DRIVER = '''"""tools/train.py, killed before iteration NUMBER + 1 or when half of iter_NUMBER.pth is written."""
import os, runpy, signal, sys
import torch
from helpers import tiny
from mmengine.fileio import LocalBackend
from mmengine.runner import IterBasedTrainLoop

tool, moment, number, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
tiny.leave_layout()
run_iter, put = IterBasedTrainLoop.run_iter, LocalBackend.put

def run_or_die(loop, batch):
    if moment == 'training' and loop.iter == number:
        os.kill(os.getpid(), signal.SIGKILL)
    run_iter(loop, batch)

def put_or_die(backend, content, path):
    if moment == 'writing' and f'iter_{number}.pth' in str(path):
        put(backend, content[:len(content) // 2], path)
        os.kill(os.getpid(), signal.SIGKILL)
    put(backend, content, path)

IterBasedTrainLoop.run_iter, LocalBackend.put = run_or_die, put_or_die
sys.argv = [tool, *sys.argv[5:]]
runpy.run_path(tool, run_name='__main__')
'''
KEEP_ONE = {'default_hooks.checkpoint.max_keep_ckpts': 1}
WITH_BEST = {**KEEP_ONE, 'default_hooks.checkpoint.save_best': 'mIoU', 'train_cfg.val_begin': 1,
             'train_cfg.val_interval': 2}
FINITE = {'train_dataloader.sampler.type': 'DefaultSampler'}
EPOCHS = {**FINITE, 'train_cfg': dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=2, val_begin=100),
          'default_hooks.checkpoint.by_epoch': True, 'default_hooks.checkpoint.interval': 1}


class Killed(BaseException):
    """Ends the process."""


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """The configs, and an uninterrupted run of six iterations with a checkpoint after every second one."""
    folder = tmp_path_factory.mktemp('whole')
    plain, isda = tiny.write_configs(folder, train=5)
    runner, steps = tiny.train(isda, folder / 'work')
    return SimpleNamespace(plain=plain, isda=isda, work=folder / 'work', state=tiny.full_state(runner), steps=steps,
                           log=tiny.logged(folder / 'work'))


@pytest.fixture
def no_pause(monkeypatch):
    """MMEngine sleeps for two seconds between epochs."""
    monkeypatch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)


@pytest.fixture
def better_and_better(monkeypatch):
    """Every validation has a higher mIoU than all previous ones."""
    values = itertools.count(1)
    monkeypatch.setattr('mmseg.evaluation.IoUMetric.compute_metrics', lambda self, results: dict(mIoU=next(values)))


def checkpoints(folder):
    return sorted(path.name for path in folder.glob('*.pth'))


def assert_resumes(whole, work, resume, first, **options):
    """From `resume`, the next iteration being number `first`, the rest of the run is that of the whole run."""
    runner, steps = tiny.train(whole.isda, work, options, resume=resume)
    assert steps == whole.steps[first:]
    assert tiny.differing(tiny.full_state(runner), whole.state) == []


@pytest.mark.parametrize('workers', [0, 2])
@pytest.mark.parametrize('saved', [2, 4])
def test_resume_from_any_checkpoint_equals_the_uninterrupted_run(whole, tmp_path, saved, workers):
    path = whole.work / f'iter_{saved}.pth'
    assert len(tiny.differing(tiny.saved_state(path), whole.state)) > 100
    assert_resumes(whole, tmp_path, path, saved, **{'train_dataloader.num_workers': workers})
    assert tiny.logged(tmp_path) == {step: whole.log[step] for step in range(saved + 1, 7)}
    assert tiny.differing(tiny.saved_state(tmp_path / 'iter_6.pth'), whole.state) == []


def test_resumed_run_has_dropout_two_heads_and_growing_statistics(whole):
    counts = {key: value for key, value in whole.state.items() if key.endswith('statistics.count')}
    heads = ('auxiliary_head', 'decode_head')
    assert sorted(counts) == [f'model.{head}.loss_decode.statistics.count' for head in heads]
    saved = tiny.saved_state(whole.work / 'iter_2.pth')
    assert all(int(counts[key].sum()) > int(saved[key].sum()) > 0 for key in counts)
    assert whole.log[3]['decode_head.isda_strength'] == 7.5 * 3 / 6
    assert 'dropout_ratio=0.1' in whole.plain.read_text()


@exhaustive('saved', [2, 4])
def test_resume_is_exact_with_a_finite_sampler(whole, tmp_path, no_pause, saved):
    options = {**FINITE, 'train_cfg.max_iters': 8}
    runner, steps = tiny.train(whole.isda, tmp_path / 'whole', options)
    resumed, rest = tiny.train(whole.isda, tmp_path / 'rest', options, resume=tmp_path / f'whole/iter_{saved}.pth')
    assert [len(step['files']) for step in steps] == [2, 2, 1, 2, 2, 1, 2, 2]
    assert rest == steps[saved:]
    assert tiny.differing(tiny.full_state(resumed), tiny.full_state(runner)) == []


def test_resume_is_exact_between_epochs(whole, tmp_path):
    runner, steps = tiny.train(whole.isda, tmp_path / 'whole', EPOCHS)
    assert checkpoints(tmp_path / 'whole') == ['epoch_1.pth', 'epoch_2.pth']
    resumed, rest = tiny.train(whole.isda, tmp_path / 'rest', EPOCHS, resume=tmp_path / 'whole/epoch_1.pth')
    assert rest == steps[3:]
    assert tiny.differing(tiny.full_state(resumed), tiny.full_state(runner)) == []


@exhaustive('moment, number, left, first', [
    ('training', 5, ['iter_4.pth'], 4), ('writing', 4, ['iter_2.pth'], 2)])
def test_a_killed_run_resumes_to_the_state_of_the_uninterrupted_one(whole, tmp_path, moment, number, left, first):
    (tmp_path / 'driver.py').write_text(DRIVER)
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(tiny.ROOT), str(tiny.ROOT / 'tests')]))
    done = subprocess.run(
        [sys.executable, str(tmp_path / 'driver.py'), str(tiny.ROOT / 'tools/train.py'), moment, str(number),
         str(torch.get_num_threads()), str(whole.isda), '--work-dir', str(tmp_path / 'work'), '--cfg-options',
         *(f'{key}={value}' for key, value in KEEP_ONE.items())],
        env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert checkpoints(tmp_path / 'work') == left
    assert (tmp_path / 'work/iter_4.pth.unfinished').exists() == (moment == 'writing')
    assert_resumes(whole, tmp_path / 'work', 'latest', first, **KEEP_ONE)
    assert checkpoints(tmp_path / 'work') == ['iter_6.pth']
    assert tiny.logged(tmp_path / 'work') == whole.log


@exhaustive('written, time, first', [
    ('iter_2.pth', 1, 0), ('best_mIoU_iter_4.pth', 1, 4), ('iter_4.pth', 2, 4)])
def test_kill_during_a_best_checkpoint_loses_nothing(whole, tmp_path, monkeypatch, better_and_better,
                                                               written, time, first):
    from mmengine.fileio import LocalBackend
    put, times = LocalBackend.put, itertools.count(1)

    def put_or_die(backend, content, path):
        if os.path.basename(path).startswith(written) and next(times) == time:
            put(backend, content[:len(content) // 2], path)
            raise Killed
        put(backend, content, path)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(LocalBackend, 'put', put_or_die)
        tiny.train(whole.isda, tmp_path, WITH_BEST)
    left = checkpoints(tmp_path)
    assert ('best_mIoU_iter_2.pth' in left) == (first > 0)
    for name in left:
        check_checkpoint(tmp_path / name)
    assert_resumes(whole, tmp_path, 'latest', first, **WITH_BEST)
    assert {'iter_6.pth', 'best_mIoU_iter_6.pth'} <= set(checkpoints(tmp_path))


def test_old_checkpoint_is_deleted_only_after_the_new_one_is_written(whole, tmp_path, monkeypatch, better_and_better):
    events = []
    replace, remove, fsync = os.replace, os.remove, os.fsync

    def recorded(change, word, path):
        def act(*paths, **kwargs):
            change(*paths, **kwargs)
            name = os.path.basename(paths[path])
            if '.pth' in name:
                events.append(f'{word} {name}')
        return act

    monkeypatch.setattr(os, 'replace', recorded(replace, 'named', 1))
    monkeypatch.setattr(os, 'remove', recorded(remove, 'removed', 0))
    monkeypatch.setattr(os, 'fsync', lambda file: (fsync(file), events.append('flushed'))[0])
    tiny.train(whole.isda, tmp_path, WITH_BEST)
    assert events == [
        'flushed', 'named iter_2.pth', 'flushed', 'named best_mIoU_iter_2.pth', 'flushed', 'named iter_2.pth',
        'flushed', 'named iter_4.pth', 'removed iter_2.pth',
        'flushed', 'named best_mIoU_iter_4.pth', 'flushed', 'named iter_4.pth', 'removed best_mIoU_iter_2.pth',
        'flushed', 'named iter_6.pth', 'removed iter_4.pth',
        'flushed', 'named best_mIoU_iter_6.pth', 'flushed', 'named iter_6.pth', 'removed best_mIoU_iter_4.pth']
    assert checkpoints(tmp_path) == ['best_mIoU_iter_6.pth', 'iter_6.pth']


def test_unfinished_file_is_ignored(whole, tmp_path):
    for name in ('iter_2.pth.unfinished', 'iter_9.pth.unfinished', 'iter_8.pth.tmp', 'best_mIoU_iter_9.pth', 'x_7.pth'):
        (tmp_path / name).write_bytes(b'half')
    assert latest_checkpoint(str(tmp_path)) is None
    assert_resumes(whole, tmp_path, 'latest', 0)
    assert latest_checkpoint(str(tmp_path)) == tmp_path / 'iter_6.pth'
    assert tiny.differing(tiny.saved_state(tmp_path / 'iter_2.pth'), tiny.saved_state(whole.work / 'iter_2.pth')) == []
    assert (tmp_path / 'iter_9.pth.unfinished').read_bytes() == b'half'


def test_full_disk_error_names_the_checkpoint_and_leaves_no_partial_file(whole, tmp_path, monkeypatch):
    put = LocalBackend.put

    def full(backend, content, path):
        if 'iter_4.pth' not in str(path):
            return put(backend, content, path)
        put(backend, content[:100], path)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(LocalBackend, 'put', full)
    with pytest.raises(OSError, match='cannot write the checkpoint .*iter_4.pth .*No space left on device'):
        tiny.train(whole.isda, tmp_path / 'work')
    assert checkpoints(tmp_path / 'work') == ['iter_2.pth'] and not list((tmp_path / 'work').glob('*.unfinished'))


def test_latest_checkpoint_respects_the_settings_of_the_hook(tmp_path):
    work, out = tmp_path / 'work', tmp_path / 'out' / 'work'
    hook = dict(filename_tmpl='step_{}.pth', out_dir=str(tmp_path / 'out'))
    for path in (work / 'iter_3.pth', out / 'step_2.pth', out / 'step_10.pth', out / 'best_step_9.pth'):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('weights')
    os.utime(out / 'step_2.pth', (1, 1))
    assert latest_checkpoint(str(work), hook) == out / 'step_10.pth'
    (work / 'last_checkpoint').write_text(str(out / 'step_2.pth'))
    assert latest_checkpoint(str(work), hook) == out / 'step_2.pth'
    assert latest_checkpoint(str(work)) == work / 'iter_3.pth'
    assert latest_checkpoint(str(work), dict(filename_tmpl='epoch({}).pth')) is None
    assert latest_checkpoint(str(work), dict(hook, out_dir='s3://bucket/runs')) is None


def test_latest_checkpoint_is_the_one_written_last(tmp_path):
    assert latest_checkpoint(str(tmp_path)) is None
    for age, number in enumerate((24, 100, 16, 8)):
        (tmp_path / f'iter_{number}.pth').touch()
        os.utime(tmp_path / f'iter_{number}.pth', (1000 - age, 1000 - age))
    assert latest_checkpoint(str(tmp_path)) == tmp_path / 'iter_24.pth'
    (tmp_path / 'last_checkpoint').write_text('/an/old/place/iter_16.pth')
    assert latest_checkpoint(str(tmp_path)) == tmp_path / 'iter_16.pth'
    for half_written in (b'', b'/an/old/place/iter_1', b'iter_999.pth', b'\xff\xfe\x00'):
        (tmp_path / 'last_checkpoint').write_bytes(half_written)
        assert latest_checkpoint(str(tmp_path)) == tmp_path / 'iter_24.pth'


BAD = {
    'missing': (lambda path, content: None, FileNotFoundError, 'the checkpoint .*missing.pth does not exist'),
    'truncated': (lambda path, content: path.write_bytes(content[:len(content) // 2]), ValueError,
                  'truncated.pth is truncated, damaged or not a checkpoint'),
    'cut': (lambda path, content: path.write_bytes(content[:-1]), ValueError,
            'cut.pth is truncated, damaged or not a checkpoint'),
    'empty': (lambda path, content: path.touch(), ValueError, 'empty.pth is truncated, damaged or not a checkpoint'),
    'text': (lambda path, content: path.write_text('weights of my network'), ValueError,
             'text.pth is truncated, damaged or not a checkpoint'),
    'old_truncated': (lambda path, content: path.write_bytes(content[:len(content) // 2]), ValueError,
                      'old_truncated.pth is truncated, damaged or not a checkpoint'),
    'damaged': (lambda path, content: path.write_bytes(content[:9000] + bytes(200) + content[9200:]), ValueError,
                'damaged.pth is truncated, damaged or not a checkpoint'),
    'list': (lambda path, content: torch.save([1, 2], path), ValueError, 'list.pth is not a checkpoint: it holds'),
    'numbers': (lambda path, content: torch.save(dict(a=1), path), ValueError, 'numbers.pth is not a checkpoint'),
    'tensor': (lambda path, content: torch.save(torch.zeros(3), path, _use_new_zipfile_serialization=False), ValueError,
               'tensor.pth is not a checkpoint: it holds no state dict$'),
    'nested': (lambda path, content: torch.save(dict(epoch=3, model=dict(weight=torch.zeros(2))), path), ValueError,
               r"nested.pth is not a checkpoint: it holds no state dict, only the entries epoch, model. Its entry "
               r"'model' holds weights: save that entry alone with torch.save\(torch.load\(path, .*\)\['model'\], "),
}


def test_a_number_instead_of_a_checkpoint_is_an_error_that_names_it():
    with pytest.raises(FileNotFoundError, match='the checkpoint 3 does not exist'):
        check_checkpoint(3)


@pytest.mark.parametrize('kind', BAD)
def test_invalid_checkpoint_is_an_error_that_names_it(whole, tmp_path, kind):
    make, error, words = BAD[kind]
    saved = whole.work / 'iter_2.pth'
    if kind.startswith('old'):
        saved = old_format(saved, tmp_path / 'old.pth')
    path = tmp_path / f'{kind}.pth'
    make(path, saved.read_bytes())
    with pytest.raises(error, match=words):
        check_checkpoint(path)


@pytest.mark.parametrize('kind', ['missing', 'truncated', 'text'])
def test_training_tool_rejects_an_invalid_checkpoint_before_writing(whole, tmp_path, monkeypatch, kind):
    make, error, words = BAD[kind]
    make(tmp_path / f'{kind}.pth', (whole.work / 'iter_2.pth').read_bytes())
    with pytest.raises(error, match=words):
        tiny.run_tool(monkeypatch, 'train.py', whole.isda, '--work-dir', tmp_path / 'work', '--resume',
                      tmp_path / f'{kind}.pth')
    assert list((tmp_path / 'work').iterdir()) == []


def old_format(path, target):
    """The checkpoint as torch before 1.6 would have written it, without the log."""
    saved = torch.load(path, map_location='cpu', weights_only=False)
    saved['message_hub'] = dict(log_scalars={}, runtime_info={}, resumed_keys={})
    saved['meta'].pop('dataset_meta')
    torch.save(saved, target, _use_new_zipfile_serialization=False)
    return target


def test_a_checkpoint_in_the_old_format_is_accepted_and_resumes_exactly(whole, tmp_path):
    path = old_format(whole.work / 'iter_4.pth', tmp_path / 'old.pth')
    assert path.read_bytes()[:2] != b'PK'
    assert 'state_dict' in check_checkpoint(path)
    assert_resumes(whole, tmp_path / 'work', path, 4)


@pytest.mark.skipif(release(torch.__version__) < (2, 6), reason='weights_only is True by default since torch 2.6')
def test_mmengine_that_cannot_resume_with_this_torch_is_an_error(tmp_path, monkeypatch):
    """mmengine 0.10.7 does not set weights_only, whose default is True since torch 2.6."""
    path = tmp_path / 'iter_1.pth'
    torch.save(dict(meta={}, optimizer={}, message_hub=HistoryBuffer([1], [1]), state_dict={}), path)
    monkeypatch.setattr(CheckpointLoader, 'load_checkpoint', lambda path, **kwargs: torch.load(path, weights_only=True))
    with pytest.raises(ValueError, match=rf"cannot load the training state in {path} with torch .*: pip install "
                                         "'mmengine>=0.11.0rc0', or 'torch<2.6'"):
        check_checkpoint(path, resume=True)


def test_missing_entries_of_a_checkpoint_are_named(tmp_path):
    torch.save({'conv1.weight': torch.zeros(3)}, tmp_path / 'backbone.pth')
    assert list(check_checkpoint(tmp_path / 'backbone.pth')) == ['conv1.weight']
    with pytest.raises(ValueError, match='backbone.pth holds weights but no training state .*load_from'):
        check_checkpoint(tmp_path / 'backbone.pth', resume=True)
    with pytest.raises(ValueError, match='backbone.pth holds no weights of decode_head'):
        check_checkpoint(tmp_path / 'backbone.pth', module='decode_head')


def test_a_checkpoint_names_every_run_that_made_it(whole, tmp_path):
    def runs(work, number):
        return check_checkpoint(work / f'iter_{number}.pth')['meta']['runs']

    first = runs(whole.work, 2)
    assert [run['seed'] for run in first] == [0]
    tiny.train(whole.isda, tmp_path, resume=whole.work / 'iter_2.pth')
    assert runs(tmp_path, 6)[:1] == first and len(runs(tmp_path, 6)) == 2
    tiny.train(whole.isda, tmp_path / 'from_weights', {'load_from': str(whole.work / 'iter_2.pth')})
    assert len(runs(tmp_path / 'from_weights', 6)) == 1


def test_checkpoint_url_is_left_to_mmengine():
    assert check_checkpoint('https://example.org/nothing.pth') == {}


def loaded(config, work, checkpoint, options=None):
    """The state of a config's model after it has loaded a checkpoint as at the start of a run."""
    runner = tiny.build(config, work, {**(options or {}), 'load_from': str(checkpoint)})
    runner.call_hook('before_run')
    runner.load_or_resume()
    return runner.model.state_dict()


def named(captured, words):
    """The keys that the one line with these words names."""
    line, = (line for line in (captured.out + captured.err).splitlines() if words in line)
    return sorted(line.split(f'{words}: ')[1].split(', '))


STATISTICS = [f'{head}.loss_decode.statistics.{name}' for head in ('auxiliary_head', 'decode_head')
              for name in ('count', 'covariance', 'mean')]


def test_plain_checkpoint_loads_into_the_isda_model_with_a_message(whole, tmp_path, capfd):
    tiny.train(whole.plain, tmp_path / 'plain', {'train_cfg.max_iters': 2})
    saved = torch.load(tmp_path / 'plain/iter_2.pth', weights_only=False)['state_dict']
    state = loaded(whole.isda, tmp_path / 'isda', tmp_path / 'plain/iter_2.pth')
    assert tiny.differing(state, saved) == STATISTICS
    assert all(int(state[key].count_nonzero()) == 0 for key in STATISTICS)
    assert named(capfd.readouterr(), 'missing keys in source state_dict') == STATISTICS


def test_isda_checkpoint_loads_into_the_plain_model_with_a_message(whole, tmp_path, capfd):
    path = whole.work / 'iter_6.pth'
    saved = torch.load(path, weights_only=False)['state_dict']
    state = loaded(whole.plain, tmp_path, path)
    assert tiny.differing(state, saved) == STATISTICS
    assert not set(STATISTICS) & set(state)
    assert named(capfd.readouterr(), 'unexpected key in source state_dict') == STATISTICS


def test_statistics_of_another_shape_are_an_error_with_a_remedy(whole, tmp_path):
    other = {'model.decode_head.loss_decode.covariance': 'full'}
    path = whole.work / 'iter_6.pth'
    with pytest.raises(ValueError, match=r'decode_head\.loss_decode\.statistics.*\(11, 8\).*\(11, 8, 8\).*'
                                         'load_statistics=False'):
        loaded(whole.isda, tmp_path / 'error', path, other)
    state = loaded(whole.isda, tmp_path / 'fresh', path, {**other, 'model.decode_head.loss_decode.load_statistics':
                                                             False})
    saved = torch.load(path, weights_only=False)['state_dict']
    assert tiny.differing(state, saved) == sorted(key for key in STATISTICS if key.startswith('decode_head'))
    assert all(int(state[key].count_nonzero()) == 0 for key in STATISTICS if key.startswith('decode_head'))
