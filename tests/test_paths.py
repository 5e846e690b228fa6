"""README's diff runs in a folder whose name is long and has spaces and letters beyond ASCII."""
import json
import os
import subprocess
import sys

import pytest
import torch
from helpers import tiny
from helpers.documents import blocks

pytestmark = tiny.on_cpu

ODD = f"Daten für Straßen, 街 {'long' * 40}"


@pytest.mark.exhaustive
def test_readmes_diff_runs_in_a_folder_with_an_odd_name(tmp_path):
    folder = tmp_path / ODD
    plain, _ = tiny.write_configs(folder, val=1)
    plain.rename(folder / 'my_config.py')
    (diff,) = [block.code for block in blocks() if block.document == 'README.md' and block.kind == 'config']
    config, work = folder / 'config é.py', folder / 'the run'
    config.write_text(diff, encoding='utf-8')
    environment = dict(os.environ, MPLCONFIGDIR=str(folder))

    def tool(name, *words):
        done = subprocess.run([sys.executable, str(tiny.ROOT / 'tools' / name), *map(str, words)], cwd=folder,
                              env=environment, capture_output=True, text=True, encoding='utf-8')
        assert done.returncode == 0, done.stderr

    tool('train.py', config, '--work-dir', work, '--cfg-options', 'train_cfg.max_iters=2')
    tool('train.py', config, '--work-dir', work, '--resume', '--cfg-options', 'train_cfg.max_iters=4')
    tool('test.py', config, work / 'iter_4.pth', '--out', folder / 'ergebnis é.json', '--show-dir', folder / 'gezeigt')
    tool('export_model.py', work / 'iter_4.pth', '--out', folder / 'plain é.pth')
    result = json.loads((folder / 'ergebnis é.json').read_text(encoding='utf-8'))
    assert result['protocols']['single']['mIoU'] > 0
    assert len(list((folder / 'gezeigt').rglob('*.png'))) == 1
    exported = torch.load(folder / 'plain é.pth', weights_only=False)
    assert not [key for key in exported.get('state_dict', exported) if 'statistics' in key]
    saved = torch.load(work / 'iter_4.pth', weights_only=False)['state_dict']
    assert saved['decode_head.loss_decode.statistics.count'].sum() > 0
