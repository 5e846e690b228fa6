"""Import files as a system without POSIX would: python without_posix.py ROOT FILE ...

Only files below ROOT see this; packages they import keep the real modules, also where the environment lies below ROOT.
Prints the files that need a package which is not installed.
"""
import builtins
import importlib
import os
import runpy
import signal
import sys
from pathlib import Path
from types import ModuleType

MODULES = {'crypt', 'fcntl', 'grp', 'posix', 'pty', 'pwd', 'resource', 'syslog', 'termios', 'tty'}
NAMES = {
    os: {'O_CLOEXEC', 'O_DIRECTORY', 'chown', 'fork', 'forkpty', 'geteuid', 'getgid', 'getloadavg', 'getpgid', 'getuid',
         'killpg', 'mkfifo', 'nice', 'register_at_fork', 'sched_getaffinity', 'sched_setaffinity', 'setsid', 'statvfs',
         'sysconf', 'uname'},
    signal: {'SIGALRM', 'SIGCHLD', 'SIGHUP', 'SIGKILL', 'SIGUSR1', 'SIGUSR2', 'alarm', 'pthread_sigmask', 'setitimer'},
    sys: set(),
}


def reduced(module: ModuleType, names: set[str]) -> ModuleType:
    """A copy of a module without some names."""
    copy = ModuleType(module.__name__)
    vars(copy).update({name: value for name, value in vars(module).items() if name not in names})
    return copy


def main() -> None:
    root, files = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    stubs = {module.__name__: reduced(module, names) for module, names in NAMES.items()}
    stubs['sys'].platform = 'win32'
    sys.path[:0] = [str(root / 'tools'), str(root)]
    real = builtins.__import__

    def on_another_system(name, globals=None, locals=None, fromlist=(), level=0):
        importer = (globals or {}).get('__file__') or ''
        if level or not Path(importer).is_relative_to(root) or Path(importer).is_relative_to(sys.prefix):
            return real(name, globals, locals, fromlist, level)
        if name.split('.')[0] in MODULES:
            raise ImportError(f'{importer} imports {name}, which only POSIX has')
        found = real(name, globals, locals, fromlist, level)
        return stubs.get(found.__name__, found)

    builtins.__import__ = on_another_system
    for file in files:
        parts = file.relative_to(root).with_suffix('').parts
        try:
            if parts[0] == 'isda_seg':
                importlib.import_module('.'.join(parts).removesuffix('.__init__'))
            else:
                runpy.run_path(str(file), run_name='imported')
        except ImportError as error:
            if isinstance(error, ModuleNotFoundError):
                print(f'{"/".join(parts)} {error.name}')
            elif 'needs MMDetection' in str(error):
                print(f'{"/".join(parts)} mmdet')
            else:
                raise


if __name__ == '__main__':
    main()
