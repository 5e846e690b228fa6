"""Adds configs, tools and model-index.yml to the wheel as isda_seg/.mim, and README as the package's description.

All other metadata is in pyproject.toml.
"""

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

try:
    import tomllib  # novm
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

# Recorded results, the figures that READMEs show, and the tool that writes both: they need a clone.
CLONE_ONLY = ('configs/results', 'configs/figures', 'tools/docs', 'tools/make.py')
# onedl-mim looks for the index in the first folder of RECORD, which pip sorts by name. The installed command
# `../../../bin/isda-seg` would be first; a plus sign sorts before its dot.
FIRST, INDEX = '+isda_seg', 'Import:\n- ../isda_seg/.mim/configs/metafile.yml\n'


def description():
    """Return README as an index can show it, where no link can lead to a file of this repository.

    If [project.urls] names a Repository, links become absolute links to the tag of this version. Otherwise the text of
    a link stays, and a figure goes.
    """
    text = Path('README.md').read_text(encoding='utf-8')
    repository = tomllib.loads(Path('pyproject.toml').read_text(encoding='utf-8'))['project']['urls'].get('Repository')
    version = re.search(r"__version__ = '(.+)'", Path('isda_seg/__init__.py').read_text(encoding='utf-8'))[1]

    def absolute(link):
        figure, label, path = link.groups()
        if repository is None:
            return '' if figure else label
        return f"{figure}[{label}]({repository}/{'raw' if figure else 'blob'}/v{version}/{path})"

    parts = re.split(r'(```.*?```)', text, flags=re.DOTALL)  # blocks of code stay as they are
    parts[::2] = [re.sub(r'(!?)\[([^\]]*)\]\((?![a-z]+:|#)([^)\s]+)\)', absolute, part) for part in parts[::2]]
    return ''.join(parts)


def left_out(folder, names):
    """What ``shutil.copytree`` skips of the names in a folder."""
    skipped = shutil.ignore_patterns('__pycache__', '*.py[cod]', '.*')(folder, names)
    return skipped | {name for name in names if Path(folder, name).as_posix() in CLONE_ONLY}


class BuildWithMim(build_py):
    """The OpenMMLab layout without what needs a clone, copied into the build from the single copies at the top level.

    An editable install runs from the tree, where configs and tools already are, so it gets no copies.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'isda_seg', '.mim')
        shutil.rmtree(mim, ignore_errors=True)
        for folder in ('configs', 'tools'):
            shutil.copytree(folder, mim / folder, ignore=left_out)
        shutil.copy2('model-index.yml', mim)
        first = Path(self.build_lib, FIRST)
        first.mkdir(exist_ok=True)
        (first / 'model-index.yml').write_text(INDEX)


setup(cmdclass={'build_py': BuildWithMim}, long_description=description(),
      long_description_content_type='text/markdown')
