"""The table of models of other libraries has the tested settings, or the reason why a model is not supported."""
import json

from docs.torch_models import table
from isda_seg.paper.result_tables import NOT_RUN


def entry(**changes):
    return dict(library='smp', model='Net', classifier='head.0.conv', kernel=[1, 1], align_corners=True, logits=[8, 8],
                positions=[8, 8], labels=[8, 8], value_error=1e-7, gradient_error=3e-6, supported=True) | changes


def lines(tmp_path, *entries):
    path = tmp_path / 'torch_models.json'
    run = dict(models=entries, library={'smp': '1.2'}, date='2026-11-26T10:00', commit='c')
    path.write_text(json.dumps({'smp': run}))
    return table(path).splitlines()


def test_each_row_names_the_layer_and_the_required_settings(tmp_path):
    found = lines(tmp_path, entry(), entry(positions=[4, 4]), entry(labels=[16, 16], kernel=[3, 3]))
    assert found[2:5] == ['| smp 1.2 | Net | `model.head[0].conv` |  |',
                          '| smp 1.2 | Net | `model.head[0].conv` | `align_corners=True` |',
                          '| smp 1.2 | Net | `model.head[0].conv` | upsample its logits, 3x3 convolution |']
    assert found[-1].startswith('3 of 3 models are supported') and 'is 3e-06 (2026-11-26, commit c).' in found[-1]


def test_an_unsupported_model_has_a_reason(tmp_path):
    found = lines(tmp_path, entry(), dict(library='smp', model='Other', supported=False, reason='it has groups'))
    assert found[3] == '| smp 1.2 | Other | not supported | it has groups |'
    assert found[-1].startswith('1 of 2 models are supported')


def test_without_a_run_there_is_no_table(tmp_path):
    assert table(tmp_path / 'none.json') == NOT_RUN
