"""A dataset inside another one is built, and refused where it has a pipeline of its own."""
from types import SimpleNamespace

import pytest
from mmengine.dataset import Compose

from isda_seg.classification.data.digits import DigitsDataset
from isda_seg.classification.data.inner_dataset import inner_dataset


def test_an_object_stays_and_a_config_is_built():
    own = SimpleNamespace(pipeline=Compose([]))
    assert inner_dataset(own, 'Outer') is own
    assert type(inner_dataset(dict(type='DigitsDataset', split='train', lazy_init=True), 'Outer')) is DigitsDataset


def test_a_pipeline_that_would_never_run_is_refused_by_name():
    with pytest.raises(ValueError, match='the SimpleNamespace inside a Outer has a pipeline .* move it to the Outer'):
        inner_dataset(SimpleNamespace(pipeline=Compose([lambda item: item])), 'Outer')
