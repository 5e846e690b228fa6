"""Recorded analyses stand in the plan's order with command, numbers, origin and pictures; the others are told."""
import json

from docs.analyses import analyses

ORIGIN = dict(hardware='a CPU', date='2026-11-26T10:00', commit='c0ffee')
PLAN = [dict(name='t', title='Tight', question='How tight?', commands=['python tools/analyse.py tightness CONFIG'],
             learned='What was learned: two.'),
        dict(name='f', title='Deep', question='Where?', commands=['python a', 'python b']),
        dict(name='later', title='Later', question='When?', commands=['python c'])]
TIGHT = dict(kind='tightness', **ORIGIN, final=dict(fc=dict(cross_entropy=dict(mean=0.5), expected=dict(mean=0.75),
                                                            bound=dict(mean=1.0), gap_ratio=dict(mean=2.0, sd=0.25))))
SPREAD = dict(source='checkpoint', effective_rank=dict(a=3.0, b=1.5), rank_correlation_with_confusions=-0.5)
DEEP = dict(kind='features', **ORIGIN, models=[dict(
    name='net', separation=dict(silhouette=0.25, variance_ratio=1.5, nearest_error=40.0), spreads=[SPREAD])])


def text(folder):
    (folder / 'plan.json').write_text(json.dumps(PLAN))
    return analyses(folder, '../here')


def test_without_results_one_folded_sentence_lists_all_series(tmp_path):
    found = text(tmp_path)
    assert '<summary>3 planned analyses have not been run yet.</summary>' in found and found.count('```bash') == 3


def test_recorded_analyses_show_values_provenance_and_figures(tmp_path):
    (tmp_path / 't.json').write_text(json.dumps(TIGHT))
    (tmp_path / 't.png').touch()
    (tmp_path / 'f').mkdir()
    (tmp_path / 'f' / 'features.json').write_text(json.dumps(DEEP))
    for name in ('table', 'embedding'):
        (tmp_path / 'f' / f'{name}.png').touch()
    found = text(tmp_path).splitlines()
    assert [line for line in found if line.startswith(('###', '| fc', '| `net`', 'What', '!['))] == [
        '### Tight', '| fc | 0.5000 | 0.7500 | 1.0000 | 2.0000 ± 0.2500 |', 'What was learned: two.',
        '![Tight: t](../here/t.png)', '### Deep', '| `net` | 0.250 | 1.50 | 40.0 % |',
        '| `net` | checkpoint | 1.5 to 3.0 | -0.50 |', '![Deep: embedding](../here/f/embedding.png)',
        '![Deep: table](../here/f/table.png)']
    assert found.count('a CPU, 2026-11-26, commit c0ffee.') == 2
    assert '<summary>One planned analysis has not been run yet.</summary>' in found


def test_directions_show_the_class_agreement_of_each_translation(tmp_path):
    shares = dict(unmoved=dict(same_class=0.9, new=0.0), drawn=dict(same_class=0.75, new=0.5))
    result = dict(kind='directions', **ORIGIN, classes=dict(car=dict(shares=shares)))
    (tmp_path / 't.json').write_text(json.dumps(result))
    found = text(tmp_path).splitlines()
    assert '| class | unmoved: same class, new | drawn: same class, new |' in found
    assert '| car | 90%, 0% | 75%, 50% |' in found


def test_a_reverse_mapping_shows_the_result_of_both_steps(tmp_path):
    steps = dict(step_1=dict(start=78.25, best=0.5), step_2=dict(start=20.0, best=5.25), moved=19.5)
    (tmp_path / 't.json').write_text(json.dumps(dict(kind='reverse mapping', **ORIGIN, **steps)))
    found = text(tmp_path).splitlines()
    assert '| step I, reconstruction | 78.2 | 0.5 |' in found
    assert '| step II, augmented features | 20 | 5.25 |' in found
    assert 'The median squared distance of an augmented feature is 19.5.' in found
