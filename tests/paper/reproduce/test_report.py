"""The table compares our numbers with the paper's, and the file to contribute is read like other results."""
import json

import pytest
from helpers import tiny

from isda_seg.paper.reproduce.catalogue import LAST, Row, catalogue
from isda_seg.paper.reproduce.plan import make_plan
from isda_seg.paper.reproduce.report import collect, in_range, table_text
from isda_seg.paper.series.result_files import read_results

MIOU = {0: (77.0, 78.5), 1: (77.6, 78.7), 2: (77.9, 78.6)}  # seed -> baseline, ISDA


@pytest.fixture
def plan(tmp_path):
    """Table 7 with PSPNet alone, and the results of its runs but the last."""
    table = catalogue()['table7']
    plan = make_plan('table7', table._replace(rows=table.rows[:2]), tmp_path, tiny.ROOT)
    for number, planned in enumerate(plan.runs[:-1]):
        value = MIOU[planned.seed][number % 2]
        path = tmp_path / planned.run.name / 'results.json'
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(dict(
            protocols={name: dict(mIoU=value, IoU={}) for name in ('single', 'ms', 'ms-flip')},
            config=planned.arm.config, training=[dict(commit='c1', seed=planned.seed)])))
    return plan


def test_table_has_means_ranges_and_paired_differences(plan):
    record = collect(plan)
    rows = [line for line in table_text(plan, record).splitlines() if '| mIoU, single |' in line]
    assert rows == [
        '| PSPNet | mIoU, single | 77.46 | 79.08 | 77.50 ± 0.46 | 3 | yes |  |  |',
        '| PSPNet + ISDA | mIoU, single | 78.72 | 79.08 | 78.60 ± 0.14 | 2 | yes | +1.26 | +1.30 (-1.24 to +3.84) |']
    assert record['missing'] == [plan.runs[-1].run.name]
    assert f'1 of 6 runs are missing: {record["missing"][0]}.' in table_text(plan, record)
    assert 'standard deviations over seeds: 0.1 to 0.4.' in table_text(plan, record)


def test_changed_configs_are_not_compared_with_the_paper(plan):
    record = collect(plan)
    text = table_text(plan._replace(options={'train_cfg.max_iters': 8}), record)
    assert '| 77.50 ± 0.46 | 3 |  |  |  |' in text and 'do not compare with the paper' in text


def test_contributed_file_is_read_as_results_of_the_configs(plan, tmp_path):
    folder = tmp_path / 'results' / 'series'
    folder.mkdir(parents=True)
    record = collect(plan)
    (folder / 'table7.json').write_text(json.dumps(record))
    found = read_results(tmp_path / 'results')
    assert {label: [run['protocols']['single']['mIoU'] for run in runs] for label, runs in found.items()} == {
        plan.runs[0].arm.label: [77.0, 77.6, 77.9], plan.runs[1].arm.label: [78.5, 78.7]}
    (folder / 'table7.json').write_text(json.dumps(dict(record, options={'a.b': 1})))
    assert read_results(tmp_path / 'results') == {}


@pytest.mark.parametrize(('values', 'expected'), [
    ([8.6], 'yes'), ([8.7], 'above'), ([8.5, 8.3, 8.4], 'yes'), ([8.5, 8.5, 8.5], 'above'), ([6.3], 'below'), ([], '')])
def test_range_narrows_with_the_number_of_runs(values, expected):
    row = Row('', 'x.py', {LAST: 7.5}, spread=(0.1, 0.4))  # 2 x 0.4 x sqrt(2) = 1.13, for three runs 0.92
    assert in_range(row, LAST, values) == expected
    assert in_range(row._replace(spread=None), LAST, values) == ''
