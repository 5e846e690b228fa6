"""Command ``isda-seg``: runs one of the tools of a clone or an installed wheel from any folder."""
import os
import re
import runpy
import sys
from pathlib import Path

from isda_seg.openmmlab.config_nodes import did_you_mean

PACKAGE = Path(__file__).resolve().parents[1]
# End of the first sentence of a tool's description, and the characters before its first word.
END, QUOTES = re.compile(r':? (?:python )?tools/|[.:] |\.$'), '"# '
FOLDERS = (PACKAGE / '.mim' / 'tools', PACKAGE.parent / 'tools')  # in a wheel, in a clone


def find_tools() -> dict[str, Path]:
    """Return the file of each command, such as ``show-directions`` for ``show_directions.py``."""
    folder = next((folder for folder in FOLDERS if (folder / 'train.py').is_file()), None)
    if folder is None:
        sys.exit('this installation of isda-seg contains no tools. Install its wheel or use a clone')
    paths = [path for path in (*folder.glob('*'), *folder.glob('benchmarks/*')) if path.suffix in ('.py', '.sh')]
    return {path.stem.replace('_', '-'): path for path in sorted(paths, key=lambda path: path.stem)}


def usage(tools: dict[str, Path]) -> str:
    """Return the list of commands, with the first line of each tool's description."""
    lines = ['usage: isda-seg COMMAND ...        isda-seg COMMAND --help explains a command', '']
    for name, path in tools.items():
        source = path.read_text(encoding='utf-8').splitlines()
        first = next(line for line in source if line and not line.startswith('#!'))
        lines.append(f'  {name:<18} {re.split(END, first.strip(QUOTES))[0]}')
    return '\n'.join([*lines, '', f'configs: {tools["train"].parents[1] / "configs"}'])


def main() -> None:
    """Run the tool named by the first argument; exit with a short message and code 1 on a user error."""
    tools = find_tools()
    name, *rest = sys.argv[1:] or ['--help']
    if name in ('-h', '--help'):
        print(usage(tools))
        return
    if name not in tools:
        hint = did_you_mean(name, tools)
        sys.exit(f'unknown command {name!r}' + (f'; {hint}' if hint else '') + '\n' + usage(tools))
    tool = tools[name]
    if tool.suffix == '.sh':
        if os.name == 'nt':
            sys.exit(f'isda-seg {name} needs a POSIX shell. Start the ranks with: python -m torch.distributed.run '
                     f'--nproc_per_node=GPUS {tool.with_name(tool.stem.split("_")[-1] + ".py")} CONFIG --launcher '
                     'pytorch')
        os.execve(tool, [str(tool), *rest], {'PYTHON': sys.executable, **os.environ})
    sys.argv = [str(tool), *rest]
    try:
        runpy.run_path(str(tool), run_name='__main__')
    except ModuleNotFoundError as error:
        sys.exit(f"isda-seg {name} needs a package that is not installed: {error}. Install the extra for your task, "
                 "such as pip install 'isda-seg[seg]'; the extras are seg, cls, det and gain")


if __name__ == '__main__':
    main()
