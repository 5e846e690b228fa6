"""The demo's whole path, at toy size."""
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.exhaustive
def test_the_demo_trains_evaluates_and_writes_its_figures(tmp_path):
    environment = dict(os.environ, PYTHONPATH=str(ROOT), ISDA_SEG_DATA=str(tmp_path / 'data'))
    command = [sys.executable, str(ROOT / 'tools' / 'demo.py'), '--work-dir', 'run', '--streets', '8', '2',
               '--cfg-options', 'train_cfg.max_iters=4', 'train_cfg.val_interval=2', 'train_dataloader.batch_size=2',
               'default_hooks.logger.interval=1']
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert 'mIoU (%)      |   single |       ms |  ms-flip\nPSPNet + ISDA |' in done.stdout
    assert 'after 2 iterations' in done.stdout and 'after 4;' in done.stdout
    results = json.loads((tmp_path / 'run' / 'results.json').read_text())
    assert list(results['protocols']) == ['single', 'ms', 'ms-flip']
    assert {len(run['IoU']) for run in results['protocols'].values()} == {19}
    assert [(run['seed'], run['commit']) for run in results['training']] == [(0, results['commit'])]
    assert len(list((tmp_path / 'run' / 'pictures').glob('demo/*.png'))) == 2
    curves = cv2.imread(str(tmp_path / 'run' / 'curves.png'))
    assert curves.shape[1] > 2 * curves.shape[0] and curves.min() < 100 < curves.max()
