"""Preprocessor: bytes are normalised, whitened images unchanged, views processed like labelled images."""
import numpy as np
import pytest
import torch
from mmengine.dataset import default_collate, pseudo_collate

from isda_seg.classification import ClassificationPreprocessor, PackImages


def item(number, dtype=np.float32):
    rng = np.random.default_rng(number)
    inputs, first, second = (torch.from_numpy((100 * rng.random((3, 8, 8))).astype(dtype)) for _ in range(3))
    return dict(inputs=inputs, labels=number, unlabelled=dict(views=[first, second], index=10 * number))


@pytest.mark.parametrize('collate', [default_collate, pseudo_collate])
def test_the_preprocessor_gives_normalised_rgb_and_int64_labels(collate):
    images = np.random.randint(256, size=(4, 8, 8, 3), dtype=np.uint8)
    batch = collate([PackImages()(dict(img=image, gt_label=i)) for i, image in enumerate(images)])
    mean, std = np.array([100., 110, 120]), np.array([50., 60, 70])
    out = ClassificationPreprocessor(mean=mean.tolist(), std=std.tolist())(batch)
    expected = ((images[..., ::-1] - mean) / std).transpose(0, 3, 1, 2).astype(np.float32)
    torch.testing.assert_close(out['inputs'], torch.from_numpy(expected))
    assert set(out) == {'inputs', 'labels'}
    assert (out['labels'].dtype, out['labels'].tolist()) == (torch.int64, [0, 1, 2, 3])


@pytest.mark.parametrize('collate', [default_collate, pseudo_collate])
def test_float_images_are_stacked_and_nothing_else(collate):
    items = [item(number) for number in range(4)]
    out = ClassificationPreprocessor(bgr_to_rgb=False)(collate(items), training=True)
    assert torch.equal(out['inputs'], torch.stack([one['inputs'] for one in items]))
    for place, view in enumerate(out['unlabelled']['views']):
        assert torch.equal(view, torch.stack([one['unlabelled']['views'][place] for one in items]))
    assert (set(out), set(out['unlabelled'])) == ({'inputs', 'labels', 'unlabelled'}, {'views', 'index'})
    for values, expected in ((out['labels'], [0, 1, 2, 3]), (out['unlabelled']['index'], [0, 10, 20, 30])):
        assert (values.dtype, values.tolist()) == (torch.int64, expected)


def test_bytes_are_normalised_as_rgb_in_every_view():
    items = [item(number, np.uint8) for number in range(3)]
    mean, std = [10., 20, 30], [1., 2, 4]
    out = ClassificationPreprocessor(mean=mean, std=std)(default_collate(items), training=True)
    expected = [((one['unlabelled']['views'][1].flip(0).numpy().transpose(1, 2, 0) - mean) / std).transpose(2, 0, 1)
                for one in items]
    torch.testing.assert_close(out['unlabelled']['views'][1], torch.from_numpy(np.stack(expected)).float())
    assert out['inputs'].dtype == out['unlabelled']['views'][0].dtype == torch.float32


def test_a_test_batch_has_inputs_and_labels():
    items = [dict(inputs=item(number)['inputs'], labels=number) for number in range(2)]
    out = ClassificationPreprocessor(bgr_to_rgb=False)(default_collate(items))
    assert torch.equal(out['inputs'], torch.stack([one['inputs'] for one in items]))
    assert (set(out), out['labels'].tolist()) == ({'inputs', 'labels'}, [0, 1])


def test_everything_goes_to_the_device():
    out = ClassificationPreprocessor(bgr_to_rgb=False).to('meta')(default_collate([item(0)]), training=True)
    tensors = [out['inputs'], out['labels'], out['unlabelled']['index'], *out['unlabelled']['views']]
    assert {tensor.device.type for tensor in tensors} == {'meta'}


def test_images_of_different_sizes_are_not_padded_but_an_error():
    batch = dict(inputs=[torch.zeros(3, 8, 8), torch.zeros(3, 8, 6)], labels=[0, 1])
    with pytest.raises(RuntimeError, match=r'equal size, but got \[3, 8, 8\] at entry 0 and \[3, 8, 6\] at entry 1'):
        ClassificationPreprocessor()(batch)
