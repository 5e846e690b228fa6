"""What the statistics have not seen is told once, by name."""
from torch import nn

from isda_seg.attach import attach
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.left_out import LeftOut
from isda_seg.openmmlab.pairs import Pair


def pair(name, *counts):
    loss, classifier = ISDACriterion(), nn.Linear(4, len(counts))
    attach(loss, classifier)
    for number, count in enumerate(counts):
        loss.statistics.count[number] = count
    return Pair(name, nn.Module(), loss, classifier, 'loss')


def test_classes_without_a_sample_are_named_after_an_epochs_worth_of_steps():
    pairs, left_out = [pair('decode_head', 5, 0, 0), pair('', 1, 2, 0)], LeftOut()
    assert left_out.sentences(pairs, 9, 10, ('sky', 'road', 'car')) == []
    told = left_out.sentences(pairs, 10, 10, ('sky', 'road', 'car'))
    assert [line.split(':')[1] for line in told] == [' after 10 steps decode_head has seen no feature of road, car',
                                                     ' after 10 steps the model has seen no feature of car']
    assert left_out.sentences(pairs, 20, 10, ('sky', 'road', 'car')) == []


def test_without_names_their_numbers_stand_for_them():
    told = LeftOut().sentences([pair('head', 5, 0)], 10, 10, ('one', 'name', 'more'))
    assert 'no feature of class 1: their pixels' in told[0]
    assert LeftOut().sentences([pair('head', 5, 1)], 10, 10) == []


def test_features_that_were_not_finite_are_counted_as_they_grow():
    pairs, left_out = [pair('head', 1, 1)], LeftOut()
    pairs[0].loss.statistics.dropped += 3
    assert left_out.sentences(pairs, 1, 10) == ['ISDA: 3 labelled features were not finite and left out of the '
                                                'statistics']
    assert left_out.sentences(pairs, 2, 10) == []
