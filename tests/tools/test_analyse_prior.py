"""tools/analyse.py prior on a short run with training images held out, and on its plain weights.

Its bias is shifted by SHIFT * log prior, so that tau = SHIFT gives the predictions of the trained model."""
import contextlib
import io
import json
from types import SimpleNamespace

import cv2
import pytest
import torch
from helpers import tiny
from mmengine.config import Config

from isda_seg.core.prior import log_prior
from isda_seg.paper.series.run_options import hold_out
from isda_seg.runtime.launch import load_config
from isda_seg.runtime.weights import export_plain

pytestmark = [tiny.on_cpu, pytest.mark.exhaustive]

SHIFT, TAUS = 0.6, (0.2, 0.6, 1.0)


def run(name, *arguments):
    """What a tool prints."""
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(io.StringIO()) as printed:
        tiny.run_tool(patch, name, *arguments)
    return printed.getvalue()


def by_the_test_tool(folder, config, checkpoint):
    """What tools/test.py --logit-adjustment measures, by tau."""
    run('test.py', config, checkpoint, '--work-dir', folder / 'work', '--logit-adjustment', *TAUS, '--out',
        folder / 'tested.json')
    found = json.loads((folder / 'tested.json').read_text())['protocols']['single']
    return {'0': found, **found.pop('logit_adjustment')}


@pytest.fixture(scope='module')
def looked(tmp_path_factory):
    """The plain weights and the ISDA checkpoint of a run as the sweep starts it, analysed with the original configs."""
    folder = tmp_path_factory.mktemp('prior')
    plain, isda = tiny.write_configs(folder, train=8)
    hold_out(load_config(str(isda), work_dir=str(folder / 'run')), 0.25).dump(folder / 'held.py')
    tiny.train(folder / 'held.py', folder / 'run', {'train_cfg.max_iters': 30})
    trained = torch.load(folder / 'run' / 'iter_30.pth', weights_only=False)
    count = trained['state_dict']['decode_head.loss_decode.statistics.count']
    trained['state_dict']['decode_head.conv_seg.bias'] += SHIFT * log_prior(count)
    torch.save(trained, folder / 'isda.pth')
    export_plain(folder / 'isda.pth', folder / 'plain.pth')
    models = plain, folder / 'plain.pth', isda, folder / 'isda.pth'
    printed = run('analyse.py', 'prior', *models, '--work-dir', folder / 'work', '--logit-adjustment', *TAUS,
                  '--out', folder / 'out')
    return SimpleNamespace(folder=folder, models=models, printed=printed,
                           found=json.loads((folder / 'out' / 'prior.json').read_text()))


@pytest.mark.parametrize('number', [0, 1], ids=['plain', 'isda'])
def test_the_curve_equals_the_values_of_the_test_tool(looked, number):
    model, measured = looked.found['models'][number], by_the_test_tool(
        looked.folder, *looked.models[2 * number:][:2])
    assert (model['AP'], model['mean_AP']) == (measured['0'].pop('AP'), measured['0'].pop('mean_AP'))
    assert model['curve'] == measured
    assert len({values['mIoU'] for values in measured.values()}) > 1


def test_tau_is_the_argmax_of_miou_on_the_held_out_images(looked):
    measured = by_the_test_tool(looked.folder, looked.folder / 'held.py', looked.models[3])  # its test images are those
    miou = {tau: values['mIoU'] for tau, values in measured.items()}
    model = looked.found['models'][1]
    assert model['chosen_on'] == dict(images=2, drawn=False, mIoU=miou)
    best = max(miou, key=miou.get)
    assert f'{model["tau"]:g}' == best and len(set(miou.values())) > 1
    assert f'  tau {best} has the highest mIoU on 2 held-out training images\n' in looked.printed


def test_the_result_records_its_arguments_and_provenance(looked):
    found = looked.found
    assert (found['kind'], found['split'], found['taus'], found['held_out']) == ('prior', 'test', [0, *TAUS], 0.25)
    assert [(model['name'], model['images']) for model in found['models']] == [('tiny_1xb2', 3), ('tiny_isda_1xb2', 3)]
    assert found['models'][1]['training'][0]['seed'] == 0
    assert {'command', 'commit', 'hardware', 'versions'} <= set(found)
    assert cv2.imread(str(looked.folder / 'out' / 'prior.png')).shape[1] > 1000


