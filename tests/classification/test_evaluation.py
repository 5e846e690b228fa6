"""tools/test.py --logit-adjustment of an image classifier: metrics at each tau from one pass."""
import json

import pytest
import torch
import torch.nn.functional as F
from helpers import tiny, tiny_images
from mmengine.registry import DATASETS, MODELS

from isda_seg.classification import ImageClassifier
from isda_seg.classification.evaluation import evaluate, summary
from isda_seg.runtime.launch import load_config
from isda_seg.runtime.weights import export_plain

pytestmark = tiny.on_cpu

CONFIGS = tiny.ROOT / 'configs' / 'miniature'
ISDA, PLAIN = CONFIGS / 'resnet8_isda_cifar10-lt10.py', CONFIGS / 'resnet8_cifar10-lt10.py'
COUNTS = [20, 15, 11, 9, 7, 5, 4, 3, 2, 2]
TAUS = (0.5, 2.0)


def change(cfg):
    tiny_images.shrink(cfg, train=None, batch=13, epochs=2)
    cfg.train_dataloader.dataset.n_max = 20
    cfg.param_scheduler = None  # its warm-up alone takes five epochs
    cfg.test_dataloader.dataset.indices = 33  # three classes have an image more than the others
    cfg.optim_wrapper.optimizer.lr = 0.01
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=2)


@pytest.fixture(scope='module')
def work(tmp_path_factory):
    """A folder with an ISDA checkpoint, epoch_2.pth, and the same weights without statistics, plain.pth."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp('evaluation')
        tiny_images.write_cifar(folder, per_batch=40)
        patch.setenv('ISDA_SEG_DATA', str(folder))
        tiny.train(ISDA, folder, change=change)
        export_plain(folder / 'epoch_2.pth', folder / 'plain.pth')
        yield folder


def config_of(path, tmp_path):
    cfg = load_config(str(path), work_dir=str(tmp_path))
    change(cfg)
    return cfg


def result_of(work, tmp_path, path=ISDA, checkpoint='epoch_2.pth', **options):
    return evaluate(config_of(path, tmp_path), str(path), str(work / checkpoint), **options)


def by_hand(work, tmp_path, tau):
    """Top-1 error, error over classes, and negative log-likelihood of logits minus tau * log prior."""
    cfg = config_of(PLAIN, tmp_path)
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    model.load_state_dict(torch.load(work / 'plain.pth', weights_only=False)['state_dict'])
    items = list(DATASETS.build(cfg.test_dataloader.dataset))
    data = model.data_preprocessor(dict(inputs=torch.stack([item['inputs'] for item in items]),
                                        labels=torch.tensor([item['labels'] for item in items])))
    with torch.no_grad():
        logits = model.eval()(data['inputs'])
    logits = logits - tau * (torch.tensor(COUNTS) / sum(COUNTS)).log()
    wrong = (logits.argmax(dim=1) != data['labels']).float()
    over_classes = torch.stack([wrong[data['labels'] == label].mean() for label in range(10)]).mean()
    return dict(top1_error=100 * float(wrong.mean()), mean_class_error=100 * float(over_classes),
                nll=float(F.cross_entropy(logits, data['labels'])))


def test_metrics_at_each_tau_are_those_of_the_adjusted_logits(work, tmp_path):
    single = result_of(work, tmp_path, taus=TAUS)['protocols']['single']
    assert list(single['logit_adjustment']) == ['0.5', '2']
    for tau, found in ((0.0, single), *((tau, single['logit_adjustment'][f'{tau:g}']) for tau in TAUS)):
        expected = by_hand(work, tmp_path, tau)
        assert {key: found[key] for key in expected} == pytest.approx(expected, abs=2e-4)
        assert found['top1_accuracy'] == pytest.approx(100 - found['top1_error'], abs=1e-4)
        assert 0 <= found['ece'] <= 100
    assert len({single['nll'], *(entry['nll'] for entry in single['logit_adjustment'].values())}) == 3


def test_prior_from_training_labels_gives_the_same_metrics(work, tmp_path):
    isda = result_of(work, tmp_path, taus=TAUS)['protocols']
    assert result_of(work, tmp_path, PLAIN, 'plain.pth', taus=TAUS)['protocols'] == isda


def test_all_taus_need_one_pass_and_do_not_change_plain_metrics(work, tmp_path, monkeypatch):
    calls, forward = [], ImageClassifier.forward
    monkeypatch.setattr(ImageClassifier, 'forward', lambda self, *args, **kwargs: (
        calls.append(kwargs.get('mode')), forward(self, *args, **kwargs))[1])
    plain = result_of(work, tmp_path)['protocols']['single']
    once = len(calls)
    adjusted = result_of(work, tmp_path, taus=TAUS)['protocols']['single']
    assert (once, len(calls)) == (1, 2)
    assert {key: value for key, value in adjusted.items() if key != 'logit_adjustment'} == plain
    assert list(plain) == ['top1_accuracy', 'top1_error', 'mean_class_error', 'nll', 'ece']


def test_the_tool_writes_and_prints_a_row_for_each_tau(work, tmp_path, monkeypatch, capsys):
    tiny.run_tool(monkeypatch, 'test.py', ISDA, work / 'epoch_2.pth', '--work-dir', tmp_path, '--logit-adjustment', 0.5,
                  2, '--out', tmp_path / 'results.json', '--cfg-options', 'train_dataloader.dataset.n_max=20',
                  'test_dataloader.dataset.indices=33')
    printed = capsys.readouterr().out
    result = json.loads((tmp_path / 'results.json').read_text())
    single = result_of(work, tmp_path, taus=TAUS)['protocols']['single']
    assert result['protocols']['single'] == single
    cells = [[cell.strip() for cell in line.split('|')] for line in printed.splitlines()[-4:]]
    rows = [single, single['logit_adjustment']['0.5'], single['logit_adjustment']['2']]
    assert cells[0] == ['', 'top1_accuracy', 'top1_error', 'mean_class_error', 'nll', 'ece']
    assert [row[0] for row in cells[1:]] == [ISDA.stem, 'tau = 0.5', 'tau = 2']
    assert [row[1:] for row in cells[1:]] == [[f'{row[key]:.2f}' for key in cells[0][1:]] for row in rows]


@MODELS.register_module()
class BinaryLoss(torch.nn.Module):
    """Binary cross-entropy of every class."""

    def forward(self, logits, labels):
        return F.binary_cross_entropy_with_logits(logits, F.one_hot(labels, logits.shape[1]).float())


def test_a_loss_without_softmax_has_no_likelihood(work, tmp_path):
    cfg = config_of(PLAIN, tmp_path)
    cfg.model.loss = dict(type='BinaryLoss')
    single = evaluate(cfg, str(PLAIN), str(work / 'plain.pth'))['protocols']['single']
    assert list(single) == ['top1_accuracy', 'top1_error', 'mean_class_error']


def test_missing_metric_at_tau_is_shown_as_a_dash():
    single = dict(top1_error=20.0, top1_error_last10=21.5, logit_adjustment={'0.5': dict(top1_error=19.0)})
    assert summary(dict(protocols=dict(single=single)), 'net').splitlines() == [
        '          | top1_error | top1_error_last10', 'net       |      20.00 |             21.50',
        'tau = 0.5 |      19.00 |                 -']
