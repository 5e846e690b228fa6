"""Output of figures: files and image arrays."""
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure  # without pyplot, a Figure is rendered by Agg


def save_figure(figure: Figure, out: str | Path, dpi: int = 120) -> None:
    """Write a figure, and create its folder if needed."""
    Path(out).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=dpi)


def figure_pixels(figure: Figure) -> np.ndarray:
    """Render a figure to (H, W, 3) uint8 RGB."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[:, :, :3].copy()
