"""The dataset inside another one, whose pipeline is the only one that runs."""
from typing import Any

from mmengine.registry import DATASETS


def inner_dataset(dataset: Any, outer: str) -> Any:
    """Built from its config, or as it is.

    Args:
        dataset: config or object, without a pipeline.
        outer: what it is put into, for the message.

    Raises:
        ValueError: it has a pipeline, which would never run.
    """
    built = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
    if getattr(getattr(built, 'pipeline', None), 'transforms', None):
        raise ValueError(f'the {type(built).__name__} inside a {outer} has a pipeline of its own, which would never run'
                         f': move it to the {outer}')
    return built
