"""Head, metric and padding must ignore the same label."""
import pytest
from mmengine.config import Config
from mmseg.models import PSPHead
from mmseg.registry import MODELS

import isda_seg.segmentation  # noqa: F401  (registers the metrics)
from isda_seg.segmentation.ignored_labels import check_ignored


def config(head=None, metric=None, model=None, steps=()):
    head = dict(dict(num_classes=11, ignore_index=11), **(head or {}))
    return Config(dict(model=dict(decode_head=head, **(model or {})), train_dataloader=dict(dataset=dict(
        pipeline=list(steps))), val_evaluator=[metric or dict(type='IoUMetric', ignore_index=11)]))


def test_one_ignored_label_everywhere_passes():
    steps = [dict(type='RandomRotate', prob=0.5, degree=9, seg_pad_val=11), dict(type='Pad', pad_val=dict(seg=11))]
    cfg = config(steps=steps, model=dict(auxiliary_head=[dict(num_classes=11, ignore_index=11), dict(num_classes=2)],
                                         data_preprocessor=dict(type='SegDataPreProcessor', seg_pad_val=11)))
    assert [check_ignored(cfg, split) for split in ('train', 'val', 'test')] == [None, None, None]


@pytest.mark.parametrize('metric', [
    dict(type='IoUMetric'), dict(type='ClassIoUMetric', iou_metrics=['mIoU']), dict(type='IoUMetric', ignore_index=0)])
def test_a_metric_that_ignores_another_label_is_an_error_with_the_option(metric):
    own = metric.get('ignore_index', 255)
    with pytest.raises(ValueError, match=f'in val_evaluator.0 ignores label {own}, but the decode head ignores label '
                                         '11: .*Set val_evaluator.0.ignore_index=11$'):
        check_ignored(config(metric=metric), 'val')
    assert check_ignored(config(metric=dict(metric, format_only=True)), 'val') is None


@pytest.mark.parametrize('own', [None, [11, 0]])
def test_an_ignored_label_that_is_not_a_number_is_an_error(own):
    with pytest.raises(ValueError, match='IoUMetric in val_evaluator.0 ignores label .*Set val_evaluator.0.ignore_ind'):
        check_ignored(config(metric=dict(type='IoUMetric', ignore_index=own)), 'val')
    with pytest.raises(ValueError, match='model.decode_head.ignore_index must be an integer, got .*such as 255$'):
        check_ignored(config(head=dict(ignore_index=own)), 'val')


@MODELS.register_module()
class ElevenHead(PSPHead):
    """A head whose class ignores label 11."""

    def __init__(self, ignore_index=11, **kwargs):
        super().__init__(ignore_index=ignore_index, **kwargs)


def test_the_default_of_the_class_of_a_head_is_its_ignored_label():
    cfg = config(model=dict(auxiliary_head=dict(type='ElevenHead', num_classes=11)))
    cfg.model.decode_head = dict(type='ElevenHead', num_classes=11)
    assert [check_ignored(cfg, split) for split in ('train', 'val')] == [None, None]
    cfg.val_evaluator[0].ignore_index = 255
    with pytest.raises(ValueError, match='ignores label 255, but the decode head ignores label 11'):
        check_ignored(cfg, 'val')


def test_another_head_that_ignores_another_label_is_an_error():
    with pytest.raises(ValueError, match=r'model.auxiliary_head ignores label 255, .*Set model.auxiliary_head.ignore_'):
        check_ignored(config(model=dict(auxiliary_head=dict(num_classes=11))), 'train')


@pytest.mark.parametrize('step, key', [
    (dict(type='RandomRotate', prob=0.5, degree=9), 'seg_pad_val'), (dict(type='RandomMosaic', prob=1), 'seg_pad_val'),
    (dict(type='Pad', size=(9, 9)), 'pad_val.seg'), (dict(type='Pad', size=(9, 9), pad_val={}), 'pad_val.seg'),
    (dict(type='RandomCutOut', prob=1, seg_fill_in=99), 'seg_fill_in')])
