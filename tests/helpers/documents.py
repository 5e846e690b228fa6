"""The documents of the repository and their contents: blocks of code, commands, links, tools with their options."""
import re
import shlex
from pathlib import Path
from typing import NamedTuple

from isda_seg.runtime.cli import find_tools

try:
    import tomllib  # novm
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / 'pyproject.toml').read_text(encoding='utf-8'))['project']
DOCUMENTS = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md')),
             *sorted((ROOT / 'configs').rglob('README.md'))]
FOLDERS = [path.parent for path in DOCUMENTS if path.parent.parent == ROOT / 'configs']
FENCED = re.compile(r'```(\w*)\n(.*?)```', re.DOTALL)


class Block(NamedTuple):
    """A block of code in a document."""
    document: str
    language: str
    code: str

    @property
    def kind(self) -> str:
        """The comment of its first line; '' without one."""
        return self.code.split('\n')[0].partition('# ')[2]


def name(path: Path) -> str:
    """A document as messages name it."""
    return path.relative_to(ROOT).as_posix()


def blocks() -> list[Block]:
    """Of all documents, in order."""
    return [Block(name(path), language, code) for path in DOCUMENTS
            for language, code in FENCED.findall(path.read_text())]


def commands() -> list[str]:
    """The lines of all shell blocks without their comments, each once."""
    lines = [line.split('  #')[0].strip() for block in blocks() if block.language == 'bash'
             for line in block.code.replace('\\\n', ' ').splitlines() if line.strip()]
    return list(dict.fromkeys(lines))


def split(command: str) -> list[str]:
    """Split a command into words, without variables and ``python``; ``isda-seg NAME`` becomes the tool's file."""
    words = shlex.split(command)
    while re.match(r'[A-Z_]+=', words[0]) or words[0] == 'python':
        words = words[1:]
    if words[:2] == ['-m', 'torch.distributed.run']:  # starts a tool
        words = words[next(place for place, word in enumerate(words) if word.startswith('tools/')):]
    return [find_tools()[words[1]].relative_to(ROOT).as_posix(), *words[2:]] if words[0] == 'isda-seg' else words


def mentions() -> list[str]:
    """Tools and targets named within the text, with their options: `tools/train.py CONFIG [--resume]`, each once."""
    prose = [FENCED.sub('', path.read_text()).replace('\\|', '|') for path in DOCUMENTS]
    return list(dict.fromkeys(
        found for text in prose for found in re.findall(r'`((?:python )?tools/[^`]*[^`/]|make [^`]+)`', text)))


def links(text: str) -> list[str]:
    """What a document links to or shows, without the web."""
    return [link for link in re.findall(r'\]\(([^)\s]+)\)', FENCED.sub('', text)) if '://' not in link]


def anchors(text: str) -> set[str]:
    """The names by which its headings can be linked."""
    headings = re.findall(r'^#+ (.*)$', FENCED.sub('', text), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


def generated(text: str, block: str) -> str:
    """What stands between the markers of a block."""
    return text.split(f'<!-- {block} -->\n')[1].split(f'<!-- /{block} -->')[0].strip()
