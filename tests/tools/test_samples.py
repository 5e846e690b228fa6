"""tools/benchmarks/samples.py times explicit samples for an image classifier."""
import json

import pytest
from helpers import tiny

CONFIGS = tiny.ROOT / 'configs'


@tiny.on_cpu
def test_every_number_of_samples_is_timed(monkeypatch, capsys, tmp_path):
    out = tmp_path / 'samples.json'
    tiny.run_tool(monkeypatch, 'benchmarks/samples.py', '--samples', '1', '2', '--rounds', '1', '--batch', '4',
                  '--size', '16', '--out', out)
    rows = [line.split('|')[1].strip() for line in capsys.readouterr().out.splitlines() if line.startswith('|')]
    found = json.loads(out.read_text())
    assert rows[2:] == list(found['extra_time']) == ['closed form', '1', '2']
    assert found['config'] == 'resnet8_isda_cifar10-1k.py'  # no folder of this machine
    assert (found['covariance'], found['batch'], len(found['samples']['plain'])) == ('full', 4, 1)


def test_segmentation_config_is_rejected(monkeypatch, tmp_path):
    config = CONFIGS / 'demo' / 'pspnet_r18-small-d8_isda_1xb8-400_streets-192x128.py'
    with pytest.raises(ValueError, match='is not an image classification config. Use a config of configs/miniature'):
        tiny.run_tool(monkeypatch, 'benchmarks/samples.py', config, '--out', tmp_path / 'samples.json')


def test_zero_samples_are_rejected(monkeypatch):
    with pytest.raises(ValueError, match='--samples must be at least 1, got 0'):
        tiny.run_tool(monkeypatch, 'benchmarks/samples.py', '--samples', '1', '0')