def test_padding_neither_with_a_class_nor_ignored_is_an_error(step, key):
    with pytest.raises(ValueError, match=rf'by train_dataloader.dataset.pipeline.0.{key}.*neither one of the 11 '
                                         rf'classes nor label 11, .*Set train_dataloader.dataset.pipeline.0.{key}=11$'):
        check_ignored(config(steps=[step]), 'train')


def test_the_padding_of_a_crop_is_checked_and_its_remedy_works():
    cfg = config(steps=[dict(type='CenterCrop', crop_size=(9, 9), auto_pad=True)])
    with pytest.raises(ValueError, match=r'label 255 by .*0.pad_cfg.pad_val.seg \(its default\), which') as error:
        check_ignored(cfg, 'train')
    cfg.merge_from_dict(dict(option.split('=') for option in str(error.value).partition('. Set ')[2].split()))
    assert check_ignored(cfg, 'train') is None
    assert cfg.train_dataloader.dataset.pipeline[0].pad_cfg == dict(type='Pad', pad_val=dict(seg='11'))


def test_a_cutout_with_a_label_beyond_255_is_an_error():
    step = dict(type='RandomCutOut', prob=1, seg_fill_in=65535)
    with pytest.raises(ValueError, match='0.seg_fill_in is 65535, but RandomCutOut only fills in labels 0..255. Set .*'
                                         'seg_fill_in=None'):
        check_ignored(config(head=dict(num_classes=300, ignore_index=65535), steps=[step]), 'train')


def test_a_number_as_padding_is_replaced_by_a_dict():
    steps = [dict(type='Pad', size=(9, 9), pad_val=0)]
    with pytest.raises(ValueError, match=r'pipeline.0.pad_val=dict\(img=0, seg=11\) in the config file$'):
        check_ignored(config(steps=steps), 'train')
    steps[0]['pad_val'] = dict(img=0, seg=11)
    assert check_ignored(config(steps=steps), 'train') is None


def test_padding_of_the_preprocessor_is_checked():
    model = dict(data_preprocessor=dict(type='SegDataPreProcessor'))
    with pytest.raises(ValueError, match='Set model.data_preprocessor.seg_pad_val=11'):
        check_ignored(config(model=model), 'train')


def test_the_default_255_is_an_error_where_it_is_a_class():
    with pytest.raises(ValueError, match='300 classes and ignores label 255, .*Set model.decode_head.ignore_index'):
        check_ignored(Config(dict(model=dict(decode_head=dict(num_classes=300)))), 'train')
    with pytest.raises(ValueError, match='label 255 by .*its default.*, which is one of the 300 classes. Set '):
        check_ignored(config(head=dict(num_classes=300, ignore_index=65535),
                             steps=[dict(type='RandomRotate', prob=1, degree=9)]), 'train')


def test_padding_with_a_class_on_purpose_is_a_warning(caplog, monkeypatch):
    said = []
    monkeypatch.setattr('isda_seg.segmentation.ignored_labels.print_log', lambda text, *_: said.append(text))
    check_ignored(config(steps=[dict(type='Pad', size=(9, 9), pad_val=dict(seg=0))]), 'train')
    assert len(said) == 1 and 'get label 0 by train_dataloader.dataset.pipeline.0.pad_val.seg' in said[0]


def test_a_rotation_that_mixes_labels_is_a_warning(monkeypatch):
    said = []
    monkeypatch.setattr('isda_seg.segmentation.ignored_labels.print_log', lambda text, *_: said.append(text))
    check_ignored(config(steps=[dict(type='RandomRotFlip'), dict(type='RandomRotFlip', rotate_prob=0)]), 'train')
    (text,) = said
    step = 'train_dataloader.dataset.pipeline.0'
    assert text == (f'{step}: RandomRotFlip interpolates between the labels of neighbours, which gives other classes, '
                    f'and fills new pixels with label 0. Set {step}.rotate_prob to 0 and rotate with RandomRotate and '
                    'seg_pad_val=11')
