"""Names of models in figures and tables."""
from collections.abc import Sequence
from pathlib import Path


def names_of(configs: Sequence[str], checkpoints: Sequence[str]) -> list[str]:
    """Of models: those of their configs, and where these are alike that of the checkpoint too."""
    stems = [Path(config).stem for config in configs]
    return [stem if stems.count(stem) == 1 else f'{stem} ({"/".join(Path(checkpoint).with_suffix("").parts[-2:])})'
            for stem, checkpoint in zip(stems, checkpoints, strict=True)]
