"""The reason why a file cannot be read decides about the error and its remedy."""
import pytest
from PIL import UnidentifiedImageError

from isda_seg.runtime.reading_errors import reading_error


@pytest.mark.parametrize('error, kind, words', [
    (ModuleNotFoundError("No module named 'tifffile'"), ImportError, "No module named 'tifffile'. Install the missing"),
    (AttributeError("'NoneType' object has no attribute 'imread'"), ImportError, 'needs tifffile. Install the missing'),
    (PermissionError(13, 'Permission denied'), PermissionError, 'Permission denied. Check its permissions'),
    (OSError(5, 'Input/output error'), OSError, 'Input/output error. Check its permissions and its disk'),
    (UnidentifiedImageError('no image'), ValueError, 'is damaged or not an image (UnidentifiedImageError: no image)'),
    (AttributeError('x'), ValueError, 'is damaged or not an image (AttributeError: x). Replace or remove it'),
    (ValueError('its values have no range'), ValueError, 'a.png: its values have no range. Replace or remove it')])
def test_message_names_the_file_and_the_reason(error, kind, words):
    found = reading_error('image', 'a.png', error)
    assert isinstance(found, kind) and str(found).startswith('cannot read image a.png: ') and words in str(found)


def test_missing_memory_is_not_a_damaged_file():
    error = MemoryError()
    assert reading_error('image', 'a.png', error) is error
