"""Sections of the series: recorded ones with their tables, planned ones in a folded list."""
import json

import pytest

from docs.series import not_run, require_committed, sections
from isda_seg.paper.series.paired import compare_arms

PLAN = [dict(name='pair', title='A pair', question='Why?', command='paired.py a.py a_isda.py a_other.py'),
        dict(name='later', title='Another', question='When?', command='paired.py b.py b_isda.py')]


def result(error):
    return dict(protocols=dict(single=dict(top1_error=error)), training=[dict(commit='c1', seed=0)])


@pytest.fixture
def folder(tmp_path):
    runs = {arm: {seed: result(error) for seed, error in zip('01', errors, strict=True)}
            for arm, errors in (('a', (20, 22)), ('a_isda', (19, 20)), ('a_other', (21, 25)))}
    comparisons = {arm: compare_arms(runs['a'], runs[arm]) for arm in ('a_isda', 'a_other')}
    entry = dict(kind='paired', plain='configs/a.py', isda=['configs/a_isda.py', 'configs/a_other.py'], seeds=[0, 1],
                 options={}, comparisons=comparisons, runs=runs)
    (tmp_path / 'plan.json').write_text(json.dumps(PLAN))
    (tmp_path / 'pair.json').write_text(json.dumps(entry))
    return tmp_path


def test_recorded_series_have_sections_and_planned_ones_a_fold(folder):
    first, section = sections(folder, 'series').split('### ')
    assert first == ''
    assert section.splitlines()[0] == 'A pair' and section.count('![A pair](series/pair.png)') == 1
    assert 'paired.py a.py a_isda.py a_other.py --out configs/results/series/pair.json' in section
    assert section.endswith(not_run(PLAN[1:], 'series'))


def test_a_renamed_option_is_named_with_its_commits(folder):
    entry = json.loads((folder / 'pair.json').read_text())
    sentence = 'At commit c1, where these runs were trained, `new.key` is spelled `old.key`.'
    assert sentence not in sections(folder, 'series')
    (folder / 'pair.json').write_text(json.dumps(dict(entry, renamed_options={'new.key': 'old.key'})))
    assert f'```\n\n{sentence}\n\n' in sections(folder, 'series')


def test_planned_series_are_one_folded_sentence():
    text = not_run(PLAN, 'series')
    assert '<summary>2 series are planned and not yet run.</summary>' in text and text.count('<summary>') == 1
    assert 'Another. When?\n\n```bash\npaired.py b.py b_isda.py --out configs/results/series/later.json\n```' in text
    assert not_run([], 'series') == ''


def test_underfitted_series_are_in_one_folded_table(folder):
    (folder / 'plan.json').write_text(json.dumps([dict(PLAN[0], underfitted=True)]))
    text = sections(folder, 'series')
    assert text.startswith('<details>\n<summary>1 earlier series use networks that underfit their training ')
    assert text.split('|---|---|---|---|---|---|---|---|\n')[1].splitlines()[:2] == [
        '| A pair | `a_isda` | top1_error | 2 | 21.00 | 19.50 | -1.50 | -7.85 to +4.85 |',  # 12.706 * 0.5 either side
        '| A pair | `a_other` | top1_error | 2 | 21.00 | 23.00 | +2.00 | -10.71 to +14.71 |']
    assert '###' not in text and 'pair.png' not in text


def test_without_a_recorded_pair_there_is_no_section(tmp_path):
    assert sections(tmp_path, 'series') == ''


def test_a_selection_shows_its_arms_and_no_differences(folder):
    assert 'Differences' not in sections(folder, 'series') and '`a_isda` minus `a`' in sections(folder, 'series')
    (folder / 'plan.json').write_text(json.dumps([dict(PLAN[0], choice=True)]))
    text = sections(folder, 'series')
    assert '| `a_isda` | 19.50 ± 0.71 |' in text and 'Seeds 0, 1, trained at commit c1.' in text
    assert ' minus ' not in text


def test_classes_are_shown_for_one_arm(folder):
    entry = json.loads((folder / 'pair.json').read_text())
    for arm, comparison in entry['comparisons'].items():
        comparison['classes'] = {f'class of {arm}': dict(baseline=50.0, mean=1.0, t=None)}
    (folder / 'pair.json').write_text(json.dumps(entry))
    for plan, shown, hidden in ((PLAN[0], 'a_isda', 'a_other'), (dict(PLAN[0], arm='a_other'), 'a_other', 'a_isda')):
        (folder / 'plan.json').write_text(json.dumps([plan]))
        assert f'| class of {shown} | 50.00 | +1.00 |' in sections(folder, 'series')
        assert f'class of {hidden}' not in sections(folder, 'series')


def test_a_series_with_runs_of_a_modified_tree_is_refused(folder):
    assert require_committed(folder) is None
    entry = json.loads((folder / 'pair.json').read_text())
    entry['runs']['a']['0']['training'][0]['commit'] = '53e569182187-dirty'
    (folder / 'pair.json').write_text(json.dumps(entry))
    with pytest.raises(ValueError, match=r'^pair.json: runs used a modified source tree .*Run them again'):
        require_committed(folder)
