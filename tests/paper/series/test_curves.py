"""Curves from the log of a run."""
import json

import cv2
import pytest

from isda_seg.paper.series.curves import plot_curves, read_scalars


def write_log(work_dir, start, lines):
    folder = work_dir / start / 'vis_data'
    folder.mkdir(parents=True)
    (folder / 'scalars.json').write_text(''.join(json.dumps(line) + '\n' for line in lines))


def test_logs_of_a_resumed_run_are_joined_and_later_values_win(tmp_path):
    write_log(tmp_path, '20260101', [dict(loss=3.0, step=10), dict(mIoU=5.0, step=10), dict(loss=2.5, step=20)])
    write_log(tmp_path, '20260102', [dict(loss=2.0, step=20), dict(loss=1.0, step=30), dict(mIoU=40.0, step=30)])
    assert read_scalars(tmp_path) == ([(10, 3.0), (20, 2.0), (30, 1.0)], [(10, 5.0), (30, 40.0)])


def test_missing_log_is_an_error_that_names_the_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        read_scalars(tmp_path)


def test_incomplete_line_is_skipped_and_empty_log_is_an_error(tmp_path):
    write_log(tmp_path, '20260101', [dict(loss=3.0, step=10)])
    log = tmp_path / '20260101' / 'vis_data' / 'scalars.json'
    log.write_text(log.read_text() + '{"loss": 2.')
    assert read_scalars(tmp_path) == ([(10, 3.0)], [])
    log.write_text('')
    with pytest.raises(ValueError, match=f'{log} contains no logged step yet. Draw it after'):
        read_scalars(tmp_path)


def test_figure_changes_with_the_number_of_runs(tmp_path):
    write_log(tmp_path / 'a', '1', [dict(loss=3.0, step=10), dict(loss=2.5, step=20), dict(mIoU=5.0, step=20)])
    plot_curves({'a': tmp_path / 'a'}, tmp_path / 'one.png')
    plot_curves({'a': tmp_path / 'a', 'b': tmp_path / 'a'}, tmp_path / 'two.png')
    one, two = (cv2.imread(str(tmp_path / name)) for name in ('one.png', 'two.png'))
    assert one.shape == two.shape == (408, 1080, 3)
    assert (one != two).any()


def test_classifier_curve_is_test_error_and_mixed_tasks_are_rejected(tmp_path):
    lines = [dict(loss=3.0, step=10), dict(top1_error=40.0, step=1), dict(loss=2.5, step=20),
             dict(top1_error=30.5, step=2)]
    write_log(tmp_path / 'a', '1', lines)
    write_log(tmp_path / 'b', '1', [dict(loss=3.0, step=10), dict(mIoU=40.0, step=10)])
    assert read_scalars(tmp_path / 'a') == ([(10, 3.0), (20, 2.5)], [(1, 40.0), (2, 30.5)])
    for name in ('a', 'b'):
        plot_curves({'run': tmp_path / name}, tmp_path / f'{name}.png')
    one, other = (cv2.imread(str(tmp_path / f'{name}.png')) for name in ('a', 'b'))
    assert (one[:30, 540:] != other[:30, 540:]).any()  # the title
    with pytest.raises(ValueError, match=r"the same validation measure, got \['mIoU', 'top1_error'\]"):
        plot_curves({name: tmp_path / name for name in ('a', 'b')}, tmp_path / 'both.png')
