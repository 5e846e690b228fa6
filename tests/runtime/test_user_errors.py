"""User errors print a message; internal errors print a traceback."""
import re
import sys

import pytest
import torch
from helpers.tiny import ROOT
from PIL import UnidentifiedImageError

from isda_seg.runtime.user_errors import reading_error, run_main


def told(monkeypatch, error, *arguments, **kwargs):
    """Exit message of the process, and the arguments that the tool received."""
    monkeypatch.setattr(sys, 'argv', ['tool.py', *arguments])
    seen = []

    def main():
        seen.extend(sys.argv[1:])
        raise error

    with pytest.raises(SystemExit) as end:
        run_main(main, **kwargs)
    return end.value.code, seen


def test_user_error_prints_the_message_and_exits_with_code_1(monkeypatch):
    code, seen = told(monkeypatch, FileNotFoundError('the config x.py does not exist'), 'x.py')
    assert code == 'the config x.py does not exist\n(rerun with --debug for a traceback)'  # a text ends with code 1
    assert seen == ['x.py']


@pytest.mark.parametrize('code', [None, 0, 1, 3])
def test_exit_code_is_the_return_value_of_the_tool(monkeypatch, code):
    monkeypatch.setattr(sys, 'argv', ['tool.py'])
    with pytest.raises(SystemExit) as end:
        run_main(lambda: code)
    assert end.value.code == code


def test_torch_error_for_images_of_different_sizes_gets_a_remedy(monkeypatch):
    with pytest.raises(RuntimeError) as error:
        torch.stack([torch.zeros(3, 8, 8), torch.zeros(3, 8, 6)])
    assert '. The images of a batch have different sizes. Put transforms' in told(monkeypatch, error.value)[0]


def test_torch_error_for_one_value_per_channel_gets_a_remedy(monkeypatch):
    error = ValueError('Expected more than 1 value per channel when training, got input size [1, 128, 1, 1]')
    assert 'Set train_dataloader.batch_size=2 or more' in told(monkeypatch, error)[0]


@pytest.mark.parametrize('words, wrapped', [
    ('DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that\nshared memory is low.', False),
    ('DataLoader worker (pid(s) 7, 8) exited unexpectedly', True),
    ('unable to allocate shared memory(shm) for file </torch_7_1>', False)])
def test_a_dead_worker_is_one_sentence_about_workers_and_shared_memory(monkeypatch, words, wrapped):
    error = RuntimeError(words)
    if wrapped:  # torch raises it wherever the main process is
        outer = ZeroDivisionError()
        outer.__context__ = error
        error = outer
    message, _ = told(monkeypatch, error)
    assert message.startswith(f'a worker of a data loader died ({words.splitlines()[0].rstrip(". ")}). Most often')
    assert '/dev/shm' in message and 'train_dataloader.num_workers=1' in message


class Broken(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        raise FileNotFoundError('a.png does not exist:\nadd it')


def test_an_error_in_a_worker_is_the_message_alone(monkeypatch):
    with pytest.raises(FileNotFoundError, match='Original Traceback') as caught:
        next(iter(torch.utils.data.DataLoader(Broken(), num_workers=1)))
    message, _ = told(monkeypatch, caught.value)
    assert message == 'a.png does not exist:\nadd it\n(rerun with --debug for a traceback)'


def test_another_runtime_error_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tool.py'])
    with pytest.raises(RuntimeError, match='CUDA error'):
        run_main(lambda: exec("raise RuntimeError('CUDA error')"))


def test_debug_shows_the_traceback_and_is_removed_from_the_arguments(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tool.py', '--debug', 'x.py'])
    with pytest.raises(ValueError, match=r"\['x.py'\]"):
        run_main(lambda: exec('raise ValueError(sys.argv[1:])', dict(sys=sys)))


def test_internal_error_keeps_its_traceback(monkeypatch):
    monkeypatch.setattr(sys, 'argv', ['tool.py'])
    with pytest.raises(ZeroDivisionError) as error:
        run_main(lambda: 1 / 0)
    assert error.traceback[-1].name == '<lambda>'


def test_ctrl_c_prints_the_given_message(monkeypatch):
    assert told(monkeypatch, KeyboardInterrupt(), stopped='stopped; go on so')[0] == 'stopped; go on so'


def unknown(kind, **config):
    import mmengine.runner  # noqa: F401  # registers the hooks
    from mmengine.registry import HOOKS, MODELS
    with pytest.raises(KeyError) as error:
        dict(model=MODELS, hook=HOOKS)[kind].build(config)
    return error.value


def test_an_unknown_type_is_a_sentence_with_the_closest_name(monkeypatch):
    code, _ = told(monkeypatch, unknown('hook', type='CheckpointHok'))
    assert code.startswith("the config has the unknown type 'CheckpointHok' (")  # and the scope of an earlier test
    assert "::hook): did you mean CheckpointHook?" in code
    assert 'import the module that registers it' in told(monkeypatch, unknown('model', type='Zzz'))[0]


@pytest.mark.parametrize('name', ['SEResNetCifar', 'AutoAugment', 'CNN13', 'LqLoss'])
def test_an_unregistered_class_of_the_package_is_reported_with_its_module(monkeypatch, name):
    error = KeyError(f'{name} is not in the mmengine::model registry')
    for module in [module for module in sys.modules if module.startswith('isda_seg.paper.')]:
        monkeypatch.delitem(sys.modules, module)
    module = re.search("Add '(.*)' to custom_imports.imports", told(monkeypatch, error)[0])[1]
    assert f'class {name}(' in (ROOT / f'{module.replace(".", "/")}.py').read_text()


def test_a_missing_type_is_a_sentence_with_the_dict(monkeypatch):
    assert told(monkeypatch, unknown('model', depth=3))[0].startswith(
        "a dict of the config has no type, but got {'depth': 3}")
    assert 'optim_wrapper.optimizer.type' in told(monkeypatch, TypeError('None is not a callable object'))[0]


@pytest.mark.parametrize('error', [KeyError('epoch'), TypeError('x')])
def test_other_key_errors_show_their_traceback(monkeypatch, error):
    monkeypatch.setattr(sys, 'argv', ['tool.py'])

    def main():
        raise error

    with pytest.raises(type(error)) as raised:
        run_main(main)
    assert raised.value is error


@pytest.mark.parametrize('error, kind, words', [
    (ModuleNotFoundError("No module named 'tifffile'"), ImportError, "No module named 'tifffile'. Install the missing"),
    (AttributeError("'NoneType' object has no attribute 'imread'"), ImportError, 'needs tifffile. Install the missing'),
    (PermissionError(13, 'Permission denied'), PermissionError, 'Permission denied. Check its permissions'),
    (OSError(5, 'Input/output error'), OSError, 'Input/output error. Check its permissions and its disk'),
    (UnidentifiedImageError('no image'), ValueError, 'is damaged or not an image (UnidentifiedImageError: no image)'),
    (AttributeError('x'), ValueError, 'is damaged or not an image (AttributeError: x). Replace or remove it'),
    (ValueError('its values have no range'), ValueError, 'a.png: its values have no range. Replace or remove it')])
def test_message_about_an_unreadable_file_names_it_and_the_reason(error, kind, words):
    found = reading_error('image', 'a.png', error)
    assert isinstance(found, kind) and str(found).startswith('cannot read image a.png: ') and words in str(found)


def test_missing_memory_is_not_a_damaged_file():
    error = MemoryError()
    assert reading_error('image', 'a.png', error) is error
