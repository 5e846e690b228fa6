"""Every argument of every tool is explained, with its default; arguments of one name have one meaning."""
import argparse
import runpy
import sys

import pytest
from helpers import tiny

TOOLS = sorted(path for path in (tiny.ROOT / 'tools').rglob('*.py') if 'ArgumentParser' in path.read_text())
SHARED = ('checkpoint', '--cfg-options', '--launcher', '--work-dir')


class Parsed(Exception):
    """Carries the parser out of a tool that starts to parse."""


@pytest.fixture(scope='module')
def arguments():
    """{tool: the arguments of its parser and of its subparsers}"""
    def stop(parser, *_):
        raise Parsed(parser)

    found = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, 'parse_args', stop)
        patch.setattr(argparse.ArgumentParser, 'parse_known_args', stop)
        for path in TOOLS:
            patch.setattr(sys, 'argv', [path.name])
            module = runpy.run_path(str(path))
            with pytest.raises(Parsed) as end:
                module.get('parse_args', module['main'])()
            found[path.name] = list(walk(end.value.args[0]))
    return found


def walk(parser):
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                yield from walk(child)
        elif action.help != argparse.SUPPRESS:
            yield action


def name(action):
    return action.option_strings[0] if action.option_strings else action.dest


def test_every_argument_has_a_help_text(arguments):
    assert [(tool, name(action)) for tool, actions in arguments.items() for action in actions if not action.help] == []
    assert len(arguments) == len(TOOLS) > 15


def test_every_default_is_shown(arguments):
    hidden = [(tool, name(action)) for tool, actions in arguments.items() for action in actions
              if action.default not in (None, False, [], argparse.SUPPRESS) and 'default' not in action.help]
    assert hidden == []


@pytest.mark.parametrize('shared', SHARED)
def test_a_shared_argument_has_one_help_text(arguments, shared):
    texts = [action.help for actions in arguments.values() for action in actions if name(action) == shared]
    assert len(texts) > 3 and len({text.split('; default')[0] for text in texts}) == 1


def test_results_go_to_out_in_every_tool(arguments):
    """`--out` is a result file or a folder for it; of `make_streets.py`, which writes a data set, a folder."""
    texts = {tool: action.help for tool, actions in arguments.items() for action in actions if name(action) == '--out'}
    others = {tool: text for tool, text in texts.items() if not text.startswith('result file, or a folder for it; ')}
    assert set(others) == {'make_streets.py', 'test.py'}
    positional = [name(action) for actions in arguments.values() for action in actions if not action.option_strings]
    assert 'out' not in positional
