"""Properties of epoch-based training: a run resumes inside an epoch, bitwise, whatever the checkpoint's iteration."""

import itertools
from types import SimpleNamespace

import pytest
from helpers import tiny
from helpers.exhaustive import exhaustive
from mmengine.config import ConfigDict
from mmengine.registry import LOOPS
from mmengine.runner import EpochBasedTrainLoop
from torch.utils.data import DataLoader

from isda_seg.runtime.exact_resume import ResumableEpochLoop, rest_of_epoch, set_epoch_loop
from isda_seg.runtime.resume_check import in_new_batches

pytestmark = tiny.on_cpu

EPOCHS = {'train_dataloader.sampler.type': 'DefaultSampler',
          'train_cfg': dict(_delete_=True, type='EpochBasedTrainLoop', max_epochs=3, val_begin=100),
          'default_hooks.checkpoint.interval': 1}
ACCUMULATED = {'train_cfg.max_epochs': 2, 'optim_wrapper.accumulative_counts': 2}


@LOOPS.register_module()
class OtherEpochLoop(EpochBasedTrainLoop):
    """A loop of a user."""


@pytest.fixture(scope='module', autouse=True)
def no_pause():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr('mmengine.runner.loops.time.sleep', lambda seconds: None)
        yield


def whole_run(config, work, **options):
    runner, steps = tiny.train(config, work, {**EPOCHS, **options})
    return SimpleNamespace(config=config, work=work, steps=steps, log=tiny.logged(work), state=tiny.full_state(runner),
                           options=options)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """Three epochs of three steps on five images, with a checkpoint after every step."""
    folder = tmp_path_factory.mktemp('epochs')
    tiny.write_configs(folder, train=5)
    return whole_run(folder / tiny.ISDA, folder / 'whole')


def assert_continues(whole, work, done, **options):
    """Resumed from iter_<done>, the run takes the remaining steps and ends in the state of the whole run."""
    runner, steps = tiny.train(whole.config, work, {**EPOCHS, **whole.options, **options},
                               resume=whole.work / f'iter_{done}.pth')
    assert steps == whole.steps[done:]
    assert tiny.differing(tiny.full_state(runner), whole.state) == []
    assert tiny.logged(work) == {step: line for step, line in whole.log.items() if step > done}


@exhaustive('done, workers, persistent', [
    (4, 2, True), (1, 0, False), (3, 2, False), (6, 0, False), (8, 2, True), (5, 2, False), (9, 0, False)])
def test_resume_inside_an_epoch_continues_after_the_used_samples(whole, tmp_path, done, workers, persistent):
    assert [len(step['files']) for step in whole.steps] == [2, 2, 1] * 3
    assert_continues(whole, tmp_path, done, **{'train_dataloader.num_workers': workers,
                                               'train_dataloader.persistent_workers': persistent})


@pytest.mark.exhaustive
@pytest.mark.parametrize('done', [1, 3])
def test_gradients_between_two_updates_are_resumed(whole, tmp_path, done):
    accumulated = whole_run(whole.config, tmp_path / 'whole', **ACCUMULATED)
    assert_continues(accumulated, tmp_path / 'rest', done)
    log = next((tmp_path / 'rest').glob('*/*.log')).read_text()
    assert 'is lost' not in log


def test_another_epoch_based_loop_refuses_to_resume_inside_an_epoch(whole, tmp_path):
    options = {**EPOCHS, 'train_cfg': dict(EPOCHS['train_cfg'], type='OtherEpochLoop')}
    with pytest.raises(ValueError, match='OtherEpochLoop cannot resume inside an epoch. Resume from'):
        tiny.train(whole.config, tmp_path, options, resume=whole.work / 'iter_4.pth')


def test_resume_with_another_batch_size_uses_the_remaining_samples(whole, tmp_path):
    runner, steps = tiny.train(whole.config, tmp_path, {**EPOCHS, 'train_dataloader.batch_size': 1},
                               resume=whole.work / 'iter_4.pth')
    files = [file for step in whole.steps[4:] for file in step['files']]
    assert [step['files'] for step in steps] == [[file] for file in files]
    assert (runner.epoch, runner.iter) == (3, 15)


@pytest.mark.parametrize('done, old, new, expected', [
    (0, (3, 2), (5, 1), 0), (1, (3, 2), (5, 1), 2), (3, (3, 2), (5, 1), 5), (2, (5, 1), (3, 2), 1),
    (4, (5, 1), (2, 4), 1)])
def test_used_batches_are_counted_in_batches_of_the_new_size(done, old, new, expected):
    made_by, own = (dict(steps=steps, batch=batch) for steps, batch in (old, new))
    assert in_new_batches(done, made_by, own) == expected


def test_used_images_that_are_no_whole_batches_are_an_error():
    with pytest.raises(ValueError, match='after 3 images, .* batches of 2. Resume with a batch size of 1 in total'):
        in_new_batches(3, dict(steps=5, batch=1), dict(steps=3, batch=2))


@pytest.mark.parametrize('before, after', [
    (dict(type='EpochBasedTrainLoop', max_epochs=2), dict(type='ResumableEpochLoop', max_epochs=2)),
    (dict(type=EpochBasedTrainLoop, max_epochs=2), dict(type='ResumableEpochLoop', max_epochs=2)),
    (dict(by_epoch=True, max_epochs=2), dict(type='ResumableEpochLoop', max_epochs=2)),
    (dict(by_epoch=False, max_iters=2), dict(by_epoch=False, max_iters=2)),
    (dict(type='IterBasedTrainLoop', max_iters=2), dict(type='IterBasedTrainLoop', max_iters=2))])
def test_every_spelling_of_the_epoch_based_loop_is_replaced(before, after):
    cfg = ConfigDict(train_cfg=before)
    set_epoch_loop(cfg)
    assert cfg.train_cfg == after


@pytest.mark.parametrize('batch_size', [None, 2])
def test_skipped_batches_are_not_loaded_and_the_next_epoch_is_whole(batch_size):
    loaded = []

    class Images:
        def __len__(self):
            return 5

        def __getitem__(self, index):
            loaded.append(index)
            return index

    loader = DataLoader(Images(), batch_size=batch_size, collate_fn=lambda batch: batch)
    batches = list(loader)
    loaded.clear()
    assert list(rest_of_epoch(loader, 2)) == batches[2:]
    assert loaded == [4] if batch_size else [2, 3, 4]
    assert list(rest_of_epoch(loader, 0)) == list(loader) == batches
    assert list(rest_of_epoch(loader, len(batches))) == []


def test_loop_ignores_a_position_outside_the_epoch():
    loop = ResumableEpochLoop.__new__(ResumableEpochLoop)
    loop.dataloader, found = range(3), []
    loop._runner = SimpleNamespace(call_hook=lambda name: None, model=SimpleNamespace(train=lambda: None))
    loop.run_iter = lambda index, batch: found.append(index)
    from isda_seg.runtime import exact_resume
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_resume, 'rest_of_epoch', lambda loader, done: itertools.islice(loader, done, None))
        loop._epoch, loop._iter = 2, 11  # two epochs of five or six steps
        loop.run_epoch()
    assert found == [0, 1, 2]
