"""Overview figure of the README: the augmented tensor and the closed-form loss.

The toy example (three classes, two channels) is computed by ``isda_seg.core``. Augmented copies are sampled only for
this figure, never by ISDA.
"""
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib import style
from matplotlib.figure import Figure  # no pyplot: a Figure on its own is saved by Agg
from matplotlib.patches import Ellipse, FancyBboxPatch, Rectangle

from isda_seg.core import ClassStatistics, isda_cross_entropy, margin_variance, sampled_cross_entropy

WIDTH, HEIGHT, DPI = 1400, 520, 120
STRENGTH, SEEDS = 0.5, 4
NUM_SAMPLES = sorted({round(1000 ** (i / 30)) for i in range(31)})  # M = 1 .. 1000
INK, GREY, AUGMENTED, RUN, ISDA = '#333333', '#999999', '#cf3d4f', '#e99aa4', '#2f4b9b'
CLASSES = ('#e09f1f', '#2f9280', '#8d99ae')
STYLE: list[Any] = ['default', {'font.size': 11, 'text.color': INK, 'axes.labelcolor': INK, 'axes.edgecolor': GREY}]


class Toy(NamedTuple):
    """Content of the figure. The losses belong to the first feature, a, whose label y is the first class."""
    features: torch.Tensor      # (N, 2)
    labels: torch.Tensor        # (N,)
    weight: torch.Tensor        # (3, 2)
    bias: torch.Tensor          # (3,)
    statistics: ClassStatistics
    plain: float                # cross-entropy of a itself
    sampled: list[list[float]]  # Eq. 5, a list per seed, an entry per M
    bound: float                # Eq. 7


def make_toy() -> Toy:
    """Compute the toy example, deterministically."""
    generator = torch.Generator().manual_seed(0)
    mean, deviation = torch.tensor([[[-1.6, -0.5], [1.6, -0.5], [0, 1.7]], [[1, 0.3], [0.45, 0.55], [0.8, 0.35]]])
    labels = torch.arange(3).repeat(80)
    features = mean[labels] + deviation[labels] * torch.randn(240, 2, generator=generator)
    features[0] = torch.tensor([-0.75, -0.45])
    statistics = ClassStatistics(3, 2)
    statistics.observe(features, labels)
    weight, bias = 0.6 * mean, -0.3 * mean.square().sum(1)  # the nearest mean wins
    a, y, sigma = features[:1], labels[:1], statistics.covariance
    sampled = [[float(sampled_cross_entropy(a, y, weight, bias, sigma, STRENGTH, m, generator=generator.manual_seed(s)))
                for m in NUM_SAMPLES] for s in range(SEEDS)]
    plain, bound = (float(isda_cross_entropy(a @ weight.t() + bias, y, weight, sigma, s)) for s in (0, STRENGTH))
    return Toy(features, labels, weight, bias, statistics, plain, sampled, bound)


def draw_overview(out: str | Path) -> Toy:
    """Write the figure, a .png of WIDTH x HEIGHT pixels, and return its data."""
    toy = make_toy()
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    with style.context(STYLE, after_reset=True):
        compose(toy).savefig(out, dpi=DPI, facecolor='white', pil_kwargs={'compress_type': 0, 'compress_level': 9})
    return toy


