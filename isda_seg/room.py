"""Which room of the package a config belongs to: what checks its data and evaluates it, and in which protocols."""
from mmengine.config import Config

CLASSIFICATION, SEGMENTATION = 'classification', 'segmentation'


def room_of(cfg: Config) -> str | None:
    """'classification', 'segmentation', or None for a model that is neither ours nor MMSegmentation's."""
    if cfg.get('model', {}).get('type') == 'ImageClassifier':
        return CLASSIFICATION
    return SEGMENTATION if cfg.get('default_scope') == 'mmseg' else None


def all_protocols(cfg: Config) -> tuple[str, ...]:
    """What tools/test.py can evaluate a config's checkpoints in."""
    return ('single',) if room_of(cfg) == CLASSIFICATION else ('single', 'ms', 'ms-flip')
