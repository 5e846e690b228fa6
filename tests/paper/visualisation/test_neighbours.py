"""The nearest images of a stream are those of a sorted list of everything."""

import pytest
import torch

from isda_seg.paper.visualisation import neighbours
from isda_seg.paper.visualisation.neighbours import NearestImages

VOID = 9


def stream(images, size, channels=6, offset=0.0, grid=None, seed=0):
    """Maps (B, A, *size) and labels with void among them; on a coarse grid of values many distances are equal."""
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(images, channels, *size, generator=generator)
    features = features if grid is None else (features / grid).round() * grid
    labels = torch.randint(4, (images, *size), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.2] = VOID
    return features + offset, labels


def found_in(features, labels, queries, query_images, count, batch, apart=0):
    nearest = NearestImages(queries, query_images, count, apart)
    for x, y in zip(features.split(batch), labels.split(batch), strict=True):
        nearest.add(x, y, VOID)
        assert max(field.numel() for field in nearest.found) <= len(queries) * count
    return nearest.found


def brute_force(features, labels, query, query_image, count, apart):
    """(distance, image, sample, label) of the nearest, in float64, one sample after the other."""
    every = []
    for image, (x, y) in enumerate(zip(features.flatten(2), labels.flatten(1), strict=True)):
        of_image = [((x[:, i].double() - query.double()).norm().item(), image, i, y[i].item())
                    for i in range(x.shape[1])
                    if y[i] != VOID and (query_image < 0 or abs(image - query_image) > apart)]
        every += [min(of_image, key=lambda entry: entry[0])] if of_image else []
    return sorted(every, key=lambda entry: entry[0])[:count]


@pytest.mark.parametrize(('batch', 'apart'), [(1, 0), (4, 3), (20, 0)])
@pytest.mark.parametrize(('offset', 'grid'), [(0.0, None), (1000.0, None), (0.0, 1.0)],
                         ids=['floats', 'around 1000', 'many ties'])
def test_neighbours_equal_brute_force(monkeypatch, batch, apart, offset, grid):
    monkeypatch.setattr(neighbours, 'AT_ONCE', 2 * 4 * 6)  # of two queries and four images
    features, labels = stream(20, (2, 3), offset=offset, grid=grid)
    queries, query_images = features[:3, :, 0, 1] + (0 if grid else 0.3), torch.tensor([0, -1, 7])
    found = found_in(features, labels, queries, query_images, 5, batch, apart)
    for row, query in enumerate(queries):
        wanted = brute_force(features, labels, query, int(query_images[row]), 5, apart)
        assert list(zip(*(field[row].tolist() for field in found[1:]), strict=True)) == [one[1:] for one in wanted]
        torch.testing.assert_close(found.distance[row].double(), torch.tensor([one[0] for one in wanted]).double(),
                                   rtol=1e-4, atol=1e-4)


def test_vectors_equal_maps_of_one_pixel():
    features, labels = stream(12, ())
    maps = found_in(features[:, :, None, None], labels[:, None, None], features[:2], torch.tensor([0, 1]), 4, 5)
    plain = found_in(features, labels, features[:2], torch.tensor([0, 1]), 4, 3)
    assert all(torch.equal(a, b) for a, b in zip(plain, maps, strict=True))


def test_missing_neighbours_have_infinite_distance():
    features, labels = stream(3, (2, 2))
    labels[1] = VOID
    found = found_in(features, labels, features[:1, :, 0, 0], torch.tensor([0]), 5, 2)
    assert found.image[0, 0] == 2
    assert found.distance[0].isinf().tolist() == [False, True, True]


def test_invalid_shapes_are_rejected():
    nearest = NearestImages(torch.zeros(2, 6), torch.zeros(2, dtype=torch.int64), 3)
    with pytest.raises(ValueError, match=r'features \(B, 6, ...\) .* got \(4, 5\) and \(4,\)'):
        nearest.add(torch.zeros(4, 5), torch.zeros(4))
    assert nearest.seen == 0
