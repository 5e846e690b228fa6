"""One image file as eight-bit colours: what it shows is kept, or the file is refused by name."""

import numpy as np
from PIL import Image, ImageOps

CANVAS = (124, 117, 104)  # behind what is transparent: ImageNet's mean colour


def read_image(path: str) -> np.ndarray:
    """An image file as (H, W, 3) uint8 BGR, turned as its orientation tag says, in training and in testing.

    Sixteen-bit greys keep their upper byte. What is transparent shows ImageNet's mean colour.

    Raises:
        ValueError: a file that is no image, half of one, or one whose numbers have no agreed white; it is named.
    """
    try:
        # Pillow decodes as the paper's loader did, and refuses truncated files, which OpenCV fills with grey.
        with Image.open(path) as image:
            return np.ascontiguousarray(np.asarray(_colours(ImageOps.exif_transpose(image)))[..., ::-1])
    except Exception as error:  # Pillow raises many kinds for a damaged file
        raise ValueError(f'{path} is no image that can be read ({error}): replace it, or remove it') from error


def _colours(image: Image.Image) -> Image.Image:
    """In mode RGB."""
    if image.mode.startswith('I;16') or (image.mode == 'I' and image.format == 'PNG'):  # Pillow would clip, not scale
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert('RGB')
    if image.mode in ('I', 'F'):
        kind = 'floating-point' if image.mode == 'F' else '32-bit'
        raise ValueError(f'its {kind} numbers have no agreed white; save it with 8 or 16 bits')
    if not image.has_transparency_data:
        return image.convert('RGB')
    picture = image.convert('RGBA')
    canvas = Image.new('RGB', picture.size, CANVAS)
    canvas.paste(picture, mask=picture.getchannel('A'))
    return canvas
