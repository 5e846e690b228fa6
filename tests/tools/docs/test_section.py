"""Properties of a README's section on configs: rows are what was run, the rest is a sentence and a folded list."""
import pytest

from docs.section import fold, not_run, papers_numbers, results_rows, section

COLUMNS = {'error': lambda runs: f'{runs[0]["error"]:.1f}', 'top-5': lambda runs: ''}


def run(error, seed=3):
    return dict(error=error, training=[dict(seed=seed, commit='abc', hardware='a machine', date='2026-01-02T03:04:05')])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'room' / 'data').mkdir(parents=True)
    for name, reported in (('a', 'Paper:     7.4 %\n'), ('b', ''), ('c', 'Paper:     not reported\n')):
        (tmp_path / 'room' / 'data' / f'{name}.py').write_text(f'"""Title.\n\n{reported}Result:    not yet run\n"""\n')
    return tmp_path / 'room'


@pytest.fixture
def configs(folder):
    return sorted((folder / 'data').glob('*.py'))


def test_rows_are_configs_with_runs_and_their_option_sets(configs, folder):
    results = {'b': [run(1.0)], 'b model.x=1': [run(2.0)], 'b_longer': [run(3.0)], 'c': [run(4.0), run(4.0, 5)]}
    assert results_rows(configs, results, COLUMNS, folder).splitlines() == [
        '| config | seeds | error | trained at commit | hardware | date |', '| --- | --- | --- | --- | --- | --- |',
        '| [b](data/b.py) | 3 | 1.0 | abc | a machine | 2026-01-02 |',
        '| [b model.x=1](data/b.py) | 3 | 2.0 | abc | a machine | 2026-01-02 |',
        '| [c](data/c.py) | 3, 5 | 4.0 | abc | a machine | 2026-01-02 |']


def test_the_papers_number_is_in_the_row_of_its_runs(configs, folder):
    titles, _, row = results_rows(configs, {'a': [run(8.0)]}, COLUMNS, folder).splitlines()
    assert dict(zip(titles.split(' | '), row.split(' | '), strict=True))['paper'] == '7.4 %'


def test_configs_without_runs_are_a_folded_list(configs, folder):
    text = not_run(configs[:2], folder)
    assert text == fold('2 configs have not been run yet.', '- [a](data/a.py): in the paper 7.4 %\n- [b](data/b.py)')
    assert 'One config has not been run yet.' in not_run(configs[:1], folder)
    assert not_run([], folder) == ''


def test_a_section_has_rows_or_a_sentence_as_needed(configs, folder):
    assert section(configs, {}, COLUMNS, folder) == not_run(configs, folder)
    everything = {path.stem: [run(1.0)] for path in configs}
    assert section(configs, everything, COLUMNS, folder) == results_rows(configs, everything, COLUMNS, folder)
    some = section(configs, {'a': [run(1.0)]}, COLUMNS, folder)
    assert some.startswith('| config') and some.endswith(not_run(configs[1:], folder))


def test_links_reach_configs_of_other_folders(configs, folder):
    other = folder.parent / 'other'
    assert '(../room/data/b.py)' in not_run(configs[1:2], other)


def test_the_papers_numbers_are_listed_with_their_options():
    assert papers_numbers('Paper:     7.4 %\n           x.y=1  6.2 %\n           x.y=2\n') == (
        ': in the paper 7.4 %, 6.2 % with `x.y=1`')
    assert papers_numbers('           x.y=2\n') == ''