def compose(toy: Toy) -> Figure:
    """Compose the figure; the layout is in pixels: x, y, width, height."""
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI))
    places = ((0, 0, WIDTH, HEIGHT), (20, 75, 370, 195), (450, 75, 160, 160), (1025, 72, 350, 360))
    page, points, table, losses = (figure.add_axes((x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT))
                                   for x, y, w, h in places)
    draw_path(page)
    sigma = toy.statistics.covariance
    for c, color in enumerate(CLASSES):
        points.plot(*toy.features[toy.labels == c].t(), '.', color=color, ms=3)
        axes = (4 * sigma[c].sqrt()).tolist()  # two standard deviations to each side
        points.add_patch(Ellipse(tuple(toy.statistics.mean[c].tolist()), *axes, fc='none', ec=color, lw=2))
        table.plot([c, -0.72], [-0.72, c], 'o', color=color, ms=8, clip_on=False)
    noise = torch.randn(80, 2, generator=torch.Generator().manual_seed(0))
    points.plot(*(toy.features[0] + (STRENGTH * sigma[0]).sqrt() * noise).t(), '.', color=AUGMENTED, ms=3)
    points.plot(*toy.features[0], 'o', color=AUGMENTED, mec='white', ms=10)
    points.set(xticks=[], yticks=[], xlim=(-4.6, 4.1), ylim=(-1.98, 2.61))
    values = margin_variance(toy.weight, sigma)
    table.imshow(values.tolist(), cmap='Blues', vmin=0, vmax=1.6 * float(values.max()))
    for i in range(9):
        table.text(i % 3, i // 3, f'{values.flatten()[i]:.1f}', ha='center', va='center')
    table.add_patch(Rectangle((-0.5, -0.5), 3, 1, fc='none', ec=ISDA, lw=2.5, clip_on=False))
    table.set(xticks=[], yticks=[], xlim=(-0.5, 2.5), ylim=(2.5, -0.5))
    losses.plot(NUM_SAMPLES, torch.tensor(toy.sampled).t(), color=RUN, lw=1.2)
    losses.hlines(toy.plain, 1, 1000, colors=INK, linestyles='--', lw=2)
    losses.hlines(toy.bound, 1, 1000, colors=ISDA, linestyles='-', lw=2)
    losses.text(850, toy.bound + 0.012, 'ISDA (Eq. 7)', color=ISDA, ha='right')
    losses.text(850, toy.plain + 0.015, r'$M$ copies $\tilde a$', color=AUGMENTED, ha='right')
    losses.text(850, toy.plain - 0.028, '$a$ alone', ha='right')
    losses.set(xscale='log', xlim=(1, 1000), ylim=(0.28, 0.74), ylabel='cross-entropy',
               xlabel=f'copies $M$ of the red feature ($\\lambda={STRENGTH}$)')
    return figure


def draw_path(page: Any) -> None:
    """Draw boxes, arrows and headings."""
    page.axis((0, WIDTH, 0, HEIGHT))
    page.axis('off')
    for x, y, width, text in ((62, 410, 84, 'image'), (195, 410, 118, 'backbone\n+ head'), (62, 325, 84, 'labels'),
                              (345, 410, 110, 'deep\nfeature $a$'), (530, 410, 120, 'classifier\n$W$'),
                              (665, 410, 76, 'logits\n$z$'), (880, 410, 120, 'cross-\nentropy')):
        edge, face, ink = (AUGMENTED, AUGMENTED, 'white') if 'deep' in text else (GREY, '#f2f3f5', INK)
        page.add_patch(FancyBboxPatch((x - width / 2 + 6, y - 26), width - 12, 52, 'round,pad=6', ec=edge, fc=face))
        page.text(x, y, text, ha='center', va='center', color=ink)
    for x, y, dx, dy in ((104, 410, 32, 0), (254, 410, 36, 0), (400, 410, 70, 0), (590, 410, 37, 0), (703, 410, 39, 0),
                         (778, 410, 42, 0), (62, 293, 0, -21), (345, 378, 0, -106), (530, 378, 0, -116),
                         (392, 155, 33, 0), (612, 208, 148, 180)):
        page.annotate('', (x + dx, y + dy), (x, y), arrowprops={
            'arrowstyle': '-|>', 'color': INK if y == 410 else ISDA, 'lw': 1.8, 'mutation_scale': 14, 'shrinkA': 0,
            'shrinkB': 0, 'connectionstyle': 'angle,angleA=0,angleB=90' if dx and dy else 'arc3'})
    page.text(760, 410, '+', ha='center', va='center', c='white', size=15, bbox={'boxstyle': 'circle', 'color': ISDA})
    for x, y, size, color, align, text in (
            (20, 484, 13, INK, 'left', r'$\bf{Which\ tensor\ is\ augmented?}$  The deep feature $a$'),
            (965, 484, 13, INK, 'left', r'$\bf{Why\ still\ cross\text{-}entropy?}$'),
            (965, 456, 11, INK, 'left', 'It bounds the mean over copies, drawing none'),
            (335, 322, 13, AUGMENTED, 'right', r'$\tilde a \sim N(a,\ \lambda\Sigma_y)$'),
            (205, 43, 11, ISDA, 'center', r'running class statistics $\Sigma$  ($C \times A$)'),
            (530, 18, 11, ISDA, 'center', 'table $T$  ($C \\times C$)\n$T[y,c]=(w_c-w_y)^\\top\\Sigma_y\\,(w_c-w_y)$'),
            (774, 280, 15, ISDA, 'left', r'$+\ \frac{\lambda}{2}\,T[y,c]$'),
            (774, 250, 11, ISDA, 'left', 'row of the label')):
        page.text(x, y, text, color=color, fontsize=size, ha=align)
