"""A config with classes instead of strings trains, is saved and is evaluated equally."""
import re

import pytest
from helpers import tiny

from isda_seg.runtime.amp import enable_amp
from isda_seg.runtime.checkpoint import AtomicCheckpointHook
from isda_seg.runtime.launch import load_config
from isda_seg.segmentation.evaluation import evaluate
from isda_seg.segmentation.loading import LoadCheckedAnnotations, LoadCheckedImage

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]

IMPORTS = '''from mmcv.transforms import LoadImageFromFile, RandomFlip, RandomResize, Resize
from mmengine.dataset import DefaultSampler, InfiniteSampler
from mmengine.hooks import CheckpointHook, DistSamplerSeedHook, IterTimerHook, LoggerHook, ParamSchedulerHook
from mmengine.optim import OptimWrapper, PolyLR
from mmengine.runner import IterBasedTrainLoop, TestLoop, ValLoop
from mmengine.visualization import LocalVisBackend
from mmseg.datasets.transforms import LoadAnnotations, PackSegInputs, PhotoMetricDistortion, RandomCrop
from mmseg.evaluation import IoUMetric
from mmseg.models import (CrossEntropyLoss, EncoderDecoder, FCNHead, PSPHead, ResNetV1c, SegDataPreProcessor)
from mmseg.visualization import SegLocalVisualizer
from torch.optim import SGD

from isda_seg.segmentation import CamVidDataset
'''


@pytest.fixture(scope='module')
def configs(tmp_path_factory):
    """The tiny config, and the same with classes; both say that the scope is MMSegmentation's, as MMEngine needs it."""
    folder = tmp_path_factory.mktemp('configs')
    named = tiny.write_configs(folder)[0]
    text = re.sub(r'custom_imports = .*\n', '', named.read_text())
    text = re.sub(r"type='(?!BN)(\w+)'", r'type=\1', text)
    assert "type='BN'" in text and text.count("type='") == 1
    classes = folder / 'classes_1xb2.py'
    classes.write_text(IMPORTS + text)
    return named, classes


def test_python_config_trains_and_saves_as_its_string_twin(configs, tmp_path):
    (named, steps), (classes, own) = (tiny.train(config, tmp_path / config.stem) for config in configs)
    assert own == steps
    assert sum(isinstance(hook, AtomicCheckpointHook) for hook in classes.hooks) == 1
    transforms = classes.train_dataloader.dataset.pipeline.transforms
    assert [type(transform) for transform in transforms[:2]] == [LoadCheckedImage, LoadCheckedAnnotations]


def test_python_config_supports_mixed_precision(configs, tmp_path):
    cfg = load_config(str(configs[1]), work_dir=str(tmp_path))
    enable_amp(cfg)
    assert cfg.optim_wrapper.type == 'BFloat16OptimWrapper'


def test_python_config_has_the_metrics_of_its_string_twin(configs, tmp_path):
    tiny.train(configs[0], tmp_path / 'work')
    found = [evaluate(load_config(str(config), work_dir=str(tmp_path / config.stem)), str(config),
                      str(tmp_path / 'work' / 'iter_6.pth'), ('single', 'ms-flip'))['protocols'] for config in configs]
    assert found[0] == found[1]
    assert len(found[1]['single']['IoU']) == 11
