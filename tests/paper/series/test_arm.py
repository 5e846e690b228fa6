"""Parsing of arms, and their unique labels and folders."""
import pytest

from isda_seg.paper.series.arm import LONGEST, Arm, parse_arm, parse_arms

KIND, RAMP = 'model.loss.covariance=diagonal', 'default_hooks.isda.ramp=constant'


def test_arm_without_options_is_named_after_its_config():
    arm = parse_arm('configs/room/net_isda_data.py')
    assert arm == Arm('configs/room/net_isda_data.py', ())
    assert (arm.label, arm.folder, arm.settings) == ('net_isda_data', 'net_isda_data', {})


def test_label_and_folder_contain_the_options_as_written():
    arm = parse_arm(f'configs/room/net.py {KIND}  {RAMP}')
    assert arm == Arm('configs/room/net.py', (KIND, RAMP))
    assert arm.label == f'net {KIND} {RAMP}'
    assert arm.folder == f'net+{KIND}+{RAMP}'


def test_option_values_are_parsed_as_by_cfg_options():
    arm = parse_arm("a.py n=2000 x=0.5 on=True name=diagonal sizes='[1, 2]' none=None path=a=b")
    assert arm.settings == dict(n=2000, x=0.5, on=True, name='diagonal', sizes=[1, 2], none=None, path='a=b')


def test_existing_file_is_a_config_for_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ('lambda_0=5.py', 'my config.py'):
        (tmp_path / name).touch()
        assert parse_arm(name) == Arm(name, ())
        assert Arm(name).label == name.removesuffix('.py')


def test_folder_names_are_safe_short_and_unique():
    long = [f'x={"1" * 300}', f'x={"1" * 301}']
    arms = [Arm('a+x=1.py'), Arm('a x=1 .py'), *(Arm('a.py', (x,)) for x in ('x=1', 'x=../../b', 'x=%1', *long))]
    folders = [arm.folder for arm in arms]
    assert len(set(folders)) == len(arms)
    assert [folder for folder in folders if set(folder) & set('/ \\\'"') or len(folder) > LONGEST + 13] == []


@pytest.mark.parametrize(('text', 'message'), [
    ('', "the arm is empty. Pass a config, or a config with options in quotes: 'CONFIG KEY=VALUE'"),
    ('a.py covariance', r"options of a.py must have the form KEY=VALUE, got 'covariance'"),
    ('a.py =1', r"options of a.py must have the form KEY=VALUE, got '=1'"),
    (KIND, f"{KIND} is an option without a config. Write both in quotes, as in 'CONFIG {KIND}'"),
    ('a.py x=1 y=2 x=3', "'a.py x=1 y=2 x=3' sets x twice"),
    ('a.py x="1', 'cannot read .*: No closing quotation')])
def test_invalid_arm_is_rejected_with_the_syntax(text, message):
    with pytest.raises(ValueError, match=message):
        parse_arm(text)


def test_same_config_with_other_options_is_another_arm():
    labels = [arm.label for arm in parse_arms(['a.py', f'a.py {KIND}', f'a.py {RAMP}'])]
    assert labels == ['a', f'a {KIND}', f'a {RAMP}']


@pytest.mark.parametrize('texts', [['a.py', 'b.py', 'a.py'], ['one/a.py', 'two/a.py'], ['a.py x=1', 'a.py  x=1']])
def test_duplicate_labels_are_rejected(texts):
    label = 'a x=1' if 'x=1' in texts[0] else 'a'
    with pytest.raises(ValueError, match=f"Two arms have the label '{label}'. Give each arm once"):
        parse_arms(texts)


def test_arms_that_differ_only_in_tau_share_the_training():
    plain, adjusted = parse_arms(['net.py a=1', 'net.py a=1 test.logit_adjustment=0.70'])
    assert adjusted.folder == plain.folder == 'net+a=1'
    assert adjusted.settings == plain.settings == dict(a=1)
    assert (plain.tau, adjusted.tau) == (0.0, 0.7)
    assert adjusted.label == 'net a=1 test.logit_adjustment=0.70'


@pytest.mark.parametrize('tau', ['-1', 'nan', 'strong'])
def test_invalid_tau_is_rejected(tau):
    with pytest.raises(ValueError, match='test.logit_adjustment must be a finite number >= 0'):
        _ = parse_arm(f'net.py test.logit_adjustment={tau}').tau
