"""The exported names of isda_seg work in every order of imports, and load no more than they need."""
import inspect
import itertools
import subprocess
import sys
from importlib import import_module

import pytest
from helpers import tiny
from helpers.exhaustive import exhaustive

import isda_seg

IMPORTS = {
    'import isda_seg.attach': 'isda_seg.attach.attach',
    'from isda_seg import attach': 'attach',
    'import isda_seg': 'isda_seg.attach',
    'import isda_seg.attach as module': 'module.attach',
    'from isda_seg.attach import attach as function': 'function',
    'from isda_seg import *': 'attach',
    'import isda_seg.losses': 'isda_seg.attach',
}
USE = '''
from torch import nn
from isda_seg import ISDACriterion, detach
for call in ({calls}):
    loss, classifier = ISDACriterion(), nn.Linear(4, 3)
    call(loss, classifier)
    assert loss.attached and len(classifier._forward_pre_hooks) == 1
    detach(loss, classifier)
print(loss.attached, len(classifier._forward_pre_hooks))
'''


def attached_by(imports):
    """What a new process prints after attaching by the name that each of the imports gives, and detaching."""
    code = '\n'.join(imports) + USE.format(calls=''.join(f'{IMPORTS[line]}, ' for line in imports))
    done = subprocess.run([sys.executable, '-c', code], cwd=tiny.ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@exhaustive('imports', list(itertools.permutations(list(IMPORTS)[:5], 2)))
def test_attach_is_callable_in_every_import_order(imports):
    assert attached_by(imports) == 'False 0\n'


@pytest.mark.parametrize('line', list(IMPORTS)[5:])
def test_attach_is_callable_after_star_and_losses_imports(line):
    assert attached_by([line]) == 'False 0\n'


def test_exports_are_the_objects_of_their_modules():
    module = import_module('isda_seg.attach')
    assert isda_seg.ISDACriterion is import_module('isda_seg.criterion').ISDACriterion
    assert isda_seg.detach is module.detach and isda_seg.attach is module
    assert list(inspect.signature(module).parameters) == list(inspect.signature(module.attach).parameters)
    assert set(isda_seg.__all__) <= set(dir(isda_seg))


def test_importing_the_package_loads_neither_torch_nor_mmengine():
    loaded = tiny.loaded_by('import isda_seg')
    assert ('isda_seg' in loaded, 'torch' in loaded, tiny.of_openmmlab(loaded)) == (True, False, [])


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'isda_seg' has no attribute 'Criterion'"):
        isda_seg.Criterion  # noqa: B018
