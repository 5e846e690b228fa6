"""tools/benchmarks/kernels.py: what the compiler reports without a GPU."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.triton
@pytest.mark.exhaustive
def test_kernels_have_no_spills_or_float_atomics_and_eight_launches(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != 'TRITON_INTERPRET'}
    subprocess.run([sys.executable, '-W', 'ignore', 'tools/benchmarks/kernels.py', '--targets', 'sm_90', '--rounds',
                    '1', '--out', tmp_path / 'kernels.json'], cwd=ROOT, env=dict(environment, PYTHONPATH=str(ROOT)),
                   check=True)
    found = json.loads((tmp_path / 'kernels.json').read_text())
    assert len(found['kernels']) >= 17 * 8
    assert [row for row in found['kernels'] if row['spilled'] or row['float_atomics'] or row['registers'] > 128] == []
    launches = {name: count['kernels'] for name, count in found['launches'].items()}
    assert launches == {'Cityscapes': 8, 'ADE20K': 8, 'ImageNet': 8, 'CIFAR full': 10, 'few channels': 8,
                        'class weights': 8, 'focal': 8, 'weighted focal': 8,
                        'other base loss': 13}
