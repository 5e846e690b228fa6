"""Effects of the camera: bonnet of the ego car, black rim, grain, lighting, noise."""
import cv2
import numpy as np
from numpy.random import Generator

from isda_seg.demo_data.canvas import OVERSAMPLING, Canvas
from isda_seg.demo_data.labels import IGNORE_LABEL, Label


def paint_bonnet(canvas: Canvas, rng: Generator) -> None:
    """Paint the bonnet of the ego car and the black rim of a rectified image; neither has a class."""
    tall, wide = canvas.labels.shape
    if rng.random() < 0.7:
        rise, bend = rng.uniform(0.05, 0.1) * tall, rng.uniform(0.02, 0.05) * tall
        across = np.linspace(0, wide, 24)
        curve = tall - rise - bend * (1 - (2 * across / wide - 1) ** 2)
        outline = np.round(np.concatenate([np.stack([across, curve], 1), [(wide, tall), (0, tall)]])).astype(np.int32)
        shade = rng.uniform(15, 70)
        cv2.fillPoly(canvas.image, [outline], (shade, 0.96 * shade, 0.93 * shade))
        cv2.polylines(canvas.image, [outline[:24]], False, (2.2 * shade,) * 3, OVERSAMPLING)
        cv2.fillPoly(canvas.labels, [outline], IGNORE_LABEL)
    rim = OVERSAMPLING * int(rng.integers(0, 3))
    for array, value in ((canvas.image, 0), (canvas.labels, IGNORE_LABEL)):
        if rim:
            array[:rim] = array[-rim:] = value
            array[:, :rim] = array[:, -rim:] = value


# How rough each class looks: fine grain and blotches of a few pixels, as a share of its brightness.
GRAIN = np.full((IGNORE_LABEL + 1, 2), 0.02, np.float32)
for label, grain in {Label.ROAD: (0.05, 0.04), Label.SIDEWALK: (0.03, 0.03), Label.BUILDING: (0.03, 0.03),
                     Label.WALL: (0.07, 0.08), Label.VEGETATION: (0.12, 0.16), Label.TERRAIN: (0.08, 0.05),
                     Label.SKY: (0.005, 0.01)}.items():
    GRAIN[label] = grain


def develop(canvas: Canvas, rng: Generator, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the final image (H, W, 3) and labels (H, W): downsampled, with texture, lighting and sensor noise."""
    labels = np.ascontiguousarray(canvas.labels[::OVERSAMPLING, ::OVERSAMPLING])
    image = cv2.resize(canvas.image, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32)
    fine = rng.standard_normal((height, width), dtype=np.float32)
    coarse = rng.standard_normal((height // 3 + 1, width // 3 + 1), dtype=np.float32)
    blotches = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    grain = GRAIN[labels]
    image *= (1 + grain[..., 0] * fine + grain[..., 1] * blotches)[..., None]
    cast = rng.normal(1, 0.05, 3) * rng.uniform(0.8, 1.25)
    first, last = rng.uniform(0.88, 1.1, 2)
    bright = np.linspace(first, last, width)[None, :, None]
    image = image * (cast * bright).astype(np.float32)
    image += rng.normal(0, rng.uniform(1.5, 6), image.shape).astype(np.float32)
    return np.clip(np.round(image), 0, np.iinfo(np.uint8).max).astype(np.uint8), labels
