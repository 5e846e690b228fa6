"""The tester of state refuses modules that break its laws; and the laws of ISDA attached to a classifier."""
import pytest
import torch
from helpers import state_laws
from helpers.problems import KINDS
from torch import nn

from isda_seg.attach import attach
from isda_seg.criterion import ISDACriterion


class Counter(nn.Module):
    """Obeys: one buffer that every step changes."""

    def __init__(self):
        super().__init__()
        self.register_buffer('total', torch.zeros(2))

    def add(self, number):
        self.total += number + 1


class NotSaved(Counter):
    """A step depends on a number that no checkpoint holds."""

    steps = 0

    def add(self, number):
        self.steps += 1
        self.total += self.steps


class Shared(Counter):
    """A deepcopy has the original's memory."""

    def __deepcopy__(self, memo):
        twin = Counter()
        twin.total = self.total
        return twin


class Unpickled(Counter):
    """A pickle starts anew, a deepcopy does not."""

    def __deepcopy__(self, memo):
        twin = Unpickled()
        twin.total = self.total.clone()
        return twin

    def __reduce__(self):
        return Unpickled, ()


class Deaf(Counter):
    """Loads nothing."""

    def load_state_dict(self, state_dict, *args, **kwargs):
        return None


def add(module, number):
    module.add(number)


@pytest.mark.parametrize('law', state_laws.LAWS, ids=state_laws.name)
def test_a_module_of_one_buffer_obeys_every_law(law):
    assert all(state_laws.same_bits(actual, expected) for actual, expected in law(Counter, add))
    state_laws.assert_holds(law, Counter, add)


@pytest.mark.parametrize('kind, broken', [
    (NotSaved, [state_laws.a_restored_state_goes_on_like_an_uninterrupted_one]),
    (Shared, [state_laws.a_deepcopy_goes_on_alike_and_leaves_the_original_alone]),
    (Unpickled, [state_laws.a_pickled_copy_goes_on_alike]),
    (Deaf, [state_laws.a_saved_state_fills_a_fresh_module,
            state_laws.a_restored_state_goes_on_like_an_uninterrupted_one])])
def test_a_module_that_breaks_a_law_is_refused_by_that_law_alone(kind, broken):
    refused = []
    for law in state_laws.LAWS:
        try:
            state_laws.assert_holds(law, kind, add)
        except AssertionError:
            refused.append(law)
    assert refused == broken


def test_steps_that_change_nothing_prove_nothing():
    with pytest.raises(AssertionError, match=r'steps \[0, 1, 2, 3\] change nothing that is saved'):
        state_laws.assert_holds(state_laws.LAWS[0], Counter, lambda module, number: None)


@pytest.mark.parametrize('value, merge, holds', [
    (lambda module: (module.total,), lambda *parts: (sum(part for part, in parts),), True),
    (lambda module: (module.total,), lambda *parts: (torch.stack([part for part, in parts]).mean(dim=0),), False)])
def test_a_merge_that_is_not_that_of_the_steps_is_refused(value, merge, holds):
    try:
        state_laws.assert_parts_merge_to_the_whole(Counter, add, value, merge)
        found = True
    except AssertionError:
        found = False
    assert found is holds


# -- ISDA, attached ----------------------------------------------------------------------------------------------------

def classifier(kind):
    """A linear classifier with an attached criterion."""
    torch.manual_seed(0)
    model = nn.ModuleDict(dict(fc=nn.Linear(6, 3), criterion=ISDACriterion(kind)))
    attach(model['criterion'], model['fc'])
    model['criterion'].strength = 2.5
    return model


def descend(model, number):
    """A training step on a batch of its own."""
    generator = torch.Generator().manual_seed(number)
    features, labels = torch.randn(12, 6, generator=generator), torch.randint(3, (12,), generator=generator)
    model.zero_grad()
    model['criterion'](model['fc'](features), labels).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter -= 0.1 * parameter.grad


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('law', state_laws.LAWS, ids=state_laws.name)
def test_laws_of_state_of_an_attached_criterion(law, kind):
    state_laws.assert_holds(law, lambda: classifier(kind), descend)
