"""Full precision inside, the user's own settings afterwards, whichever way they were made."""
import subprocess
import sys
from pathlib import Path

import pytest

CODE = '''
import torch
from isda_seg.core.precision import BACKENDS, full_precision
{setting}
def now():
    return [backend.fp32_precision for backend in BACKENDS]
before = now()
try:
    with full_precision('cpu'):
        inside = now()
        1 / 0
except ZeroDivisionError:
    pass
print(inside == ['ieee'] * len(BACKENDS), now() == before, {question})
'''


@pytest.mark.parametrize('setting, question', [
    ('', "torch.get_float32_matmul_precision() == 'highest'"),
    ("torch.set_float32_matmul_precision('medium')", "torch.get_float32_matmul_precision() == 'medium'"),
    ('torch.backends.cuda.matmul.allow_tf32 = True', 'torch.backends.cuda.matmul.allow_tf32'),
    ("torch.backends.cuda.matmul.fp32_precision = 'tf32'", "torch.backends.cuda.matmul.fp32_precision == 'tf32'"),
])
def test_any_way_to_lower_the_precision_is_overruled_and_restored(setting, question):
    code = CODE.format(setting=setting, question=question)
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.stdout.split() == ['True', 'True', 'True'], done.stderr
