"""Errors for users: a short message of the tools, the traceback with --debug, and the remedy for unreadable files."""
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from isda_seg.openmmlab.config_nodes import did_you_mean

REMEDIES = {  # for error messages of torch and MMEngine
    'end should be larger than begin':
        'A schedule in param_scheduler, such as the warm-up, begins after the end of training. Increase '
        'train_cfg.max_epochs or max_iters, or change param_scheduler',
    'Expected more than 1 value per channel':
        'A batch normalisation received one value per channel, as after pooling a batch of one image. Set '
        'train_dataloader.batch_size=2 or more, or train_dataloader.drop_last=True if only the last batch is so small',
    'stack expects each tensor to be equal size':
        'The images of a batch have different sizes. Put transforms that give all images one size, such as Resize and '
        'CenterCrop, into the pipeline of the dataset'}
UNREGISTERED = re.compile(r'(\S+) is not in the (.+?) registry')  # in MMEngine's KeyError for an unknown type
UNTYPED = 'must contain the key "type"'  # in MMEngine's KeyError for a dict without a type
IN_WORKER = re.compile(r'Caught \w+ in DataLoader worker process \d+\.\nOriginal Traceback')  # by torch
DEAD = re.compile(r'DataLoader worker|unable to (allocate shared memory|write to file </torch)|'
                  'received 0 items of ancdata')  # begin torch's messages about dead workers and full shared memory
OF_NONE = "'NoneType' object has no attribute "
READERS = {f"{OF_NONE}'imread'": 'tifffile', f"{OF_NONE}'decode'": 'PyTurboJPEG'}  # mmcv uses them without a check
OF_USERS = (ValueError, OSError, ImportError, FloatingPointError)


def run_main(main: Callable[[], int | None], stopped: str = 'stopped') -> None:
    """Run a tool and exit with its code (None is success); after a user error, exit with code 1 and the message alone.

    Any other error shows its traceback. With ``--debug`` among the arguments, which ``main`` does not see, every error
    does. ``stopped`` is the message after Ctrl-C.
    """
    debug = '--debug' in sys.argv
    sys.argv[1:] = [argument for argument in sys.argv[1:] if argument != '--debug']
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(stopped)
    except Exception as error:
        if debug:
            raise
        if message := next(filter(None, map(_dead_worker, _causes(error))), None):
            sys.exit(message)
        error = _of_worker(error)
        if isinstance(error, (KeyError, TypeError)) and (text := describe_type_error(error)) is not None:
            sys.exit(f'{text}\n(rerun with --debug for a traceback)')
        hint = next((f'. {remedy}' for words, remedy in REMEDIES.items() if words in str(error)), '')
        if not hint and not isinstance(error, OF_USERS):
            raise
        sys.exit(f'{error}{hint}\n(rerun with --debug for a traceback)')


def describe_type_error(error: KeyError | TypeError) -> str | None:
    """Return a sentence for MMEngine's error about a missing or unknown ``type`` in a config; None for other errors."""
    text = str(error.args[0]) if error.args else ''
    if text == 'None is not a callable object':  # from MMEngine's optimizer constructor
        return 'the config has an unknown type of optimizer. Correct optim_wrapper.optimizer.type'
    if UNTYPED in text:
        _, _, found = text.partition(UNTYPED)
        return f'a dict of the config has no type{found[:200].rstrip()}. Add type=... to it'
    if (match := UNREGISTERED.search(text)) is None:
        return None
    name, registry = match.groups()
    if module := _defining_module(name):
        remedy = f'. Add {module!r} to custom_imports.imports of the config, which registers it'
    elif hint := did_you_mean(name, _registered(registry.rpartition(':')[2]), cutoff=0.7):
        remedy = f': {hint}'
    else:
        remedy = '. Correct it, or import the module that registers it with the key custom_imports'
    return f'the config has the unknown type {name!r} ({registry}){remedy}'


def _defining_module(name: str) -> str | None:
    """Return the module of this package that defines a class but was not imported, or None."""
    package = Path(__file__).parents[1]
    modules = ('.'.join(path.relative_to(package.parent).with_suffix('').parts) for path in package.rglob('*.py')
               if re.search(rf'^class {re.escape(name)}\b', path.read_text(encoding='utf-8'), re.MULTILINE))
    return next((module for module in modules if module not in sys.modules), None)


def _registered(kind: str) -> list[str]:
    """Return all names in MMEngine's registry of a kind, such as 'model', and in the registries below it."""
    from mmengine import registry
    parents = [one for one in vars(registry).values() if isinstance(one, registry.Registry) and one.name == kind]
    found: list[str] = []
    while parents:
        one = parents.pop()
        found += one.module_dict
        parents += one.children.values()
    return found


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and those that it was raised from or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _dead_worker(error: BaseException) -> str | None:
    """Return a message for torch's errors about a dead worker or full shared memory, raised at any place, else None."""
    text = str(_of_worker(error)) if isinstance(error, RuntimeError) else ''
    if not DEAD.match(text):
        return None
    return (f'a worker of a data loader died ({text.splitlines()[0].rstrip(". ")}). Most often memory or the '
            'shared memory in /dev/shm was full. Use fewer workers, such as --cfg-options '
            'train_dataloader.num_workers=1 val_dataloader.num_workers=1, or enlarge /dev/shm (docker run '
            '--shm-size=8g); --resume continues from the last checkpoint\n(rerun with --debug for a traceback)')


def _of_worker(error: Exception) -> Exception:
    """Return the error that torch re-raised from a data loader's worker, without the worker's traceback."""
    name, text = type(error).__name__, str(error.args[0]) if error.args else ''
    messages = re.split(rf'\n(?:[\w.]+\.)?{name}: ', text) if IN_WORKER.match(text) else []
    return type(error)(messages[-1].rstrip()) if len(messages) > 1 else error


def reading_error(kind: str, path: str | Path, error: Exception) -> Exception:
    """Return the exception for a file that could not be read: a ``kind``, such as 'image', and the reader's ``error``.

    It is an ImportError for a missing package and a ValueError for a damaged file. An OSError of the system keeps its
    class, such as PermissionError, and a MemoryError is returned unchanged.
    """
    start = f'cannot read {kind} {path}'
    if isinstance(error, AttributeError) and str(error) in READERS:
        return ImportError(f'{start}: its imdecode_backend needs {READERS[str(error)]}. Install the missing package')
    if isinstance(error, ImportError):
        return ImportError(f'{start}: {error}. Install the missing package')
    if isinstance(error, OSError) and error.errno is not None:
        return type(error)(f'{start}: {error.strerror}. Check its permissions and its disk')
    if isinstance(error, MemoryError):
        return error
    if isinstance(error, ValueError) and str(error):
        return ValueError(f'{start}: {error}. Replace or remove it')
    return ValueError(f'{start}: the file is damaged or not an image ({type(error).__name__}: {error}). Replace or '
                      'remove it')
