"""Fig. 10 shows gain and time for every number of samples in order, the closed form last."""
import pytest

from docs.samples_figure import draw_samples, samples_of

ENTRY = dict(mean=-1.0, t=[-1.5, -0.5])


def paired(*arms):
    return dict(comparisons={arm: dict(measures=dict(top1_error=ENTRY)) for arm in arms})


def test_number_of_samples_is_read_from_the_label():
    assert samples_of('a_isda default_hooks.isda.samples=20') == '20'
    assert samples_of('a_isda default_hooks.isda.lambda_0=2') == 'closed form'


def test_both_axes_show_the_arms_in_order(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr('docs.samples_figure.save_figure', lambda figure, out: shown.append(figure))
    share = dict(median=0.1, low=0.05, high=0.2)
    timed = dict(hardware='a machine', extra_time={'closed form': share, '2': share})
    draw_samples(paired('isda', 'isda samples=10', 'isda samples=2'), timed, tmp_path / 'f.png')
    left, right = shown[0].axes
    assert [[label.get_text() for label in axis.get_xticklabels()] for axis in (left, right)] == [
        ['2', '10', 'closed form']] * 2
    assert left.containers[0].lines[0].get_ydata().tolist() == [-1.0] * 3
    assert right.containers[0].lines[0].get_xdata().tolist() == [0, 2]
    assert right.containers[0].lines[0].get_ydata().tolist() == [10.0, 10.0]
    assert 'a machine' in right.get_title()


def test_series_without_samples_is_an_error(tmp_path):
    with pytest.raises(ValueError, match='No arm of this series has samples=M'):
        draw_samples(paired('isda'), {}, tmp_path / 'f.png')
