"""Properties of find_pairs: the classifier of each loss. Plain torch."""

import pytest
from torch import nn

from isda_seg.attachment.classifier_lookup import num_outputs
from isda_seg.criterion import ISDACriterion
from isda_seg.openmmlab.pairs import find_pairs

CLASSES, CHANNELS = 3, 5


class Head(nn.Module):
    """A head with whatever children it is given."""

    def __init__(self, num_classes=CLASSES, **children):
        super().__init__()
        if num_classes is not None:
            self.num_classes = num_classes
        for name, child in children.items():
            self.add_module(name, child)


def conv(outputs=CLASSES):
    return nn.Conv2d(CHANNELS, outputs, 1)


def named(loss, name):
    loss.classifier = name
    return loss


def found(model):
    return [(pair.name, pair.loss, pair.classifier) for pair in find_pairs(model)]


def test_pairs_are_found_by_structure_main_and_auxiliary():
    main = Head(conv_seg=conv(), loss_decode=ISDACriterion(), bottleneck=nn.Conv2d(4, 8, 3), reduce=conv(8))
    auxiliary = Head(fc=nn.Linear(4, CLASSES), loss=ISDACriterion())
    model = Head(None, backbone=nn.Linear(4, CLASSES), decode_head=main, auxiliary_head=nn.ModuleList([auxiliary]))
    assert found(model) == [('decode_head', main.loss_decode, main.conv_seg),
                            ('auxiliary_head.0', auxiliary.loss, auxiliary.fc)]
    assert [pair.head for pair in find_pairs(model)] == [main, auxiliary]


def test_a_loss_in_a_list_of_losses_belongs_to_the_head():
    losses = nn.ModuleList([ISDACriterion(), nn.CrossEntropyLoss(), ISDACriterion()])
    head = Head(conv_seg=conv(), loss_decode=losses)
    assert found(head) == [('', losses[0], head.conv_seg), ('', losses[2], head.conv_seg)]


def test_a_holder_without_num_classes_may_hold_one_classifier():
    model = Head(None, stem=nn.Linear(4, CHANNELS), fc=nn.Linear(CHANNELS, CLASSES), loss=ISDACriterion())
    assert num_outputs(model.stem) == CHANNELS
    with pytest.raises(ValueError, match=r"found 2 among \{'stem': 5, 'fc': 3\}"):
        found(model)
    model.loss.classifier = 'fc'
    assert found(model) == [('', model.loss, model.fc)]


def test_a_name_chooses_among_several_classifiers():
    head = Head(conv_seg=conv(), aux_seg=conv(), loss_decode=named(ISDACriterion(), 'aux_seg'))
    assert found(head) == [('', head.loss_decode, head.aux_seg)]


def test_a_dotted_name_finds_a_nested_classifier():
    head = Head(cls=nn.Sequential(nn.ReLU(), conv()), aux_seg=conv(), loss_decode=named(ISDACriterion(), 'cls.1'))
    assert found(head) == [('', head.loss_decode, head.cls[1])]


@pytest.mark.parametrize('wanted', ['conv_cls', 'loss_decode'])
def test_an_unknown_classifier_name_is_an_error_with_the_candidates(wanted):
    head = Head(conv_seg=conv(), cls=nn.Sequential(conv()), loss_decode=named(ISDACriterion(), wanted))
    with pytest.raises(ValueError, match=f"the model \\(Head\\): no classifier is named '{wanted}'; choose one of "
                                         r"\['conv_seg', 'cls.0'\]"):
        found(head)


@pytest.mark.parametrize('children, count, outputs', [
    (dict(conv_seg=conv(), pam_conv_seg=conv()), 2, "{'conv_seg': 3, 'pam_conv_seg': 3}"),
    (dict(cls_embed=nn.Linear(CHANNELS, CLASSES + 1)), 0, "{'cls_embed': 4}"),
    (dict(conv_seg=conv(1)), 0, "{'conv_seg': 1}"),
    (dict(mask=nn.Conv2d(CHANNELS, CLASSES, 3)), 0, '{}'),
    (dict(inner=Head(conv_seg=conv())), 0, '{}'),
])
def test_a_head_without_exactly_one_classifier_is_an_error(children, count, outputs):
    model = Head(None, decode_head=Head(loss_decode=ISDACriterion(), **children))
    with pytest.raises(ValueError) as error:
        found(model)
    assert str(error.value).startswith('decode_head (Head): ISDA needs exactly one softmax classifier')
    assert f'with num_classes=3 outputs) directly in the module that holds the loss, found {count} among {outputs}; ' \
        in str(error.value)
    assert ('if loss_decode receives the logits of one of them, name it' in str(error.value)) == (count > 1)


def test_a_model_without_an_isda_loss_has_no_pairs():
    assert found(Head(conv_seg=conv(), loss_decode=nn.CrossEntropyLoss())) == []
