"""Laws of the sections about series: what was planned stands there, with its numbers or 'not yet run'."""
import json

import pytest

from isda_seg.analysis.series.paired import compare
from isda_seg.analysis.tables.series import gain, overview, sections

PLAN = [dict(name='pair', title='A pair', question='Why?', command='paired.py a.py a_isda.py a_other.py'),
        dict(name='later', title='Another', question='When?', command='paired.py b.py b_isda.py')]


def result(error):
    return dict(protocols=dict(single=dict(top1_error=error)), training=[dict(commit='c1', seed=0)])


@pytest.fixture
def folder(tmp_path):
    runs = {arm: {seed: result(error) for seed, error in zip('01', errors, strict=True)}
            for arm, errors in (('a', (20, 22)), ('a_isda', (19, 20)), ('a_other', (21, 25)))}
    comparisons = {arm: compare(runs['a'], runs[arm]) for arm in ('a_isda', 'a_other')}
    entry = dict(kind='paired', plain='configs/a.py', isda=['configs/a_isda.py', 'configs/a_other.py'], seeds=[0, 1],
                 options={}, comparisons=comparisons, runs=runs)
    (tmp_path / 'plan.json').write_text(json.dumps(PLAN))
    (tmp_path / 'pair.json').write_text(json.dumps(entry))
    return tmp_path


def test_the_overview_has_a_row_per_recorded_arm_with_its_difference(folder):
    rows = overview(folder).splitlines()[2:]
    assert rows == [
        '| A pair | `a_isda` | top1_error | 2 | 21.00 | 19.50 | -1.50 | -7.85 to +4.85 |',  # 12.706 * 0.5 either side
        '| A pair | `a_other` | top1_error | 2 | 21.00 | 23.00 | +2.00 | -10.71 to +14.71 |']


def test_every_planned_series_has_a_section_and_those_without_a_file_say_so(folder):
    first, *rest = sections(folder, 'results').split('### ')
    assert first.strip() == overview(folder)
    assert [section.splitlines()[0] for section in rest] == ['A pair', 'Another']
    assert 'paired.py a.py a_isda.py a_other.py --out configs/results/pair.json' in rest[0]
    assert '![A pair](results/pair.png)' in rest[0] and 'not yet run' not in rest[0]
    assert rest[1].rstrip().endswith('not yet run')


def test_the_gain_is_one_line_per_recorded_pair(folder):
    assert gain(folder) == ('- A pair: -1.50 points of top1_error (95 % interval -7.85 to +4.85), lower is better, '
                            '2 pairs of seeds, 21.00 % without.')
