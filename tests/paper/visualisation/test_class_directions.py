"""Nearest images of translated features are exact and reproducible."""

import json

import pytest
import torch
from helpers.tiny_stream import NAMES, loss_of, stream
from PIL import Image

from isda_seg.core import class_moments
from isda_seg.paper.visualisation.class_directions import SearchOptions, search
from isda_seg.paper.visualisation.directions import UNCHANGED
from isda_seg.paper.visualisation.directions_report import Source, file_names, write

OPTIONS = SearchOptions(queries=4, shown=2, neighbours=3, strength=0.5)


def searched(options=OPTIONS, size=(2, 2), loss=None, **keys):
    return search(lambda: stream(size, **keys), loss or loss_of(), NAMES, options, 'train')


@pytest.mark.parametrize('size', [(), (2, 2)], ids=['images', 'maps'])
def test_rows_hold_the_nearest_other_images_of_translated_features(size):
    batches = list(stream(size))
    features = torch.cat([step.features for step in batches]).reshape(24, 5, -1)
    labels = torch.cat([step.labels for step in batches]).reshape(24, -1)
    found = searched(size=size)
    assert list(found.rows) == NAMES[:2]
    for rows in (row for queries in found.rows.values() for row in queries):
        assert [row.translation.kind for row in rows].count(UNCHANGED) == 1
        for query, translation, neighbours in rows:
            distance = (features - (query.feature + translation.shift)[:, None]).norm(dim=1)
            nearest = distance.min(dim=1).values
            nearest[query.image] = torch.inf
            options = nearest.argsort()[:3]
            assert torch.equal(neighbours.image, options)
            torch.testing.assert_close(neighbours.distance, nearest[options])
            assert torch.equal(neighbours.label, labels[neighbours.image, neighbours.sample])


def test_patches_cover_exactly_the_shown_positions():
    found = searched()
    shown = [row for queries in found.rows.values() for rows in queries[:2] for row in rows]
    places = {(row.query.image, row.query.sample) for row in shown}
    for row in shown:
        places |= set(zip(row.neighbours.image.tolist(), row.neighbours.sample.tolist(), strict=True))
    assert set(found.patches) == places
    pixels = torch.cat([step.images for step in stream((2, 2))])
    assert all((patch.pixels == pixels[image].movedim(0, 2).numpy()).all() for (image, _), patch
               in found.patches.items())  # 8 cells of 8 pixels are more than a picture of 16


def test_empty_statistics_are_replaced_by_moments_of_the_split():
    found = searched(size=(), loss=loss_of(seen=False))
    batches = list(stream())
    options = class_moments(*(torch.cat([getattr(step, name) for step in batches]) for name in ('features', 'labels')),
                           len(NAMES), covariance='full')
    assert (found.augmentation.kind, found.augmentation.origin) == ('full', 'the train split')
    for field, expected in zip(found.augmentation.moments, options, strict=True):
        torch.testing.assert_close(field, expected)
    maps = searched(loss=loss_of(seen=False)).augmentation
    assert (maps.kind, maps.moments.covariance.shape) == ('diagonal', (3, 5))


def test_search_does_not_change_the_statistics():
    loss = loss_of('full')
    before = {name: value.clone() for name, value in loss.state_dict().items()}
    found = searched(loss=loss)
    assert (found.augmentation.kind, found.augmentation.origin) == ('full', 'the checkpoint')
    assert before.keys() == loss.state_dict().keys()
    assert all(torch.equal(before[name], value) for name, value in loss.state_dict().items())


def test_figures_are_reproducible_for_any_batch_size(tmp_path):
    def files(name, seed=0, batch=7):
        options = OPTIONS._replace(shown=1, seed=seed)
        source = Source('configs/tiny.py', 'epoch_1.pth', 'decode_head', 'train')
        lines = list(write(searched(options, batch=batch), source, tmp_path / name / 'directions.json'))
        assert lines[0] == 'skipped classes without samples in the train split or the statistics: traffic light'
        return {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}

    first, again, other = files('first'), files('again', batch=5), files('other', seed=1)
    assert set(first) == {'cat.png', 'dog.png', 'directions.json'}
    assert all(first[name] == again[name] != other[name] for name in ('cat.png', 'dog.png'))
    report, repeated = (json.loads(found['directions.json']) for found in (first, again))
    assert report['classes'] == repeated['classes'] != json.loads(other['directions.json'])['classes']
    assert report['classes']['cat']['shown'][0][0]['query']['image'].endswith('.png')
    assert (report['strength'], report['covariance'], report['seed']) == (0.5, 'diagonal', 0)
    assert '/somewhere' not in first['directions.json'].decode()
    assert Image.open(tmp_path / 'first' / 'cat.png').size[0] > 400


def test_invalid_options_are_rejected():
    with pytest.raises(ValueError, match="unknown class 'car'. Choose from cat, dog, traffic light"):
        searched(OPTIONS._replace(classes=['car']))
    with pytest.raises(ValueError, match="the train split contains no sample of the class 'traffic light'"):
        searched(OPTIONS._replace(classes=['traffic light']))
    with pytest.raises(ValueError, match="statistics of the checkpoint contain no sample of the class 'traffic light'"):
        searched(OPTIONS._replace(classes=['traffic light']), classes=3)
    with pytest.raises(ValueError, match='the strength is 0, so that features would not move'):
        searched(OPTIONS._replace(strength=0.0))
    with pytest.raises(ValueError, match='number of neighbours must be at least 1, got 0'):
        searched(OPTIONS._replace(neighbours=0))
    assert searched(OPTIONS._replace(classes=['traffic light'], required=False)).rows == {}


def test_classes_that_differ_in_special_characters_have_separate_files():
    assert file_names(['traffic light', 'car', 'traffic-light']) == {
        'traffic light': 'traffic_light (class 0)', 'car': 'car', 'traffic-light': 'traffic_light (class 2)'}
