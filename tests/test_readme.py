"""README, the guides and the READMEs of the folders are right: commands, tools, links and generated numbers."""
import re
import shlex
import subprocess
from functools import reduce
from operator import getitem

import pytest
from helpers.documents import (
    DOCUMENTS,
    FENCED,
    FOLDERS,
    PROJECT,
    ROOT,
    anchors,
    commands,
    generated,
    links,
    mentions,
    name,
    split,
)
from mmengine.config import Config

from docs.results import CONFIG_FOLDERS, generate
from isda_seg.paper.series.arm import TAU

README = (ROOT / 'README.md').read_text()
FIRST_SCREEN = 45   # lines, to the end of the line about cost
SIZE = 9_000        # bytes of text
ROWS = (8, 14)      # of the tables of what ISDA gains
TEXT = ''.join(line for line in README.splitlines(keepends=True) if not line.startswith('|'))
WRITTEN = ('--out', '--work-dir')  # options whose value need not be there


def assert_in_order(text, *parts):
    places = [text.find(part) for part in parts]
    assert min(places) >= 0 and places == sorted(places)


def test_the_first_screen_shows_idea_diff_torch_installation_gain_and_cost():
    screen = '\n'.join(README.splitlines()[:FIRST_SCREEN])
    assert_in_order(screen, '# isda-seg', "'isda_seg.hooks.ISDAHook'", 'from isda_seg import ISDACriterion, attach',
                    '(docs/install.md)', 'pip install .', "pip install -c constraints.txt '.[seg]'",
                    '## Does it help?', '<!-- /gain -->', generated(README, 'cost'))


def test_sections_after_the_first_screen_have_a_fixed_order():
    rest = '\n'.join(README.splitlines()[FIRST_SCREEN:])
    assert_in_order(rest, 'make demo', 'make gain', 'make gain ARGS=--segmentation', 'make test', '(CHANGELOG.md)',
                    '(STABILITY.md)', '(CITATION.cff)', '(CONTRIBUTING.md)', '## How it works',
                    'configs/figures/overview.png', '## Guides', '## Code tour', '## Limits')


def test_no_sentence_of_readme_has_two_numbers():
    prose = re.sub(r'\(\S*\)|`[^`]*`|Eqs?\. [\d-]+|<!--.*-->', '', FENCED.sub('', TEXT).replace('\n', ' '))
    sentences = re.split(r'(?<=[.;:!?]) ', prose)
    assert [text for text in sentences if len(re.findall(r'(?<![\w.:-])\d[\d.,]*', text)) > 1] == []


def test_install_commands_name_the_package_and_its_extras():
    install = README + (ROOT / 'docs' / 'install.md').read_text()
    found = re.findall(r"pip install (?:-c \S+ )?(?:-e )?'([\w.-]+)\[([\w-]+)\]", install)
    assert {package for package, _ in found} == {'.', PROJECT['name']}
    assert {extra for _, extra in found} <= PROJECT['optional-dependencies'].keys()


def test_the_headline_calls_the_loss_an_upper_bound_and_not_exact():
    headline = re.search(r'\*\*(.*?)\*\*', README, re.DOTALL)[1]
    assert 'upper-bounds the expected' in ' '.join(headline.split()) and 'exact' not in headline


def test_the_cost_is_one_line():
    assert len(generated(README, 'cost').splitlines()) == 1


def test_gains_are_a_table_per_task_and_a_line_about_omissions():
    *tables, note = generated((ROOT / 'configs' / 'results' / 'README.md').read_text(), 'gain').split('\n\n')
    assert [table.split(':')[0] for table in tables] == ['| segmentation', '| classification', '| semi-supervised']
    assert ROWS[0] <= sum(len(table.splitlines()) - 2 for table in tables)
    assert len(note.splitlines()) == 1 and 'Left out of' in note


def test_the_front_page_shows_segmentation_apart_in_a_short_table():
    *tables, note = generated(README, 'gain').split('\n\n')
    assert [table.split(':')[0] for table in tables] == ['| segmentation', '| classification and semi-supervised']
    assert ROWS[0] <= sum(len(table.splitlines()) - 2 for table in tables) <= ROWS[1]
    assert len(note.splitlines()) == 1 and '95 % CI' in note


def test_the_front_page_is_short():
    assert len(TEXT.encode()) <= SIZE
    rest = README.replace(generated(README, 'gain'), '')
    assert [line for line in rest.splitlines() if line.startswith('|')] == []


def test_contributing_fits_on_a_page():
    assert 40 <= len((ROOT / 'CONTRIBUTING.md').read_text().splitlines()) <= 74


def test_every_config_folder_has_a_readme_linked_from_the_front_page():
    folders = {path.name for path in (ROOT / 'configs').iterdir() if any(path.rglob('*.py'))} - {'_base_'}
    assert {one.name for one in CONFIG_FOLDERS} == folders
    without_configs = {'torch', 'results'}
    assert {one.readme for one in CONFIG_FOLDERS} | without_configs == {folder.name for folder in FOLDERS}
    index = links((ROOT / 'configs' / 'README.md').read_text())
    assert [folder.name for folder in FOLDERS if f'{folder.name}/README.md' not in index] == []
    assert [folder.name for folder in FOLDERS if f'{name(folder)}/README.md' not in links(README)] == []


