"""Logit adjustment of segmentation: metrics of tools/test.py --logit-adjustment, and the class prior."""
import json

import pytest
import torch
from helpers import tiny

from isda_seg.core.prior import log_prior
from isda_seg.runtime.checkpoint import check_checkpoint
from isda_seg.runtime.launch import load_config
from isda_seg.runtime.logit_adjustment import class_log_prior
from isda_seg.segmentation import ClassIoUMetric, LoadCheckedAnnotations
from isda_seg.segmentation.class_prior import count_labels
from isda_seg.segmentation.evaluation import evaluate, summary

pytestmark = tiny.on_cpu


@pytest.fixture(scope='module')
def pair(tmp_path_factory):
    """The plain config and a checkpoint for it, the ISDA config and its checkpoint: the same weights."""
    return tiny.trained_pair(tmp_path_factory.mktemp('adjusted'))


def config(path, work_dir):
    return load_config(str(path), work_dir=str(work_dir))


def result_of(path, checkpoint, work_dir, **options):
    return evaluate(config(path, work_dir), str(path), str(checkpoint), **options)


def pixels(cfg):
    """The labelled pixels of each class in the training files, by reading them one by one."""
    from mmseg.registry import DATASETS
    dataset = DATASETS.build(dict(cfg.train_dataloader.dataset, pipeline=[]))
    load = LoadCheckedAnnotations(num_classes=11, ignore_index=11)
    count = torch.zeros(11, dtype=torch.int64)
    for entry in map(dataset.get_data_info, range(len(dataset))):
        labels = load({**entry, 'ori_shape': (48, 64)})['gt_seg_map']
        count += torch.tensor([(labels == c).sum() for c in range(11)])
    return count


def test_labels_are_counted_once_and_kept_in_the_work_directory(pair, tmp_path):
    cfg = config(pair[0], tmp_path)
    expected = pixels(cfg)
    assert torch.equal(count_labels(cfg), expected)
    kept, = tmp_path.glob('class_counts_*.json')
    assert json.loads(kept.read_text()) == dict(count=expected.tolist(), images=6)
    kept.write_text(json.dumps(dict(count=[5] * 11)))
    assert count_labels(cfg).tolist() == [5] * 11


def test_counts_of_other_images_are_not_reused(pair, tmp_path):
    count_labels(config(pair[0], tmp_path))
    other = config(pair[0], tmp_path)
    other.train_dataloader.dataset.indices = [0, 1]
    assert torch.equal(count_labels(other), pixels(other))
    assert len(list(tmp_path.glob('class_counts_*.json'))) == 2


def test_prior_of_an_isda_checkpoint_comes_from_its_statistics(pair, tmp_path):
    state = check_checkpoint(pair[3])['state_dict']
    prior = class_log_prior(state, 'decode_head', lambda: count_labels(config(pair[2], tmp_path)))
    assert torch.equal(prior, log_prior(state['decode_head.loss_decode.statistics.count']))
    assert list(tmp_path.glob('class_counts_*')) == []


def test_prior_of_a_plain_checkpoint_comes_from_the_training_labels(pair, tmp_path):
    cfg = config(pair[0], tmp_path)
    prior = class_log_prior(check_checkpoint(pair[1])['state_dict'], 'decode_head', lambda: count_labels(cfg))
    assert torch.equal(prior, log_prior(pixels(cfg)))


def test_config_without_training_labels_is_an_error_with_a_remedy(pair, tmp_path):
    cfg = config(pair[0], tmp_path)
    cfg.train_dataloader.dataset.pipeline = []
    with pytest.raises(ValueError, match='whose pipeline has LoadAnnotations. Test a checkpoint trained with ISDA, or'):
        count_labels(cfg)


def test_several_tau_of_one_pass_equal_predictions_adjusted_by_hand(pair, tmp_path, monkeypatch):
    seen = []
    process = ClassIoUMetric.process

    def recorded(self, data_batch, data_samples):
        if self.adjustment is None:
            seen.extend((sample['seg_logits']['data'], sample['gt_sem_seg']['data'][0]) for sample in data_samples)
        process(self, data_batch, data_samples)

    monkeypatch.setattr(ClassIoUMetric, 'process', recorded)
    result = result_of(*pair[:2], tmp_path, protocols=('single',), taus=(0.5, 2.0))['protocols']['single']
    assert len(seen) == 3  # of the images, each predicted once
    prior = log_prior(pixels(config(pair[0], tmp_path)))
    for tau, found in ((0.0, result), *((tau, result['logit_adjustment'][f'{tau:g}']) for tau in (0.5, 2.0))):
        confusion = torch.zeros(11, 11)
        nll = []
        for logits, labels in seen:
            adjusted = logits - tau * prior[:, None, None]
            kept = labels < 11
            confusion.index_put_((labels[kept], adjusted.argmax(0)[kept]), torch.tensor(1.0), accumulate=True)
            nll.append(-adjusted.log_softmax(0)[:, kept].gather(0, labels[kept][None].long()))
        union = confusion.sum(0) + confusion.sum(1) - confusion.diag()
        assert found['mIoU'] == pytest.approx(100 * float((confusion.diag() / union).nanmean()), abs=1e-3)
        assert found['nll'] == pytest.approx(float(torch.cat(nll, 1).mean()), abs=1e-3)
    assert set(result['logit_adjustment']['2']) == {'mIoU', 'aAcc', 'mAcc', 'IoU', 'precision', 'recall', 'nll', 'ece'}
    assert result['mean_AP'] == pytest.approx(
        sum(seen := [value for value in result['AP'].values() if value is not None]) / len(seen), abs=1e-3)


def test_results_without_tau_have_no_further_keys(pair, tmp_path):
    result = result_of(*pair[:2], tmp_path, protocols=('single',))['protocols']['single']
    assert set(result) == {'mIoU', 'aAcc', 'mAcc', 'IoU', 'precision', 'recall', 'nll', 'ece'}


def test_averaged_views_are_adjusted_by_the_log_of_their_mean_probability(pair, tmp_path):
    plain = result_of(*pair[:2], tmp_path / 'a', protocols=('ms-flip',))['protocols']['ms-flip']
    result = result_of(*pair[:2], tmp_path / 'b', protocols=('ms-flip',), taus=(0, 1e-9, 3))
    found = result['protocols']['ms-flip']
    assert found['mIoU'] == plain['mIoU'] == found['logit_adjustment']['0']['mIoU']
    assert found['logit_adjustment']['1e-09']['IoU'] == plain['IoU']
    assert found['logit_adjustment']['3']['IoU'] != plain['IoU']
    assert summary(result, 'tiny').splitlines()[-1].split(' | ')[1] == f'{found["logit_adjustment"]["3"]["mIoU"]:8.2f}'


def test_unsupported_tta_model_is_an_error_that_names_it(pair, tmp_path):
    cfg = config(pair[0], tmp_path)
    cfg.tta_model = dict(type='MyTTAModel')
    with pytest.raises(ValueError, match='needs the tta_model SegTTAModel, but the config has MyTTAModel'):
        evaluate(cfg, str(pair[0]), str(pair[1]), ('ms',), taus=(0.5,))