def test_equal_weights_have_equal_average_precision_in_the_table(looked):
    mean = looked.printed.splitlines()[-2].split()
    precision = f'{looked.found["models"][0]["mean_AP"]:.1f}'
    assert mean[:4] == ['mean', precision, precision, '+0.0']


def test_choosing_tau_on_the_test_images_is_a_warning(looked):
    printed = run('analyse.py', 'prior', looked.folder / 'held.py', looked.models[3], '--work-dir',
                  looked.folder / 'work', '--logit-adjustment', *TAUS)
    assert printed.count('warning: the measures below include images used to select tau') == 1
    model = json.loads((looked.folder / 'work' / 'prior' / 'prior.json').read_text())['models'][0]
    assert {tau: values['mIoU'] for tau, values in model['curve'].items()} == model['chosen_on']['mIoU']


def test_without_held_out_images_only_the_curve_is_drawn(looked, tmp_path):
    trained = torch.load(looked.models[3], weights_only=False)
    trained['meta']['cfg'] = Config.fromfile(looked.models[2]).pretty_text  # as if trained on all images
    torch.save(trained, tmp_path / 'all.pth')
    printed = run('analyse.py', 'prior', looked.models[2], tmp_path / 'all.pth', '--work-dir', tmp_path / 'work',
                  '--split', 'train')
    assert ('  tau is not selected: the checkpoint was trained on all of the last 25 % of the training images\n  To '
            'select tau, analyse a checkpoint trained with held-out images') in printed
    found = json.loads((tmp_path / 'work' / 'prior' / 'prior.json').read_text())
    model = found['models'][0]
    assert (found['split'], model['images'], model['tau'], model['chosen_on']) == ('train', 8, None, None)
    assert list(model['curve']) == ['0', *(f'0.{number}' for number in range(1, 10)), '1']
    assert printed.splitlines()[-14].split() == ['class', 'AP', 'IoU,', 'tau', '0']


def test_a_single_tau_is_used_as_given(looked, tmp_path):
    printed = run('analyse.py', 'prior', *looked.models[2:], '--work-dir', tmp_path, '--logit-adjustment', SHIFT)
    model = json.loads((tmp_path / 'prior' / 'prior.json').read_text())['models'][0]
    assert (model['tau'], model['chosen_on'], list(model['curve'])) == (SHIFT, None, ['0', f'{SHIFT}'])
    assert model['curve'] == {tau: looked.found['models'][1]['curve'][tau] for tau in model['curve']}
    assert printed.splitlines()[-14].endswith(f'AP  IoU, tau 0  IoU, tau {SHIFT}')


@pytest.mark.parametrize('options, message', [
    (('--logit-adjustment', '0.5', '-1'), '--logit-adjustment must be a finite number >= 0, got -1.0'),
    (('--logit-adjustment', '0'), '--logit-adjustment needs at least one value above 0'),
    (('--held-out', '1'), '--held-out must be between 0 and 1, got 1'),
    (('--cfg-options', 'test_evaluator.format_only=True'), 'no IoUMetric for --split test')])
def test_invalid_arguments_are_errors_before_any_computation(options, message, looked, tmp_path):
    with pytest.raises(ValueError, match=message):
        run('analyse.py', 'prior', *looked.models[:2], '--work-dir', tmp_path, *options)
    assert list(tmp_path.rglob('*.log')) == []


def test_a_config_without_a_checkpoint_is_an_error(looked):
    with pytest.raises(ValueError, match='prior takes CONFIG CHECKPOINT .* got 3 paths'):
        run('analyse.py', 'prior', *looked.models[:3])


def test_an_image_classifier_is_an_error(looked, tmp_path):
    classifier = tiny.ROOT / 'configs/classification/cifar10/resnet32_cifar10.py'
    with pytest.raises(ValueError, match='prior needs a segmentation config, and .*resnet32_cifar10.py is not one'):
        run('analyse.py', 'prior', classifier, looked.models[1], '--work-dir', tmp_path)
