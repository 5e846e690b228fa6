"""Content of the results of tools/test.py, and errors before it starts."""
import copy

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
    options.pop('change', lambda cfg: None)(cfg)
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


@pytest.mark.parametrize('kind', [{}, dict(type='Evaluator')])
def test_a_config_of_the_evaluator_gives_the_same_results(run, tmp_path, kind):
    result = result_of(run, tmp_path, protocols=('single',), taus=(1,), change=lambda cfg: setattr(
        cfg, 'test_evaluator', dict(metrics=[cfg.test_evaluator], **kind)))
    assert result['protocols'] == result_of(run, tmp_path, protocols=('single',), taus=(1,))['protocols']


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


def test_each_protocol_is_kept_as_soon_as_it_is_done(run, tmp_path, monkeypatch):
    from isda_seg.segmentation import evaluation
    kept, runners = [], iter([evaluation.runner_from, lambda cfg, quiet: 1 / 0])
    monkeypatch.setattr(evaluation, 'runner_from', lambda cfg, quiet: next(runners)(cfg, quiet))
    with pytest.raises(ZeroDivisionError):
        result_of(run, tmp_path, protocols=('single', 'ms'), keep=lambda result: kept.append(list(result['protocols'])))
    assert kept == [['single']]


def test_likelihood_can_be_turned_off(run, tmp_path):
    result = result_of(run, tmp_path, protocols=('single',), change=lambda cfg: cfg.update(likelihood=False), taus=(1,))
    single = result['protocols']['single']
    assert set(single) == {'mIoU', 'aAcc', 'mAcc', 'IoU', 'precision', 'recall', 'logit_adjustment', 'mean_AP', 'AP'}
    assert 'nll' not in single['logit_adjustment']['1']


def sigmoid(cfg):
    cfg.model.decode_head.update(num_classes=2, out_channels=1, threshold=0.3,
                                 loss_decode=dict(type='CrossEntropyLoss', use_sigmoid=True))
    cfg.test_dataloader.dataset.metainfo = dict(classes=('sky', 'building'))


@pytest.fixture(scope='module')
def two_classes(tmp_path_factory):
    """A config whose labels are 0, 1 and void, and a checkpoint of one sigmoid output."""
    folder = tmp_path_factory.mktemp('sigmoid')
    plain = tiny.write_configs(folder, train=1, val=1)[0]
    for path in (folder / 'camvid').glob('*annot/*.png'):
        labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        labels[(labels > 1) & (labels < 11)] = 1
        cv2.imwrite(str(path), labels)
    cfg = load_config(str(plain), work_dir=str(folder))
    sigmoid(cfg)
    from mmseg.registry import MODELS
    torch.save(MODELS.build(cfg.model).state_dict(), folder / 'weights.pth')
    return plain, folder / 'weights.pth'


def test_a_sigmoid_head_has_miou_and_no_likelihood(two_classes, tmp_path):
    config, checkpoint = two_classes
    cfg = load_config(str(config), work_dir=str(tmp_path))
    sigmoid(cfg)
    single = evaluate(cfg, str(config), str(checkpoint), ('single',))['protocols']['single']
    assert 'mIoU' in single and 'nll' not in single
    with pytest.raises(ValueError, match='--logit-adjustment needs a softmax over the classes, but the decode'):
        evaluate(cfg, str(config), str(checkpoint), ('single',), taus=(1,))


def test_a_metric_that_ignores_another_label_than_the_head_is_an_error(run, tmp_path):
    with pytest.raises(ValueError, match='Set test_evaluator.ignore_index=11'):
        result_of(run, tmp_path, change=lambda cfg: cfg.test_evaluator.pop('ignore_index'))


def test_views_of_one_size_are_an_error_before_the_first_protocol(run, tmp_path, monkeypatch):
    monkeypatch.setattr('isda_seg.segmentation.evaluation.runner_from', lambda cfg, quiet: 1 / 0)
    step = dict(type='ResizeToMultiple', size_divisor=96)
    with pytest.raises(ValueError, match='protocol ms needs views of several sizes, but all .* are 96 x 96'):
        result_of(run, tmp_path, protocols=('single', 'ms'),
                  change=lambda cfg: cfg.test_dataloader.dataset.pipeline.insert(2, step))


def test_an_evaluated_crop_without_its_labels_is_an_error(run, tmp_path):
    crop = dict(type='mmcv.CenterCrop', crop_size=(32, 32))
    with pytest.raises(ValueError, match='CenterCrop .test_dataloader.dataset.pipeline.2. comes before LoadAnnot'):
        result_of(run, tmp_path, protocols=('single',),
                  change=lambda cfg: cfg.test_dataloader.dataset.pipeline.insert(2, crop))


def test_two_scales_of_one_size_are_an_error(run, tmp_path):
    step = dict(type='ResizeToMultiple', size_divisor=32)
    with pytest.raises(ValueError, match='image are 64 x 64 or 96 x 64 or 96 x 96, for 4 scales. In '):
        result_of(run, tmp_path, protocols=('ms',),
                  change=lambda cfg: cfg.test_dataloader.dataset.pipeline.insert(2, step))


def test_views_of_every_concatenated_dataset_are_checked(run, tmp_path):
    def concatenated(cfg):
        other = copy.deepcopy(cfg.test_dataloader.dataset)
        other.pipeline.insert(2, dict(type='ResizeToMultiple', size_divisor=96))
        cfg.test_dataloader.dataset = dict(type='ConcatDataset', datasets=[cfg.test_dataloader.dataset, other])

    with pytest.raises(ValueError, match='all views of the first test image are 96 x 96'):
        result_of(run, tmp_path, protocols=('ms',), change=concatenated)


def labels_first(cfg):
    steps = cfg.test_dataloader.dataset.pipeline
    steps[1], steps[2] = steps[2], dict(steps[1], scale=(32, 24))


def test_label_maps_that_the_pipeline_resizes_are_an_error_with_a_remedy(run, tmp_path):
    with pytest.raises(ValueError, match='val/0.png is 32 x 24 after test_dataloader.dataset.pipeline, but '
                                         'predictions have the size of the image file, 64 x 48. Put LoadAnnot'):
        result_of(run, tmp_path, protocols=('single',), change=labels_first)
    assert 'mIoU' in result_of(run, tmp_path, protocols=('ms',), change=labels_first)['protocols']['ms']


def test_label_maps_of_each_protocol_have_their_own_folder(run, tmp_path):
    result_of(run, tmp_path, protocols=('single', 'ms'), taus=(5,), change=lambda cfg: cfg.test_evaluator.update(
        output_dir=str(tmp_path / 'maps')))
    found = {path.relative_to(tmp_path / 'maps').parts for path in (tmp_path / 'maps').rglob('*.png')}
    assert found == {(protocol, f'{image}.png') for protocol in ('single', 'ms') for image in range(3)}
