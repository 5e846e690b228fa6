"""The README's picture tells the truth: its numbers obey the paper, and the file shows them legibly."""

from itertools import combinations
from pathlib import Path

import matplotlib.image
import matplotlib.style
import numpy as np
import pytest
import reference
import torch
import torch.nn.functional as F
from matplotlib.colors import to_rgb

from docs.overview_figure import (
    AUGMENTED,
    DPI,
    HEIGHT,
    ISDA,
    NUM_SAMPLES,
    SEEDS,
    STRENGTH,
    STYLE,
    WIDTH,
    compose,
    draw_overview,
    make_toy,
)

PICTURE = Path(__file__).resolve().parents[3] / 'configs' / 'figures' / 'overview.png'


@pytest.fixture(scope='module')
def drawn(tmp_path_factory):
    """The path of a picture drawn now, and its numbers."""
    out = tmp_path_factory.mktemp('overview') / 'new' / 'overview.png'
    return out, draw_overview(out)


def pixels(path):
    return matplotlib.image.imread(path)[..., :3]


def first(toy):
    """Feature a, label y, logits, all in float64."""
    a = toy.features[:1].double()
    return a, toy.labels[:1], a @ toy.weight.double().T + toy.bias.double()


def test_the_sampled_loss_is_between_plain_loss_and_bound(drawn):
    toy = drawn[1]
    assert [len(run) for run in toy.sampled] == [len(NUM_SAMPLES)] * SEEDS
    assert NUM_SAMPLES[0] == 1 and NUM_SAMPLES[-1] == 1000
    assert all(toy.plain < run[-1] < toy.bound for run in toy.sampled)


def test_sampled_losses_converge(drawn):
    runs = torch.tensor(drawn[1].sampled)
    tenth = NUM_SAMPLES.index(10)
    assert runs[:, -1].std() < runs[:, tenth].std() / 2


def test_the_shown_losses_equal_the_equations(drawn):
    toy = drawn[1]
    a, y, logits = first(toy)
    weight, sigma = toy.weight.double(), toy.statistics.covariance.double()
    assert toy.plain == pytest.approx(float(F.cross_entropy(logits, y)), abs=1e-6)
    assert toy.bound == pytest.approx(
        float(reference.isda_cross_entropy(logits, y, weight, sigma, STRENGTH)), abs=1e-6)
    expected = float(reference.sampled_cross_entropy(a, y, weight, toy.bias.double(), sigma, STRENGTH, 200_000,
                                                     torch.Generator().manual_seed(7)))
    assert toy.plain < expected < toy.bound
    assert [run[-1] for run in toy.sampled] == pytest.approx([expected] * SEEDS, abs=0.06)


def test_the_ellipses_are_the_moments_of_the_points(drawn):
    toy = drawn[1]
    count, mean, covariance = reference.batch_moments(toy.features, toy.labels, 3)
    assert toy.statistics.count.tolist() == count.tolist() == [80, 80, 80]
    torch.testing.assert_close(toy.statistics.mean.double(), mean, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(toy.statistics.covariance.double(), reference.diagonal(covariance), rtol=1e-5, atol=1e-6)


def test_the_shown_table_equals_the_reference(drawn):
    toy = drawn[1]
    table = reference.margin_variance(toy.weight.double(), toy.statistics.covariance.double())
    shown = [text.get_text() for text in compose(toy).axes[2].texts]
    assert shown == [f'{value:.1f}' for value in table.flatten().tolist()]
    assert [shown[0], shown[4], shown[8]] == ['0.0'] * 3


def test_the_figure_is_reproducible(drawn, tmp_path):
    out, toy = drawn
    again = make_toy()
    assert (again.plain, again.sampled, again.bound) == (toy.plain, toy.sampled, toy.bound)
    draw_overview(tmp_path / 'again.png')
    assert (tmp_path / 'again.png').read_bytes() == out.read_bytes()


@pytest.mark.parametrize('settings', [{'font.size': 30, 'axes.facecolor': 'black', 'savefig.bbox': 'tight'}])
def test_matplotlib_settings_of_the_user_have_no_effect(drawn, tmp_path, settings):
    with matplotlib.rc_context(settings):
        draw_overview(tmp_path / 'styled.png')
        assert matplotlib.rcParams['font.size'] == settings['font.size']
    assert np.array_equal(pixels(tmp_path / 'styled.png'), pixels(drawn[0]))


def test_text_neither_overlaps_nor_leaves_the_page(drawn):
    with matplotlib.style.context(STYLE, after_reset=True):
        figure = compose(drawn[1])
        figure.set_dpi(DPI)
        figure.draw_without_rendering()
    losses = figure.axes[3]
    texts = [text for axes in figure.axes for text in axes.texts if text.get_text()]
    texts += [losses.xaxis.label, losses.yaxis.label]
    for axis, limits in ((losses.xaxis, losses.get_xlim()), (losses.yaxis, losses.get_ylim())):
        texts += [tick.label1 for tick in axis.get_major_ticks() if limits[0] <= tick.get_loc() <= limits[1]]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts]
    assert len(boxes) == 16 + 9 + 3 + 2 + 4 + 5  # page, table, losses, their labels and ticks
    assert [name for name, box in boxes if min(box.x0, box.y0) < 0 or box.x1 > WIDTH or box.y1 > HEIGHT] == []
    assert [(a, b) for (a, box), (b, other) in combinations(boxes, 2) if box.overlaps(other)] == []


@pytest.mark.parametrize('which', ['drawn', 'committed'])
def test_the_file_is_a_small_non_blank_image_of_the_expected_size(drawn, which):
    path = drawn[0] if which == 'drawn' else PICTURE
    image = pixels(path)
    assert image.shape == (HEIGHT, WIDTH, 3) == (520, 1400, 3)
    assert path.stat().st_size < 150_000
    assert np.array_equal(image[[0, 0, -1, -1], [0, -1, 0, -1]], np.ones((4, 3), image.dtype))
    assert 0.1 < (image < 1).any(axis=2).mean() < 0.3
    for color in (AUGMENTED, ISDA):
        exact = np.isclose(image, to_rgb(color), atol=1 / 255).all(axis=2)
        assert exact.sum() > 2000


def test_the_committed_figure_is_current(drawn):
    """`python tools/make.py figures` brings it up to date; another version of matplotlib moves a few pixels."""
    same_version = f'Matplotlib version{matplotlib.__version__},'.encode() in PICTURE.read_bytes()
    assert np.abs(pixels(PICTURE) - pixels(drawn[0])).mean() < (0.0005 if same_version else 0.02)
