"""Content of the results of tools/test.py, and errors before it starts."""
import cv2
import pytest
import torch
from helpers import tiny

from isda_seg.runtime.launch import load_config
from isda_seg.segmentation.evaluation import evaluate, summary

pytestmark = tiny.on_cpu


@pytest.fixture(scope='module')
def run(tmp_path_factory):
    """A trained tiny ISDA config: its path and its work directory."""
    folder = tmp_path_factory.mktemp('evaluation')
    isda = tiny.write_configs(folder)[1]
    tiny.train(isda, folder / 'work')
    return isda, folder / 'work'


def result_of(run, tmp_path, **options):
    config, work = run
    cfg = load_config(str(config), work_dir=str(tmp_path))
    if options.pop('as_list', False):
        cfg.test_evaluator = [cfg.test_evaluator]
    return evaluate(cfg, str(config), str(work / 'iter_6.pth'), **options)


def test_results_contain_protocols_classes_and_training_runs(run, tmp_path):
    result = result_of(run, tmp_path, protocols=('single', 'ms-flip'), show_dir=str(tmp_path / 'pictures'), show_most=1)
    assert list(result['protocols']) == ['single', 'ms-flip']
    iou = result['protocols']['single']['IoU']
    seen = [value for value in iou.values() if value is not None]
    assert len(iou) == 11
    assert result['protocols']['single']['mIoU'] == pytest.approx(sum(seen) / len(seen), abs=1e-3)
    assert [entry['seed'] for entry in result['training']] == [0]
    assert len(list((tmp_path / 'pictures').glob('*.png'))) == 1
    miou = f'{result["protocols"]["ms-flip"]["mIoU"]:.2f}'
    assert summary(result, 'tiny').splitlines()[1].split(' | ')[2].strip() == miou


def test_list_of_evaluators_is_supported(run, tmp_path):
    one = result_of(run, tmp_path, protocols=('single',))
    assert result_of(run, tmp_path, protocols=('single',), as_list=True)['protocols'] == one['protocols']


def test_weights_without_the_decode_head_are_an_error(run, tmp_path):
    torch.save({'conv1.weight': torch.zeros(3)}, tmp_path / 'backbone.pth')
    cfg = load_config(str(run[0]), work_dir=str(tmp_path))
    with pytest.raises(ValueError, match='backbone.pth holds no weights of decode_head'):
        evaluate(cfg, str(run[0]), str(tmp_path / 'backbone.pth'))


def test_images_without_labels_are_predicted_and_drawn(run, tmp_path):
    config, work = run
    cfg = load_config(str(config), work_dir=str(tmp_path))
    cfg.test_dataloader.dataset.data_prefix = dict(img_path='val')
    cfg.test_dataloader.dataset.pipeline = [step for step in cfg.test_dataloader.dataset.pipeline
                                            if step.type != 'LoadAnnotations']
    cfg.test_evaluator = dict(type='IoUMetric', format_only=True, output_dir=str(tmp_path / 'maps'))
    result = evaluate(cfg, str(config), str(work / 'iter_6.pth'), ('single',), str(tmp_path / 'pictures'), 1)
    assert summary(result).startswith('the test images have no labels')
    maps = {path.name: cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape for path in (tmp_path / 'maps').iterdir()}
    assert maps == {f'{i}.png': (48, 64) for i in range(3)}
    pictures = [cv2.imread(str(path)).shape[1] for path in (tmp_path / 'pictures').iterdir()]
    assert pictures == [2 * 64]
