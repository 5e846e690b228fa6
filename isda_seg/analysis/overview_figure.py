"""The README's picture: which tensor ISDA augments, and why its loss is still cross-entropy.

Points, ellipses, table and losses are a toy of three classes and two feature channels, computed by `isda_seg.core`.
The copies are drawn for the picture only: ISDA never draws one.
"""
from pathlib import Path
from typing import Any, NamedTuple

import torch
from matplotlib import style
from matplotlib.figure import Figure  # no pyplot: a Figure on its own is saved by Agg
from matplotlib.patches import Ellipse, FancyBboxPatch, Rectangle
from torch import Tensor

from isda_seg.core import ClassStatistics, isda_cross_entropy, margin_variance, sampled_cross_entropy

WIDTH, HEIGHT, DPI = 1400, 520, 120
STRENGTH, COPIES, SEEDS = 0.5, 1000, 5
INK, GREY, AUGMENTED, ISDA = '#333333', '#999999', '#cf3d4f', '#2f4b9b'
CLASSES = ('#e09f1f', '#2f9280', '#8d99ae')
STYLE: list[Any] = ['default', {'font.size': 11, 'text.color': INK, 'axes.labelcolor': INK, 'axes.edgecolor': GREY}]


class Toy(NamedTuple):
    """What the picture shows. The losses are those of the first feature, a, whose label y is the first class."""
    features: Tensor            # (N, 2)
    labels: Tensor              # (N,)
    weight: Tensor              # (3, 2)
    bias: Tensor                # (3,)
    statistics: ClassStatistics
    copies: Tensor              # (120, 2), of a
    plain: float                # cross-entropy of a itself
    num_samples: list[int]      # M = 1 .. COPIES
    sampled: list[list[float]]  # Eq. 5, a list per seed, an entry per M
    bound: float                # Eq. 7


def make_toy() -> Toy:
    """The same numbers at every call."""
    generator = torch.Generator().manual_seed(0)
    mean = torch.tensor([[-1.6, -0.5], [1.6, -0.5], [0.0, 1.7]])
    deviation = torch.tensor([[1.0, 0.3], [0.45, 0.55], [0.8, 0.35]])
    labels = torch.arange(3).repeat(80)
    features = mean[labels] + deviation[labels] * torch.randn(240, 2, generator=generator)
    features[0] = torch.tensor([-0.75, -0.45])
    statistics = ClassStatistics(3, 2)
    for step in range(4):
        statistics.observe(features[step::4], labels[step::4])
    weight, bias = 0.6 * mean, -0.3 * mean.square().sum(1)  # the nearest mean wins
    a, y, sigma = features[:1], labels[:1], statistics.covariance
    copies = a + (STRENGTH * sigma[0]).sqrt() * torch.randn(120, 2, generator=generator)
    num_samples = sorted({round(COPIES ** (i / 60)) for i in range(61)})
    sampled = [[sampled_cross_entropy(a, y, weight, bias, sigma, STRENGTH, m, generator=generator.manual_seed(seed)).item()
                for m in num_samples] for seed in range(SEEDS)]
    plain, bound = (isda_cross_entropy(a @ weight.t() + bias, y, weight, sigma, s).item() for s in (0, STRENGTH))
    return Toy(features, labels, weight, bias, statistics, copies, plain, num_samples, sampled, bound)


def draw_overview(out: str | Path) -> Toy:
    """Write the picture (WIDTH x HEIGHT pixels) and return the numbers in it."""
    toy = make_toy()
    with style.context(STYLE, after_reset=True):
        compose(toy).savefig(out, dpi=DPI, facecolor='white', format='png', pil_kwargs={'optimize': True})
    return toy


