"""Reading an image file as 8-bit BGR."""
import numpy as np
from PIL import Image, ImageOps

from isda_seg.runtime.user_errors import reading_error

CANVAS = (124, 117, 104)  # background of transparent pixels: ImageNet's mean colour


def read_image(path: str) -> np.ndarray:
    """Read an image file as (H, W, 3) uint8 BGR and apply its EXIF orientation.

    16-bit grey images keep their upper byte. Transparent pixels are blended with ImageNet's mean colour.
    """
    try:
        # Pillow decodes like the paper's loader and rejects truncated files, which OpenCV fills with grey.
        with Image.open(path) as image:
            return np.ascontiguousarray(np.asarray(_colours(ImageOps.exif_transpose(image)))[..., ::-1])
    except Exception as error:  # Pillow raises various exceptions for a damaged file
        raise reading_error('image', path, error) from error


def _colours(image: Image.Image) -> Image.Image:
    if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PNG'):  # Pillow would clip, not scale
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert('RGB')
    if image.mode in ('I', 'F'):
        kind = 'floating-point' if image.mode == 'F' else '32-bit'
        raise ValueError(f'its {kind} values have no defined range; save it with 8 or 16 bits')
    if not image.has_transparency_data:
        return image.convert('RGB')
    picture = image.convert('RGBA')
    canvas = Image.new('RGB', picture.size, CANVAS)
    canvas.paste(picture, mask=picture.getchannel('A'))
    return canvas
