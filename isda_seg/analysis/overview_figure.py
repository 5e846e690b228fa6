"""The README's picture: which tensor ISDA augments, and why its loss is still cross-entropy.

Its points, ellipses, table and curves are a toy with three classes and two feature channels, computed by
`isda_seg.core`. The copies are drawn for the picture only: ISDA never draws one.
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
STRENGTH, COPIES, SEEDS = 0.5, 1000, 6
INK, PALE, AUGMENTED, ISDA = '#333333', '#f2f3f5', '#cf3d4f', '#2f4b9b'
CLASSES = ('#e09f1f', '#2f9280', '#8d99ae')
STYLE: list[Any] = ['default', {'font.size': 11, 'text.color': INK, 'axes.labelcolor': INK, 'axes.edgecolor': '#999999'}]


class Toy(NamedTuple):
    """What the picture shows; its losses are those of the first feature a, of class y = 0."""
    features: Tensor            # (N, 2)
    labels: Tensor              # (N,)
    weight: Tensor              # (3, 2)
    bias: Tensor                # (3,)
    statistics: ClassStatistics
    table: Tensor               # (3, 3)
    copies: Tensor              # (M, 2), of a
    plain: float                # cross-entropy of a itself
    num_samples: list[int]      # M = 1 .. COPIES
    sampled: list[list[float]]  # Eq. 5 for every seed and M
    bound: float                # Eq. 7


def make_toy() -> Toy:
    """The same numbers at every call."""
    generator = torch.Generator().manual_seed(0)
    mean = torch.tensor([[-1.6, -0.5], [1.6, -0.5], [0.0, 1.7]])
    deviation = torch.tensor([[1.0, 0.3], [0.45, 0.55], [0.8, 0.35]])
    labels = torch.arange(3).repeat(80)
    features = mean[labels] + deviation[labels] * torch.randn(len(labels), 2, generator=generator)
    features[0] = torch.tensor([-0.75, -0.45])
    weight, bias = 0.6 * mean, -0.3 * mean.square().sum(1)  # the nearest mean wins
    statistics = ClassStatistics(3, 2)
    for step in range(4):
        statistics.observe(features[step::4], labels[step::4])
    a, y, sigma = features[:1], labels[:1], statistics.covariance
    copies = a + (STRENGTH * sigma[0]).sqrt() * torch.randn(120, 2, generator=generator)
    num_samples = sorted({round(COPIES ** (i / 60)) for i in range(61)})
    sampled = [[float(sampled_cross_entropy(a, y, weight, bias, sigma, STRENGTH, m,
                                            generator=torch.Generator().manual_seed(seed))) for m in num_samples]
               for seed in range(SEEDS)]
    plain, bound = (float(isda_cross_entropy(a @ weight.t() + bias, y, weight, sigma, s)) for s in (0, STRENGTH))
    return Toy(features, labels, weight, bias, statistics, margin_variance(weight, sigma), copies, plain, num_samples,
               sampled, bound)


def draw_overview(out: str | Path) -> Toy:
    """Write the picture (WIDTH x HEIGHT pixels) and return the numbers in it."""
    toy = make_toy()
    with style.context(STYLE, after_reset=True):
        figure = compose(toy)
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(out, dpi=DPI, facecolor='white')
    return toy


def compose(toy: Toy) -> Figure:
    """The figure, laid out in pixels."""
    def axes(x: float, y: float, width: float, height: float, **kwargs: Any) -> Any:
        return figure.add_axes((x / WIDTH, y / HEIGHT, width / WIDTH, height / HEIGHT), **kwargs)

    figure = Figure(figsize=(WIDTH / DPI, HEIGHT / DPI))
    _draw_path(axes(0, 0, WIDTH, HEIGHT, xlim=(0, WIDTH), ylim=(0, HEIGHT)))
    _draw_features(axes(20, 75, 370, 195, xticks=[], yticks=[], xlim=(-4.6, 4.1), ylim=(-1.98, 2.61)), toy)
    _draw_table(axes(450, 75, 160, 160, xticks=[], yticks=[]), toy.table)
    _draw_losses(axes(1040, 72, 345, 372, xscale='log', xlim=(1, COPIES), ylim=(0.28, 0.74)), toy)
    return figure


def _draw_path(page: Any) -> None:
    def box(x: float, y: float, width: float, text: str, edge: str = '#999999', face: str = PALE, ink: str = INK) -> None:
        page.add_patch(FancyBboxPatch((x - width / 2 + 6, y - 26), width - 12, 52, 'round,pad=6', ec=edge, fc=face))
        page.text(x, y, text, ha='center', va='center', color=ink)

    def arrow(start: tuple[float, float], end: tuple[float, float], color: str = INK, bend: str = 'arc3') -> None:
        page.annotate('', end, start, arrowprops=dict(arrowstyle='-|>', color=color, lw=1.8, shrinkA=0, shrinkB=0,
                                                      mutation_scale=14, connectionstyle=bend))

    page.axis('off')
    page.text(20, 484, 'Which tensor is augmented?  The deep feature $a$', fontsize=13, weight='bold')
    page.text(1040, 484, 'Why still cross-entropy?', fontsize=13, weight='bold')
    for x, width, text in ((62, 84, 'image'), (195, 118, 'backbone\n+ head'), (530, 120, 'classifier\n$W$'),
                           (665, 76, 'logits\n$z$'), (880, 120, 'cross-\nentropy')):
        box(x, 410, width, text)
    box(345, 410, 110, 'deep\nfeature $a$', AUGMENTED, AUGMENTED, 'white')
    box(62, 325, 84, 'labels')
    for x, end in ((104, 136), (254, 290), (400, 470), (590, 627), (703, 742), (778, 820)):
        arrow((x, 410), (end, 410))
    page.text(760, 410, '+', ha='center', va='center', color='white', fontsize=15, weight='bold',
              bbox=dict(boxstyle='circle,pad=0.2', fc=ISDA, ec=ISDA))
    arrow((62, 293), (62, 272), ISDA)
    arrow((345, 378), (345, 272), ISDA)
    arrow((530, 378), (530, 262), ISDA)
    arrow((392, 155), (425, 155), ISDA)
    arrow((612, 208), (760, 388), ISDA, 'angle,angleA=0,angleB=90')
    page.text(333, 325, r'$\tilde a \sim N(a,\ \lambda\Sigma_y)$', color=AUGMENTED, ha='right', va='center', fontsize=13)
    page.text(205, 48, r'running class statistics $\Sigma$  ($C \times A$)', color=ISDA, ha='center')
    page.text(530, 48, r'table $T$  ($C \times C$)', color=ISDA, ha='center')
    page.text(530, 18, r'$T[y,c]=(w_c-w_y)^\top\Sigma_y\,(w_c-w_y)$', color=ISDA, ha='center')
    page.text(774, 280, r'$+\ \frac{\lambda}{2}\,T[y,c]$', color=ISDA, fontsize=15)
    page.text(774, 250, 'row of the label', color=ISDA)


def _draw_features(ax: Any, toy: Toy) -> None:
    for c, color in enumerate(CLASSES):
        ax.plot(*toy.features[toy.labels == c].t(), '.', color=color, ms=3.5, alpha=0.55)
        size = 4 * toy.statistics.covariance[c].sqrt()  # two standard deviations to each side
        ax.add_patch(Ellipse(toy.statistics.mean[c].tolist(), *size.tolist(), fc='none', ec=color, lw=2))
    ax.plot(*toy.copies.t(), '.', color=AUGMENTED, ms=3.5)
    ax.plot(*toy.features[0], 'o', color=AUGMENTED, mec='white', ms=10)


def _draw_table(ax: Any, table: Tensor) -> None:
    ax.imshow(table, cmap='Blues', vmin=0, vmax=1.6 * float(table.max()))
    for y, row in enumerate(table.tolist()):
        for c, value in enumerate(row):
            ax.text(c, y, f'{value:.1f}', ha='center', va='center')
        ax.plot([y, -0.72], [-0.72, y], 'o', color=CLASSES[y], ms=8, clip_on=False)
    ax.set(xlim=(-0.5, 2.5), ylim=(2.5, -0.5))
    ax.add_patch(Rectangle((-0.5, -0.5), 3, 1, fc='none', ec=ISDA, lw=2.5, clip_on=False))


def _draw_losses(ax: Any, toy: Toy) -> None:
    for losses in toy.sampled:
        ax.plot(toy.num_samples, losses, color=AUGMENTED, lw=1, alpha=0.6)
    ax.axhline(toy.bound, color=ISDA, lw=2.5)
    ax.axhline(toy.plain, color=INK, lw=1.5, ls='--')
