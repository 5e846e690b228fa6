"""Adds configs, tools and model-index.yml to the wheel as isda_seg/.mim; all other metadata is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithMim(build_py):
    """The OpenMMLab layout, copied into the build from the single copies at the top level.

    An editable install runs from the tree, where configs and tools already are, so it gets no copies.
    """

    def run(self):
        super().run()
        if self.editable_mode:
            return
        mim = Path(self.build_lib, 'isda_seg', '.mim')
        shutil.rmtree(mim, ignore_errors=True)
        for folder in ('configs', 'tools'):
            shutil.copytree(folder, mim / folder, ignore=shutil.ignore_patterns('__pycache__', '*.py[cod]', '.*'))
        shutil.copy2('model-index.yml', mim)


setup(cmdclass={'build_py': BuildWithMim})