@pytest.mark.parametrize('document', DOCUMENTS, ids=name)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(document):
    broken = []
    for link in links(document.read_text()):
        path, _, heading = link.partition('#')
        target = (document.parent / path) if path else document
        if not target.exists() or heading and heading not in anchors(target.read_text()):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize('document', DOCUMENTS, ids=name)
def test_no_table_has_a_row_that_was_not_run(document):
    assert [line for line in document.read_text().splitlines() if line.startswith('|') and 'not yet run' in line] == []


def test_generated_text_is_current():
    assert [name(path) for path, text in generate(ROOT).items() if path.read_text() != text] == []


def known_options(tool):
    """The text that names a tool's options: its own, that of the options all share, and of the tool it starts."""
    started = re.findall(r'/(\w+\.py)"', tool.read_text()) if tool.suffix == '.sh' else []
    passed_on = ['train.py'] if tool.name == 'demo.py' else []
    files = [tool, *(tool.parent / other for other in (*started, *passed_on)),
             *(ROOT / 'isda_seg' / 'runtime' / f'{shared}.py' for shared in ('arguments', 'launch', 'config_keys'))]
    return ''.join(file.read_text() for file in files)


def assert_made(words):
    """`make` knows the target and the variables."""
    asked = subprocess.run(['make', '-n', *words], cwd=ROOT, capture_output=True, text=True)
    assert (asked.returncode, asked.stderr) == (0, '')


def assert_installed(words):
    """The constraints are a file that pins the further packages, and the extras are those of the package."""
    pinned = ''
    if words[0] == '-c':
        pinned, words = (ROOT / words[1]).read_text(), words[2:]
    name, _, extras = next(word for word in words if word.startswith(('.', PROJECT['name']))).strip(']').partition('[')
    assert name in ('.', PROJECT['name']) and set(filter(None, extras.split(','))) <= PROJECT[
        'optional-dependencies'].keys()
    assert all(f'\n{word}==' in pinned for word in words if word[0].isalpha() and word != PROJECT['name'])


def assert_tool_takes(words):
    """The tool is there and has the options."""
    tool = ROOT / words[0]
    assert tool.is_file() is True
    known = known_options(tool)
    assert [option for option in words if option.startswith('--') and f"'{option}'" not in known] == []


@pytest.mark.parametrize('command', commands())
def test_every_command_names_existing_targets_tools_configs_and_options(command):
    words = split(command)
    if words[0] == 'make':
        assert_made(words[1:])
        return
    if words[:2] == ['pip', 'install']:
        assert_installed(words[2:])
        return
    assert_tool_takes(words)
    written = [result for option, result in zip(words, words[1:], strict=False) if option in WRITTEN]
    arms = [shlex.split(word) for word in words[1:] if word.startswith('configs/') and word not in written]
    assert [config for config, *_ in arms if not (ROOT / config).is_file()] == []
    given = [word for word in words if re.match(r'[a-z]\w*\.[\w.]+=', word)]
    for config, *options in arms:
        for option in (*options, *given):
            if option.startswith(f'{TAU}='):  # of the test, not of the config
                continue
            *sections, key = option.split('=')[0].split('.')
            assert key.isidentifier() and isinstance(reduce(getitem, sections, Config.fromfile(ROOT / config)), dict)


@pytest.mark.parametrize('mention', mentions())
def test_every_tool_and_target_in_the_text_exists_with_the_options_named(mention):
    words = re.sub(r'[\[\]{},]', ' ', mention).split()
    if words[0] == 'make':
        assert_made([word for word in words[1:] if '=' not in word])
    else:
        assert_tool_takes(words[words[0] == 'python':])


def test_make_gpu_runs_tools_and_configs_that_exist():
    done = subprocess.run(['make', '-n', 'gpu'], cwd=ROOT, capture_output=True, text=True, check=True)
    named = [word for word in done.stdout.split() if word.endswith('.py')]
    assert len(named) == 5 and [path for path in named if not (ROOT / path).is_file()] == []


def test_the_code_tour_links_each_name_to_the_file_that_defines_it():
    rows = [line for line in (ROOT / 'docs' / 'code_tour.md').read_text().splitlines() if line.startswith('| ')]
    links_of = [re.findall(r'\[`(\w+)`\]\(\.\./([^)]*)\)', row) for row in rows]
    linked = [link for row in links_of for link in row]
    assert [name for name, file in linked if not re.search(rf'(def|class) {name}\b', (ROOT / file).read_text())] == []
    named = re.findall(r'`(\w+)`', '\n'.join(rows))
    assert sorted(named) == sorted(name for name, _ in linked) and sum(map(bool, links_of)) >= 15
    reference = 'isda_seg/core/reference.py'
    defined = set(re.findall(r'^def (\w+)', (ROOT / reference).read_text(), re.MULTILINE))
    assert {name for name, file in linked if file == reference} == defined
