"""Names of models in figures and tables."""
from collections.abc import Sequence
from pathlib import Path


def names_of(configs: Sequence[str], checkpoints: Sequence[str]) -> list[str]:
    """Return the config names of models, with the checkpoint if names are ambiguous."""
    stems = [Path(config).stem for config in configs]
    return [stem if stems.count(stem) == 1 else f'{stem} ({"/".join(Path(checkpoint).with_suffix("").parts[-2:])})'
            for stem, checkpoint in zip(stems, checkpoints, strict=True)]
