"""Known keys are accepted, new or not; unknown keys are errors."""
import pytest
from mmengine.config import Config

from isda_seg.runtime.config_keys import check_names, check_options


@pytest.fixture
def cfg():
    return Config(dict(
        model=dict(type='ImageClassifier', loss=dict(type='ISDALoss', lambda_0=0.5)), train_pipeline=[],
        train_dataloader=dict(dataset=dict(pipeline=[dict(type='Cutout', length=16)])), param_scheduler=[dict(gamma=1)],
        default_hooks=dict(isda=dict(type='ISDAHook')), load_from=None))


@pytest.mark.parametrize('option', [
    'model.loss.covariance', 'model.loss.lambda_0', 'model.eta_1', 'default_hooks.isda.ramp', 'param_scheduler.0.gamma',
    'train_dataloader.dataset.num_labels', 'train_dataloader.dataset.pipeline.0.length', 'load_from', 'model',
    'randomness.deterministic', 'env_cfg.dist_cfg.backend', 'find_unused_parameters', 'sync_bn'])
def test_known_key_is_accepted_even_if_the_config_lacks_it(cfg, option):
    before = cfg.to_dict()
    assert check_options(cfg, [option]) is None
    assert cfg.to_dict() == before


@pytest.mark.parametrize(('option', 'message'), [
    ('modle.loss.covariance', r'unknown option modle.loss.covariance: did you mean model\?'),
    ('model.los.covariance', r'unknown option model.los.covariance: .*model has no los; did you mean loss\?'),
    ('default_hooks.swa.ramp', r'default_hooks has no swa; the known keys are isda'),
    ('train_dataloader.dataset.pipeline.0.inner.length', r'train_dataloader.dataset.pipeline.0 has no inner'),
    ('lambda_0', 'unknown option lambda_0: the known keys are .*model'),
    ('train_pipeline', 'the option train_pipeline has no effect: .*Set the keys that received its value')])
def test_unknown_option_is_an_error_with_a_suggestion(cfg, option, message):
    with pytest.raises(ValueError, match=message):
        check_options(cfg, ['model.eta_1', option])


def test_errors_in_lists_and_values_are_left_to_mmengine(cfg):
    for option, error in (('param_scheduler.3.gamma', KeyError), ('model.type.inner', TypeError)):
        assert check_options(cfg, [option]) is None
        with pytest.raises(error, match='3|type'):
            cfg.merge_from_dict({option: 1})


@pytest.mark.parametrize('key, meant', [
    ('default_hook', 'default_hooks'), ('visualiser', 'visualizer'), ('param_schedulers', 'param_scheduler'),
    ('vis_backend', 'vis_backends'), ('train_config', 'train_cfg')])
def test_misspelt_key_of_a_config_file_is_an_error_with_a_suggestion(tmp_path, key, meant):
    path = tmp_path / 'config.py'
    path.write_text(f'{key} = dict(a=1)\n')
    with pytest.raises(ValueError, match=f'unknown key {key} in {path}: did you mean {meant}?'):
        check_names(Config.fromfile(path))


@pytest.mark.parametrize('text', ["models = [dict(type='A')]\nmodel = models[0]\n", 'crop_size = (4, 4)\n'])
def test_variable_of_a_config_file_is_not_a_misspelt_key(tmp_path, text):
    path = tmp_path / 'config.py'
    path.write_text(text)
    assert check_names(Config.fromfile(path)) is None
