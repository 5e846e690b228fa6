"""Building a wrapped dataset, which must not have a pipeline."""
from typing import Any

from mmengine.registry import DATASETS


def inner_dataset(dataset: Any, outer: str) -> Any:
    """Build a wrapped dataset from its config, or return the given object.

    Args:
        dataset: config or object, without a pipeline.
        outer: name of the wrapper, for the error message.

    Raises:
        ValueError: the dataset has a pipeline, which would never run.
    """
    built = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
    if getattr(getattr(built, 'pipeline', None), 'transforms', None):
        raise ValueError(f'the {type(built).__name__} inside a {outer} has a pipeline, which would never run. Move it '
                         f'to the {outer}')
    return built
