"""Trained models that an analysis compares, from the paths on the command line."""
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class TrainedModel(NamedTuple):
    """Files and display name of a trained model."""
    name: str        # config name, with the checkpoint if two models have the same one
    config: str      # path of the config
    checkpoint: str  # path of the checkpoint


def trained_models(paths: Sequence[str], analysis: str) -> list[TrainedModel]:
    """Return the models of the paths CONFIG CHECKPOINT [CONFIG CHECKPOINT].

    Raises:
        ValueError: other than two or four paths.
    """
    if len(paths) not in (2, 4):
        raise ValueError(f'{analysis} takes CONFIG CHECKPOINT of one or two models, got {len(paths)} paths')
    configs, checkpoints = paths[::2], paths[1::2]
    stems = [Path(config).stem for config in configs]
    names = [stem if stems.count(stem) == 1 else f'{stem} ({"/".join(Path(checkpoint).with_suffix("").parts[-2:])})'
             for stem, checkpoint in zip(stems, checkpoints, strict=True)]
    return [TrainedModel(*fields) for fields in zip(names, configs, checkpoints, strict=True)]
