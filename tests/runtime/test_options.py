"""--cfg-options are parsed as in MMEngine, except that a dict is an error."""
import argparse

import pytest

from isda_seg.runtime.options import OptionsAction


def parsed(*options):
    parser = argparse.ArgumentParser()
    parser.add_argument('--cfg-options', nargs='+', action=OptionsAction)
    return parser.parse_args(['--cfg-options', *options]).cfg_options


def test_numbers_strings_and_lists_are_parsed():
    assert parsed('a.b=1', 'c=[1,2]', 'd=text', 'e=(0.5,x)') == {'a.b': 1, 'c': [1, 2], 'd': 'text', 'e': (0.5, 'x')}


@pytest.mark.parametrize('text', ['model_{}.pth', '{}.pth', 'best{x}'])
def test_text_with_a_placeholder_is_a_value(text):
    assert parsed(f'a={text}', f'b=[c,{text}]') == {'a': text, 'b': ['c', text]}


@pytest.mark.parametrize('text', ["a={'b': {'c': 1}, 'd': 2}", 'a=dict(b=dict(c=1))', "a=[{'b': 1}, {'c': 2}]",
                                  'a={}', 'a=[b,{c:1}]'])
def test_dict_value_is_an_error_that_suggests_nested_keys(text, capsys):
    with pytest.raises(SystemExit):
        parsed(text)
    assert '--cfg-options a: dicts are not supported as values. Set its keys one by one: a.a=1 a.b=2' in \
        capsys.readouterr().err


def test_argument_without_equals_sign_is_an_error(capsys):
    with pytest.raises(SystemExit):
        parsed('model.loss')
    assert "--cfg-options takes KEY=VALUE, got 'model.loss'" in capsys.readouterr().err
