"""A wrapped dataset is built, and must not have a pipeline."""
from types import SimpleNamespace

import pytest
from mmengine.dataset import Compose

from isda_seg.classification.data.digits import DigitsDataset
from isda_seg.semi.wrapped_dataset import inner_dataset


def test_object_is_returned_and_config_is_built():
    own = SimpleNamespace(pipeline=Compose([]))
    assert inner_dataset(own, 'Outer') is own
    assert type(inner_dataset(dict(type='DigitsDataset', split='train', lazy_init=True), 'Outer')) is DigitsDataset


def test_pipeline_of_the_inner_dataset_is_an_error():
    with pytest.raises(ValueError, match='the SimpleNamespace inside a Outer has a pipeline.* Move it to the Outer'):
        inner_dataset(SimpleNamespace(pipeline=Compose([lambda item: item])), 'Outer')
