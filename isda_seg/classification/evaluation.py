"""Error and accuracy of a checkpoint, as one value."""
import copy
from typing import Any

from mmengine.config import Config

from isda_seg.classification.data.data_check import check_data
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.last_evaluations import with_last_mean
from isda_seg.runtime.run_record import as_test, result
from isda_seg.runtime.screen import runner_from

PROTOCOL = 'single'


def evaluate(cfg: Config, config: str, checkpoint: str, protocols: tuple[str, ...] = (PROTOCOL,),
             show_dir: str | None = None, show_most: int | None = None) -> dict[str, Any]:
    """Test a checkpoint.

    Args:
        cfg: as ``load_config`` returns it; config, checkpoint: their paths.
        protocols, show_dir, show_most: of segmentation; here there are no others than the default.

    Returns:
        {"protocols": {"single": {"top1_error", "top1_accuracy", ...}}, ...} as ``result`` completes it, in per cent.
        Where the test data are those that training validated on, ``top1_error_last10`` is the mean over the last 10
        epochs up to this checkpoint.

    Raises:
        ValueError, FileNotFoundError: another protocol, pictures asked for, a missing or truncated checkpoint or one
            of another model, missing data.
    """
    if tuple(protocols) != (PROTOCOL,):
        raise ValueError(f'an image classifier is tested in one protocol, {PROTOCOL}, got {list(protocols)}')
    if show_dir is not None or show_most is not None:
        raise ValueError('--show-dir and --show-most draw segmentations; an image classifier has no pictures to show')
    loaded = check_checkpoint(checkpoint, module='fc')
    check_data(cfg, ('test',))
    run = copy.deepcopy(cfg)
    evaluators = run.test_evaluator if isinstance(run.test_evaluator, list) else [run.test_evaluator]
    run.test_evaluator = [*evaluators, dict(type='LikelihoodMetric')]
    as_test(run, config, checkpoint, PROTOCOL)
    metrics = runner_from(run).test()
    if cfg.test_dataloader.dataset == cfg.get('val_dataloader', {}).get('dataset'):
        metrics = with_last_mean(metrics, loaded.get('meta', {}))
    found = {PROTOCOL: {name: round(float(value), 4) for name, value in metrics.items()}}
    return result(cfg, config, checkpoint, loaded, found)


def summary(results: dict[str, Any], name: str = '') -> str:
    """One row: every metric, in per cent."""
    metrics = results['protocols'][PROTOCOL]
    columns = [(key, f'{value:.2f}'.rjust(len(key))) for key, value in metrics.items()]
    return '\n'.join((' | '.join([''.ljust(len(name)), *(key for key, _ in columns)]),
                      ' | '.join([name, *(value for _, value in columns)])))
