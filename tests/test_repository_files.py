"""Version, changelog, citation, hooks and workflow agree with the repository."""
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.documents import PROJECT, ROOT, links

import isda_seg

CHANGELOG = (ROOT / 'CHANGELOG.md').read_text()
PAPER = 'https://arxiv.org/abs/2007.10538'


def test_the_version_is_written_in_one_place():
    assert 'version' in PROJECT['dynamic'] and 'version' not in PROJECT
    assert 'version' not in yaml.safe_load((ROOT / 'CITATION.cff').read_text())


def test_the_changelog_has_this_version_first_and_a_tag_for_each():
    versions = re.findall(r'^## \[(.+?)\] - \d{4}-\d\d-\d\d\n\nTag: `v(.+?)`', CHANGELOG, re.MULTILINE)
    assert versions[0][0] == isda_seg.__version__
    assert [version for version, _ in versions] == [tag for _, tag in versions]
    headings = re.findall(r'^## (.+)$', CHANGELOG, re.MULTILINE)
    assert len(versions) == len(headings) - headings.count('[Unreleased]')
    assert '[Unreleased]' not in headings[1:]


def test_the_changelog_has_the_sections_of_keep_a_changelog():
    sections = set(re.findall(r'^### (.+)$', CHANGELOG, re.MULTILINE))
    assert sections <= {'Added', 'Changed', 'Deprecated', 'Removed', 'Fixed', 'Security'}


@pytest.mark.parametrize('document', ['CHANGELOG.md', 'STABILITY.md'])
def test_every_link_leads_to_a_file(document):
    assert [link for link in links((ROOT / document).read_text()) if not (ROOT / link).is_file()] == []


def test_the_statement_of_what_is_stable_fits_on_a_page():
    assert len((ROOT / 'STABILITY.md').read_text().splitlines()) <= 60


def test_the_citation_names_software_and_paper():
    citation = yaml.safe_load((ROOT / 'CITATION.cff').read_text())
    paper = citation['preferred-citation']
    assert (citation['type'], citation['license'], paper['type']) == ('software', PROJECT['license'], 'article')
    assert [author['family-names'] for author in paper['authors']] == ['Wang', 'Huang', 'Song', 'Pan', 'Xia', 'Wu']
    assert (paper['year'], paper['url']) == (2021, PAPER) and PROJECT['urls']['Paper'] == PAPER
    assert paper['title'] in ' '.join((ROOT / 'README.md').read_text().split())


def test_pre_commit_hooks_run_tools_that_exist():
    (local,) = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos']
    entries = [hook['entry'].split() for hook in local['hooks']]
    assert [entry[:3] for entry in entries[:2]] == [['python', '-m', 'ruff'], ['python', '-m', 'mypy']]
    program, script, *arguments = entries[2]
    assert (program, arguments[-1]) == ('python', '--check') and (ROOT / script).is_file()


def test_the_github_workflow_runs_the_ci_script():
    workflow = yaml.safe_load((ROOT / '.github' / 'workflows' / 'ci.yml').read_text())
    steps = workflow['jobs']['ci']['steps']
    assert [step['run'] for step in steps if 'run' in step][-1] == '.ci/run'
    assert os.access(ROOT / '.ci' / 'run', os.X_OK)
    python = next(step['with']['python-version'] for step in steps if 'with' in step)
    assert f'Programming Language :: Python :: {python}' in PROJECT['classifiers']


def described(folder: Path, urls: str) -> str:
    """The description of the package in its metadata, with further lines in [project.urls]."""
    (folder / 'isda_seg').mkdir()
    for name in ('setup.py', 'README.md', 'LICENSE', 'isda_seg/__init__.py'):
        shutil.copy2(ROOT / name, folder / name)
    text = (ROOT / 'pyproject.toml').read_text()
    (folder / 'pyproject.toml').write_text(text.replace('[project.urls]', f'[project.urls]\n{urls}'))
    done = subprocess.run([sys.executable, 'setup.py', '-q', '--long-description'], cwd=folder, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_repository_url_makes_the_links_of_the_description_absolute(tmp_path):
    readme = (ROOT / 'README.md').read_text()
    text = described(tmp_path, 'Repository = "https://example.org/isda"')
    assert len(links(readme)) > 10 and [link for link in links(text) if not link.startswith('#')] == []
    tag = f'v{isda_seg.__version__}'
    assert f'](https://example.org/isda/blob/{tag}/CONTRIBUTING.md)' in text
    assert f'](https://example.org/isda/raw/{tag}/configs/figures/overview.png)' in text
    assert re.sub(rf'https://example.org/isda/(blob|raw)/{tag}/', '', text) == readme.strip()


def test_without_a_repository_url_the_description_keeps_only_link_texts(tmp_path):
    readme, text = (ROOT / 'README.md').read_text(), described(tmp_path, '')
    assert [link for link in links(text) if not link.startswith('#')] == []
    assert 'Changelog · What is stable · How to cite ·' in text and '![' not in text
    kept = re.sub(r'!\[[^]]*\]\([^:)]+\)', '', readme)
    assert text == re.sub(r'\[([^]]*)\]\((?!https?:|#)[^)]+\)', r'\1', kept).strip()
