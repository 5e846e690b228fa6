"""The rows of each table are configs of the repository, with the numbers of the paper that their docstrings have."""
import re
import shlex

import pytest
from helpers import tiny

from docs.generated_text import paper, paper_with_options
from isda_seg.paper.reproduce.catalogue import catalogue
from isda_seg.paper.reproduce.plan import meant_gpus

TABLES = catalogue()
ROWS = [(name, row) for name, table in TABLES.items() for row in table.rows]


def text_of(row):
    return (tiny.ROOT / shlex.split(row.arm)[0]).read_text()


def test_every_row_is_a_config_with_a_baseline_of_the_same_table():
    for name, row in ROWS:
        assert text_of(row), row.name
        assert row.baseline == '' or row.baseline in [other.arm for other in TABLES[name].rows]
        assert ('isda' in row.arm) == bool(row.baseline)
    assert {name: len(table.rows) for name, table in TABLES.items()} == {
        'table1': 14, 'table2': 36, 'table4': 36, 'table6': 44, 'table7': 4, 'table7-mmseg': 4, 'table8': 18,
        'table11': 9, 'table12': 3, 'figure11': 18}


def test_names_and_arms_of_a_table_are_unique():
    for table in TABLES.values():
        assert len({row.name for row in table.rows}) == len({row.arm for row in table.rows}) == len(table.rows)


def test_numbers_of_the_paper_are_those_in_the_configs():
    compared = 0
    for name, row in ROWS:
        options = row.arm.partition(' ')[2]
        stated = paper_with_options(text_of(row)).get(options, '') if options else paper(text_of(row))
        if stated and row.paper:
            values = [float(value) for value in re.findall(r'(\d+\.\d+)', stated)]
            measure = TABLES[name].measures[0]
            assert row.paper[measure] in values or (name, row.paper[measure]) == ('table8', 18.58), row.name
            compared += 1
    assert compared == 14 + 36 + 36 + 44 + 18 + 9 + 3 + 4  # four rows of Figure 11 have a number


def test_rows_of_table_7_have_three_protocols_and_the_toolbox_baseline():
    row = TABLES['table7'].rows[3]
    assert row.paper == {'single': 79.41, 'ms': 80.30, 'ms-flip': 80.36}
    assert (row.toolbox['single'], row.spread) == (79.27, (0.1, 0.4))
    assert TABLES['table7'].protocols == TABLES['table7-mmseg'].protocols == ('single', 'ms', 'ms-flip')
    assert [('-paper' in row.arm) for row in TABLES['table7'].rows + TABLES['table7-mmseg'].rows] == [True] * 4 + [
        False] * 4


def test_detectors_need_the_classifier_of_their_row():
    backbones = [row.backbone.rsplit('/', 1)[-1] for row in TABLES['table12'].rows]
    assert backbones == ['', 'resnet50_imagenet.py', 'resnet50_isda_imagenet.py']


@pytest.mark.parametrize(('name', 'gpus'), [('table7', 4), ('table1', 8), ('table11', 8), ('table6', 1)])
def test_all_configs_of_a_table_are_written_for_one_number_of_gpus(name, gpus):
    assert {meant_gpus(text_of(row)) for row in TABLES[name].rows} == {gpus}
