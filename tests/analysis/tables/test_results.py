"""Tables hold what the result files say, and 'not yet run' where there is none."""
import json
from pathlib import Path

import pytest

from isda_seg.analysis.tables.results import docstring_line, read_results, replace_block, replace_result_line, table

RESULT = dict(
    config='configs/camvid/a_isda.py', seed=9, commit='late', hardware='late', date='2026-02-03T00:00:00',
    protocols={'single': dict(mIoU=38.014), 'ms': dict(mIoU=39.0), 'ms-flip': dict(mIoU=39.996)},
    training=[dict(seed=3, commit=commit, hardware='a machine', date=f'2026-01-0{day}T03:04:05')
              for day, commit in ((1, 'abc123'), (2, 'abc123'), (3, 'def456'))])


def test_a_row_shows_the_training_run_and_two_decimals(tmp_path):
    (tmp_path / 'a.json').write_text(json.dumps(RESULT))
    (tmp_path / 'timings.json').write_text(json.dumps({'make test': {}}))
    rows = table([Path('configs/camvid/a.py'), Path('configs/camvid/a_isda.py')], read_results(tmp_path)).splitlines()
    assert rows[2] == '| [a](camvid/a.py) | not yet run |  |  |  |  |  |  |'
    assert rows[3] == ('| [a_isda](camvid/a_isda.py) | 3 | 38.01 | 39.00 | 40.00 | abc123, def456 '
                       '| a machine | 2026-01-03 |')


def test_a_docstring_says_the_result_or_not_yet_run():
    text = '"""Title.\n\nRun:       x\nResult:    something old\n"""\n'
    assert replace_result_line(text, docstring_line(None)) == text.replace('something old', 'not yet run')
    assert docstring_line([RESULT]) == 'mIoU single 38.01, ms 39.00, ms-flip 40.00 (seed 3, one run)'


def test_only_the_marked_block_is_replaced():
    text = 'a\n<!-- x -->\nold\n<!-- /x -->\nb\n'
    assert replace_block(text, 'x', 'new') == text.replace('old', 'new')
    with pytest.raises(ValueError, match='<!-- y -->'):
        replace_block(text, 'y', 'new')
