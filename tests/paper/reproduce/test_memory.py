"""The lower bound of the memory of a training step, counted by hand and against MMSegmentation's measurements."""
from pathlib import Path
from types import SimpleNamespace

import mmseg
import pytest
import torch
import yaml
from helpers import tiny
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import MODELS

from isda_seg import compat
from isda_seg.paper.reproduce import checks
from isda_seg.paper.reproduce.catalogue import catalogue
from isda_seg.paper.reproduce.memory import image_size, step_bytes
from isda_seg.paper.reproduce.plan import make_plan

CITYSCAPES = tiny.ROOT / 'configs' / 'cityscapes'


@MODELS.register_module()
class CountedNet(BaseModel):
    """A 1 x 1 convolution saves its input, a ReLU its output."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 5, 1, bias=False)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        return self.conv(inputs).relu()


def test_bytes_of_a_counted_network():
    crop = dict(type='RandomCrop', crop_size=(4, 6))
    cfg = Config(dict(model=dict(type='CountedNet'),
                      train_dataloader=dict(batch_size=2, dataset=dict(pipeline=[crop]))))
    assert step_bytes(cfg) == 4 * (3 * 3 * 5 + 2 * 4 * 6 * (3 + 5))


@pytest.mark.parametrize(('steps', 'size'), [
    ([dict(type='Resize', scale=(1333, 800)), dict(type='RandomFlip')], (800, 1333)),
    ([dict(type='Resize', scale=(1333, 800)), dict(type='RandomReflectCrop', size=32, padding=4)], (32, 32)),
    ([dict(type='RandomResize', scale=(2049, 1025)), dict(type='RandomCrop', crop_size=(769, 513))], (769, 513))])
def test_images_have_the_size_of_the_last_crop(steps, size):
    assert image_size(Config(dict(train_dataloader=dict(dataset=dict(pipeline=steps))))) == size


@pytest.mark.parametrize('name', ['pspnet', 'deeplabv3'])
def test_bound_is_close_to_the_memory_that_mmsegmentation_reports(name):
    stem = f'{name}_r101-d8_4xb2-40k_cityscapes-769x769'
    listed = yaml.safe_load(Path(mmseg.__path__[0], '.mim', 'configs', name, 'metafile.yaml').read_text())['Models']
    reported, = (each['Metadata']['Memory (GB)'] for each in listed
                 if each['Name'] == stem)
    bound = step_bytes(compat.read_config(str(CITYSCAPES / f'{stem}.py'))) / 2 ** 30
    assert 0.8 * reported < bound < reported


def test_gpu_that_is_too_small_for_a_step_is_reported(tmp_path, monkeypatch):
    table = catalogue()['table2']
    plan = make_plan('table2', table._replace(rows=table.rows[:1]), tmp_path, tiny.ROOT, (0,))
    needed = step_bytes(plan.runs[0].run.cfg)
    monkeypatch.setattr(checks.torch.cuda, 'is_available', lambda: True)
    found = {}
    for available in (needed, needed - 1):
        monkeypatch.setattr(checks.torch.cuda, 'get_device_properties',
                            lambda number, total=available: SimpleNamespace(total_memory=total))
        found[available] = checks.check_gpus(plan, ['0'])
    finding, = found[needed - 1]
    assert found[needed] == [] and not finding.missing
    assert finding.text == ('GPU memory: a step of resnet32_cifar10 needs at least 0.3 GiB in float32, the GPU has '
                            '0.3 GiB')
