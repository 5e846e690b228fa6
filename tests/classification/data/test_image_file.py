"""An image file is read correctly in every mode, or is an error that names it."""
import numpy as np
import pytest
from PIL import Image

from isda_seg.classification.data.image_file import CANVAS, read_image

RAMP = np.tile(np.arange(256, dtype=np.uint8), (4, 1))
SIXTEEN = RAMP.astype(np.uint16) << 8 | 0x7F  # whatever stands in the lower byte


def saved(folder, image, suffix, **options):
    path = str(folder / f'image{suffix}')
    image.save(path, **options)
    return path


@pytest.mark.parametrize(('mode', 'suffix'), [
    ('L', '.png'), ('RGB', '.png'), ('RGBA', '.png'), ('LA', '.png'), ('P', '.png'), ('L', '.tif'), ('RGB', '.tif'),
    ('CMYK', '.tif'), ('P', '.tif'), ('RGB', '.webp'), ('RGBA', '.webp'), ('L', '.bmp'), ('P', '.gif')])
def test_grey_ramp_is_preserved_in_every_mode(tmp_path, mode, suffix):
    options = dict(lossless=True) if suffix == '.webp' else {}
    image = read_image(saved(tmp_path, Image.fromarray(RAMP).convert(mode), suffix, **options))
    assert (image == RAMP[..., None]).all() and image.shape == (4, 256, 3) and image.dtype == np.uint8


@pytest.mark.parametrize('mode', ['L', 'CMYK', 'RGB'])
def test_jpeg_preserves_the_ramp_within_a_few_levels(tmp_path, mode):
    image = read_image(saved(tmp_path, Image.fromarray(RAMP).convert(mode), '.jpg', quality=100))
    assert abs(image.astype(int) - RAMP[..., None]).max() <= 2


@pytest.mark.parametrize('suffix', ['.png', '.tif'])
def test_sixteen_bits_keep_their_upper_byte(tmp_path, suffix):
    assert (read_image(saved(tmp_path, Image.fromarray(SIXTEEN), suffix)) == RAMP[..., None]).all()


def test_transparent_pixels_have_the_background_colour(tmp_path):
    picture = np.zeros((2, 2, 4), np.uint8)
    picture[0] = (10, 20, 30, 255)
    picture[1] = (10, 20, 30, 0)
    image = read_image(saved(tmp_path, Image.fromarray(picture), '.png'))
    assert (image[0, 0].tolist(), image[1, 0].tolist()) == ([30, 20, 10], list(CANVAS[::-1]))


def test_exif_orientation_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    turned = read_image(saved(tmp_path, Image.fromarray(RAMP), '.png', exif=exif))
    assert (turned == RAMP[::-1, ::-1, None]).all()


@pytest.mark.parametrize(('dtype', 'kind'), [(np.float32, 'floating-point'), (np.int32, '32-bit')])
def test_values_without_a_defined_range_are_an_error(tmp_path, dtype, kind):
    path = saved(tmp_path, Image.fromarray(RAMP.astype(dtype)), '.tif')
    with pytest.raises(ValueError, match=f'cannot read image {path}: its {kind} values .* save it with 8 or 16 bits'):
        read_image(path)
