"""Non-finite features and classes without a sample are reported once."""
from torch import nn

from isda_seg.attach import attach
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.pairs import Pair
from isda_seg.openmmlab.statistics_warnings import StatisticsWarnings


def pair(name, *counts):
    loss, classifier = ISDACriterion(), nn.Linear(4, len(counts))
    attach(loss, classifier)
    for number, count in enumerate(counts):
        loss.statistics.count[number] = count
    return Pair(name, nn.Module(), loss, classifier, 'loss')


def test_classes_without_a_sample_are_reported_after_an_epoch():
    pairs, warnings = [pair('decode_head', 5, 0, 0), pair('', 1, 2, 0)], StatisticsWarnings()
    assert warnings.new(pairs, 9, 10, ('sky', 'road', 'car')) == []
    advice = ('These classes receive no augmentation. Check whether the labels contain them: a mask of 0 and 255 needs '
              'the labels 0 and 1')
    assert warnings.new(pairs, 10, 10, ('sky', 'road', 'car')) == [
        f'ISDA: after 10 steps, decode_head has no feature of road, car. {advice}',
        f'ISDA: after 10 steps, the model has no feature of car. {advice}']
    assert warnings.new(pairs, 20, 10, ('sky', 'road', 'car')) == []


def test_classes_without_names_are_reported_by_number():
    messages = StatisticsWarnings().new([pair('head', 5, 0)], 10, 10, ('one', 'name', 'more'))
    assert 'no feature of class 1. These classes' in messages[0]
    assert StatisticsWarnings().new([pair('head', 5, 1)], 10, 10) == []


def test_non_finite_features_are_reported_when_their_number_grows():
    pairs, warnings = [pair('head', 1, 1)], StatisticsWarnings()
    pairs[0].loss.statistics.dropped += 3
    assert warnings.new(pairs, 1, 10) == ['ISDA: 3 labelled features were not finite. The statistics ignore them.']
    assert warnings.new(pairs, 2, 10) == []
