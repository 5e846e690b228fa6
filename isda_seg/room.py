"""Which room of the package a config belongs to: what checks its data and evaluates it, and in which protocols."""
from mmengine.config import Config

CLASSIFICATION, SEGMENTATION, DETECTION = 'classification', 'segmentation', 'detection'
CLASSIFIERS = ('ImageClassifier', 'SemiClassifier')  # models whose data are checked and evaluated alike
SCOPES = {'mmseg': SEGMENTATION, 'mmdet': DETECTION}


def room_of(cfg: Config) -> str | None:
    """The room of a config; None for a model that is neither ours nor MMSegmentation's nor MMDetection's."""
    if cfg.get('model', {}).get('type') in CLASSIFIERS:
        return CLASSIFICATION
    return SCOPES.get(cfg.get('default_scope'))


def all_protocols(cfg: Config) -> tuple[str, ...]:
    """What tools/test.py can evaluate a config's checkpoints in."""
    return ('single',) if room_of(cfg) in (CLASSIFICATION, DETECTION) else ('single', 'ms', 'ms-flip')