def compose(toy: Toy) -> Figure:
    """The figure, laid out in pixels: x, y, width, height."""
    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI))
    places = ((0, 0, WIDTH, HEIGHT), (20, 75, 370, 195), (450, 75, 160, 160), (1025, 72, 350, 360))
    path, features, table, losses = (
        figure.add_axes((x / WIDTH, y / HEIGHT, w / WIDTH, h / HEIGHT)) for x, y, w, h in places)
    draw_path(path)
    for c, color in enumerate(CLASSES):
        features.plot(*toy.features[toy.labels == c].t(), '.', color=color, ms=3.5, alpha=0.6)
        size = 4 * toy.statistics.covariance[c].sqrt()  # two standard deviations to each side
        features.add_patch(Ellipse(toy.statistics.mean[c].tolist(), *size.tolist(), fc='none', ec=color, lw=2))
        table.plot([c, -0.72], [-0.72, c], 'o', color=color, ms=8, clip_on=False)
    features.plot(*toy.copies.t(), '.', color=AUGMENTED, ms=3.5)
    features.plot(*toy.features[0], 'o', color=AUGMENTED, mec='white', ms=10)
    features.set(xticks=[], yticks=[], xlim=(-4.6, 4.1), ylim=(-1.98, 2.61))
    values = margin_variance(toy.weight, toy.statistics.covariance)
    table.imshow(values, cmap='Blues', vmax=1.6 * values.max())
    for y, c in torch.cartesian_prod(torch.arange(3), torch.arange(3)).tolist():
        table.text(c, y, f'{values[y, c]:.1f}', ha='center', va='center')
    table.add_patch(Rectangle((-0.5, -0.5), 3, 1, fc='none', ec=ISDA, lw=2.5, clip_on=False))
    table.set(xticks=[], yticks=[], xlim=(-0.5, 2.5), ylim=(2.5, -0.5))
    for run in toy.sampled:
        losses.plot(toy.num_samples, run, color=AUGMENTED, lw=1, alpha=0.55)
    losses.axhline(toy.bound, color=ISDA, lw=2.5)
    losses.axhline(toy.plain, color=INK, lw=1.5, ls='--')
    for height, color, text in ((toy.bound + 0.012, ISDA, 'ISDA, no copy drawn (Eq. 7)'),
                                (0.452, AUGMENTED, '$M$ copies $\\tilde a$'), (toy.plain - 0.028, INK, '$a$ alone')):
        losses.text(850, height, text, color=color, ha='right')
    losses.set(xscale='log', xlim=(1, COPIES), ylim=(0.28, 0.74), xlabel='copies $M$', ylabel='cross-entropy')
    return figure


def draw_path(page: Any) -> None:
    """The boxes and arrows on the left, and the headings."""
    def arrow(start: tuple[float, float], end: tuple[float, float], color: str = INK, bend: str = 'arc3') -> None:
        page.annotate('', end, start, arrowprops={'arrowstyle': '-|>', 'color': color, 'lw': 1.8, 'mutation_scale': 14,
                                                  'shrinkA': 0, 'shrinkB': 0, 'connectionstyle': bend})

    page.axis('off')
    page.set(xlim=(0, WIDTH), ylim=(0, HEIGHT))
    for x, y, width, text in ((62, 410, 84, 'image'), (195, 410, 118, 'backbone\n+ head'), (62, 325, 84, 'labels'),
                              (345, 410, 110, 'deep\nfeature $a$'), (530, 410, 120, 'classifier\n$W$'),
                              (665, 410, 76, 'logits\n$z$'), (880, 410, 120, 'cross-\nentropy')):
        edge, face, ink = (AUGMENTED, AUGMENTED, 'white') if 'deep' in text else (GREY, '#f2f3f5', INK)
        page.add_patch(FancyBboxPatch((x - width / 2 + 6, y - 26), width - 12, 52, 'round,pad=6', ec=edge, fc=face))
        page.text(x, y, text, ha='center', va='center', color=ink)
    for start, end in ((104, 136), (254, 290), (400, 470), (590, 627), (703, 742), (778, 820)):
        arrow((start, 410), (end, 410))
    for top, bottom, x in ((293, 272, 62), (378, 272, 345), (378, 262, 530)):
        arrow((x, top), (x, bottom), ISDA)
    arrow((392, 155), (425, 155), ISDA)
    arrow((612, 208), (760, 388), ISDA, 'angle,angleA=0,angleB=90')
    page.text(760, 410, '+', ha='center', va='center', color='white', fontsize=15, weight='bold',
              bbox={'boxstyle': 'circle,pad=0.2', 'fc': ISDA, 'ec': ISDA})
    for x, y, text, color, size, align in (
            (20, 484, r'$\bf{Which\ tensor\ is\ augmented?}$  The deep feature $a$', INK, 13, 'left'),
            (965, 484, r'$\bf{Why\ still\ cross\text{-}entropy?}$', INK, 13, 'left'),
            (965, 456, 'It bounds the mean over infinitely many copies', INK, 11, 'left'),
            (335, 322, r'$\tilde a \sim N(a,\ \lambda\Sigma_y)$', AUGMENTED, 13, 'right'),
            (205, 48, r'running class statistics $\Sigma$  ($C \times A$)', ISDA, 11, 'center'),
            (530, 48, r'table $T$  ($C \times C$)', ISDA, 11, 'center'),
            (530, 18, r'$T[y,c]=(w_c-w_y)^\top\Sigma_y\,(w_c-w_y)$', ISDA, 11, 'center'),
            (774, 280, r'$+\ \frac{\lambda}{2}\,T[y,c]$', ISDA, 15, 'left'),
            (774, 250, 'row of the label', ISDA, 11, 'left')):
        page.text(x, y, text, color=color, fontsize=size, ha=align)
