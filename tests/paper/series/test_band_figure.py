"""Validation curves over seeds."""
import cv2
import numpy as np

from isda_seg.paper.series.band_figure import curves, draw_bands


def run(*values, **others):
    places = {str(6 * number): value for number, value in enumerate(values, 1)}
    return dict(dict(protocols=dict(single=dict(top1_error=values[-1] if values else 0.0)), validated=places), **others)


def test_curve_has_the_steps_common_to_all_runs_of_an_arm():
    paired = dict(runs=dict(plain={'0': run(9.0, 8.0, 7.0, 6.0, 5.0), '1': run(9.5, 8.5, 7.5, 6.5)},
                            isda={'0': run(9.0, 8.0), '1': run(9.0, 8.0)},
                            gone={'0': run(1.0, 1.0, 1.0, 1.0), '1': dict(protocols={}, diverged=dict(iteration=3))}))
    found = curves(paired)
    assert list(found) == ['plain', 'gone'] and found['plain'][0] == [6, 12, 18, 24]
    assert np.array_equal(found['plain'][1], [[9.0, 8.0, 7.0, 6.0], [9.5, 8.5, 7.5, 6.5]])
    assert found['gone'][1].shape == (1, 4)


def test_figure_is_drawn_only_with_a_curve(tmp_path):
    paired = dict(runs=dict(plain={'0': run(9.0, 8.0, 7.0, 6.0), '1': run(9.5, 8.5, 7.5, 6.5)}))
    assert draw_bands(paired, tmp_path / 'new' / 'curves.png') is True
    picture = cv2.imread(str(tmp_path / 'new' / 'curves.png'))
    assert picture.shape == (480, 768, 3) and ((picture == (180, 119, 31)).all(-1)).sum() > 100  # the first colour
    paired['runs']['plain'] = {'-1': dict(protocols={}, diverged=dict(iteration=3)), **paired['runs']['plain']}
    assert draw_bands(paired, tmp_path / 'first_gone.png') is True
    assert (cv2.imread(str(tmp_path / 'first_gone.png')) == picture).all()
    assert draw_bands(dict(runs=dict(plain={'0': run(9.0, 8.0)})), tmp_path / 'none.png') is False
    assert not (tmp_path / 'none.png').exists()
