"""README's diff on MMSegmentation's model families."""

import copy
import functools
import sysconfig
from pathlib import Path

import pytest
import torch
from helpers import families
from helpers.documents import blocks
from mmengine.config import Config
from torch.testing import assert_close

from isda_seg import compat
from isda_seg.core.ops.torch_versions import release
from isda_seg.paper.coverage import zoo

FAMILIES = sorted(families.one_of_each())
ABSENT = {'mask2former', 'maskformer', 'vpd'}  # need packages that are not installed
OPERATORS = {'ccnet': ('cc_head', 'CrissCrossAttention'), 'point_rend': ('point_head', 'point_sample'),
             'psanet': ('psa_head', 'PSAMask'), 'san': ('san_head', 'point_sample')}  # of mmcv, compiled
NOT_WRAPPED = {'fastscnn': 'DepthwiseSeparableFCNHead', 'san': 'SideAdapterCLIPHead',
         'segmenter': 'SegmenterMaskTransformerHead'}
HOOK = dict(type='isda_seg.hooks.ISDAHook', lambda_0=7.5)


@functools.cache
def model_of(family):
    return Config.fromfile(families.one_of_each()[family], import_custom_modules=False).model


def needing_operators(family):
    """The family as a parameter, marked where its models are built from compiled operators."""
    return pytest.param(family, marks=pytest.mark.ops) if family in OPERATORS else family


def structure(node):
    """What tells the heads of two families apart, but numbers."""
    if isinstance(node, dict):
        return {key: structure(value) for key, value in node.items() if key in ('type', 'loss_decode', 'sampler')}
    return [structure(child) for child in node] if isinstance(node, (list, tuple)) else node


def key(family):
    return str([structure(model_of(family).get(name)) for name in ('decode_head', 'auxiliary_head')])


@functools.cache
def firsts():
    """The first family of those with the same heads, by these."""
    return {key(family): family for family in reversed(FAMILIES)}


def test_tested_diff_equals_the_diff_in_the_readme():
    (readme,) = [block.code for block in blocks() if (block.document, block.kind) == ('README.md', 'config')]
    lines = readme.splitlines()
    assert len(lines) <= 6
    assert lines[1:] == zoo.DIFF.splitlines()


@functools.cache
def stepped(first):
    """A step of the plain heads, one with ISDA at strength 0, and what the losses saw in one at a strength."""
    plain = families.build(families.narrow(model_of(first)))
    zero, isda = copy.deepcopy(plain), copy.deepcopy(plain)
    without = families.step(zero, 0.0, families.start(zero, HOOK)[0])
    pairs, _ = families.start(isda, HOOK)
    witnesses = [families.Witness(pair) for pair in pairs]
    families.step(isda, families.STRENGTH, pairs)
    return families.step(plain), without, witnesses


@pytest.mark.parametrize('family', [
    needing_operators(family) for family in FAMILIES if family not in ABSENT | NOT_WRAPPED.keys()])
def test_each_family_matches_the_baseline_at_strength_0_and_eq_7_above(family):
    if family == 'dnlnet' and release(torch.__version__) == (2, 1):
        pytest.skip('torch 2.1 cannot train DNLNet without ISDA either')
    (losses, gradients), (zero, zero_gradients), witnesses = stepped(firsts()[key(family)])
    assert sorted(zero) == sorted(losses)
    assert all(torch.equal(zero[name], value) for name, value in losses.items())
    assert sorted(zero_gradients) == sorted(gradients)
    assert all(torch.equal(zero_gradients[name], value) for name, value in gradients.items())
    for witness in witnesses:
        assert int(witness.loss.statistics.count.sum()) == int((witness.labels() != families.IGNORE).sum())
        assert_close(witness.value, witness.expected(families.STRENGTH), rtol=2e-4, atol=1e-6)


@pytest.mark.parametrize('family', [needing_operators(family) for family in NOT_WRAPPED])
def test_family_without_a_softmax_classifier_has_nothing_to_wrap(family):
    verdict = zoo.build_and_wrap(families.one_of_each()[family])
    assert verdict.kind == zoo.NOT_WRAPPED
    assert verdict.messages[0].startswith(f'ISDAHook found no loss to wrap. decode_head ({NOT_WRAPPED[family]}): ')


@pytest.mark.family('onedl')  # compat reports those of the other family
@pytest.mark.parametrize('family', OPERATORS)
def test_missing_operator_is_named_with_a_remedy(family, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f'No module named {name!r}')

    module, operator = OPERATORS[family]
    monkeypatch.setattr(f'mmseg.models.decode_heads.{module}.{operator}', None)
    monkeypatch.setattr(compat, 'import_module', missing)
    assert zoo.build_and_wrap(families.one_of_each()[family]) == (zoo.NOT_BUILT, [
        f"ImportError: {operator} needs mmcv with compiled operators; `make setup-detection` builds them "
        "(No module named 'mmcv._ext')"])


def test_config_that_cannot_be_built_has_a_message():
    verdict = zoo.build_and_wrap(Path('nowhere/nothing.py'))
    assert (verdict.kind, len(verdict.messages)) == (zoo.NOT_BUILT, 1)


def test_an_error_is_one_line_without_the_folder_of_packages():
    installed = Path(sysconfig.get_path('purelib')) / 'mmdet' / 'a.py'
    assert zoo.first_line(OSError(f'no {installed},   really\nmore')) == f'OSError: no {Path("mmdet/a.py")}, really'
    assert zoo.first_line(KeyError()) == 'KeyError: '


def test_summary_counts_configs_and_keeps_messages():
    verdicts = {'a/x.py': zoo.Verdict(zoo.WRAPPED, ['ISDA: one', 'ISDA: two is not wrapped: why']),
                **{name: zoo.Verdict(zoo.NOT_WRAPPED, ['nothing']) for name in ('a/y.py', 'b/z.py')}}
    found = zoo.summary(verdicts)
    assert found['counts'] == dict(zip(zoo.VERDICTS, (1, 2, 0, 0, 0), strict=True))
    assert found['families'] == {'a': {zoo.WRAPPED: 1, zoo.NOT_WRAPPED: 1}, 'b': {zoo.NOT_WRAPPED: 1}}
    assert [(entry['message'], entry['configurations']) for entry in found['messages']] == [
        ('nothing', ['a/y.py', 'b/z.py']), ('ISDA: two is not wrapped: why', ['a/x.py'])]
    assert '3 configurations in 2 families: wrapped 1, not wrapped 2' in zoo.report(found)
