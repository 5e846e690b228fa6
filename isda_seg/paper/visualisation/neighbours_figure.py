"""Figure of nearest images: one row per translation of a query, one column per neighbour."""
import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from isda_seg.paper.figures import figure_pixels
from isda_seg.paper.visualisation.class_directions import SearchResult
from isda_seg.paper.visualisation.directions import RANDOM_LEADING, RANDOM_SAMPLED
from isda_seg.paper.visualisation.patches import Patch
from isda_seg.paper.visualisation.shares import Row, shares

DPI = 100
SIDE, PITCH, ROW, LABELS, GAP, HEADER, FOOTER = 0.64, 0.71, 0.88, 2.15, 0.3, 0.98, 0.5  # inches
LEAST = 9.0  # minimum width in inches, for the longest line of text
LETTERS = 13  # characters per inch of the title
INK, GREY, SAME, OTHER, OUTLINE = '#333333', '#777777', '#00805f', '#c43d12', '#ffe600'
STYLE: list[Any] = ['default', {'font.size': 9, 'text.color': INK}]
CONTROLS = RANDOM_SAMPLED, RANDOM_LEADING


class Page:
    """Figure with coordinates in inches from the upper left corner."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width, height), dpi=DPI)
        self.axis: Any = self.figure.add_axes((0, 0, 1, 1))
        self.axis.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
        self.axis.set_axis_off()

    def write(self, x: float, y: float, text: str, size: float = 9, colour: str = INK, weight: str = 'normal',
              align: str = 'left') -> None:
        """Write text with its upper edge at y."""
        self.axis.text(x, y, text, size=size, color=colour, weight=weight, ha=align, va='top')

    def show(self, x: float, y: float, patch: Patch, caption: str, colour: str) -> None:
        """Draw an image with a frame and a caption in the given colour."""
        height, width = patch.pixels.shape[:2]
        scale = SIDE / max(height, width)
        self.axis.imshow(patch.pixels, extent=(x, x + scale * width, y + scale * height, y), interpolation='nearest',
                         aspect='auto')
        if patch.cell is not None:
            left, top, across, down = (scale * side for side in patch.cell)
            self._outline(x + left, y + top, across, down, OUTLINE, 1.2)
        self._outline(x, y, SIDE, SIDE, colour, 1.5)
        self.write(x + SIDE / 2, y + SIDE + 0.04, caption, 7.5, colour, align='center')

    def rule(self, y: float) -> None:
        """Draw a horizontal line across the page."""
        self.axis.plot([0.1, self.width - 0.1], [y, y], color='#dddddd')

    def _outline(self, x: float, y: float, width: float, height: float, colour: str, line: float) -> None:
        self.axis.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=line))


def draw_class(result: SearchResult, name: str, title: str) -> np.ndarray:
    """Draw the figure of a class, deterministically, and return its pixels (H, W, 3) uint8 RGB.

    The title has one or two lines.
    """
    queries = result.rows[name]
    blocks = [rows_to_draw(rows) for rows in queries[:result.options.shown]]
    columns = max(len(row.neighbours.image) for block in blocks for row in block)
    across = PITCH * (columns + 1) + GAP
    width, height = max(LEAST, LABELS + len(blocks) * across), HEADER + ROW * len(blocks[0]) + FOOTER
    with style.context(STYLE):
        page = Page(width, height)
        page.write(0.1, 0.1, f'Features of "{name}", translated as by ISDA, and the images with the nearest features',
                   11, weight='bold')
        page.write(0.1, 0.35, textwrap.fill(title, int(LETTERS * width)), colour=GREY)
        _write_labels(page, blocks[0], queries)
        for index, block in enumerate(blocks):
            left = LABELS + index * across
            page.write(left, HEADER - 0.22, 'query', weight='bold')
            page.write(left + PITCH, HEADER - 0.22, 'nearest images, by distance', weight='bold')
            _draw_block(page, result, block, left)
        _write_legend(page, queries, blocks[0][0], result)
        return figure_pixels(page.figure)


def rows_to_draw(rows: Sequence[Row]) -> list[Row]:
    """Return the rows to draw; of consecutive random directions of the same kind only the first is drawn."""
    return [row for index, row in enumerate(rows)
            if row.translation.kind not in CONTROLS or row.translation.kind != rows[index - 1].translation.kind]


def _draw_block(page: Page, result: SearchResult, block: Sequence[Row], left: float) -> None:
    """Draw a query and its neighbours in every row."""
    query = block[0].query
    correct = query.predicted == query.label
    page.show(left, HEADER, result.patches[query.image, query.sample],
              result.names[query.label] if correct else f'as {result.names[query.predicted]}',
              INK if correct else OTHER)
    for line, row in enumerate(block):
        found = zip(*(field.tolist() for field in row.neighbours[1:]), strict=True)
        for column, (image, sample, label) in enumerate(found, 1):
            page.show(left + PITCH * column, HEADER + ROW * line, result.patches[image, sample], result.names[label],
                      SAME if label == query.label else OTHER)


def _write_labels(page: Page, block: Sequence[Row], queries: Sequence[Sequence[Row]]) -> None:
    """Label each row; the first row of each kind also gets a separator and the shares over all queries."""
    found, kind = shares(queries), None
    for line, row in enumerate(block):
        top = HEADER + ROW * line
        page.write(0.1, top + 0.12, row.translation.name, weight='bold')
        if row.translation.kind != kind:
            kind, share = row.translation.kind, found[row.translation.kind]
            new = f', {100 * share.new:.0f} % new' if line else ''
            page.write(0.1, top + 0.32, f'{100 * share.same_class:.0f} % of the class{new}', 8, GREY)
            if line:
                page.rule(top - 0.06)


def _write_legend(page: Page, queries: Sequence[Sequence[Row]], row: Row, result: SearchResult) -> None:
    """Write the legend."""
    square = result.patches[row.query.image, row.query.sample].cell is not None
    where = 'yellow square: the pixel of the feature; ' if square else ''
    apart = f' and {result.options.apart} on each side of it are' if result.options.apart else ' is'
    page.write(0.1, page.height - FOOTER + 0.08,
               f'Green: same class; red: other class, true or predicted ("as"); {where}each image counts once, by '
               f"its nearest feature; the query's image{apart} excluded.\nShares over the neighbours of {len(queries)} "
               'queries; new: not a neighbour of the untranslated feature. Random directions of equal length are the '
               'control.', 8, GREY)
