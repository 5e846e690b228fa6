"""The state invariants detect modules that violate them, and hold for ISDA attached to a classifier."""
import pytest
import torch
from helpers import state_invariants
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


@pytest.mark.parametrize('invariant', state_invariants.INVARIANTS, ids=state_invariants.name)
def test_a_module_with_one_buffer_satisfies_every_invariant(invariant):
    assert all(state_invariants.same_bits(actual, expected) for actual, expected in invariant(Counter, add))
    state_invariants.assert_holds(invariant, Counter, add)


@pytest.mark.parametrize('kind, broken', [
    (NotSaved, [state_invariants.a_restored_module_continues_identically]),
    (Shared, [state_invariants.a_deepcopy_is_independent]),
    (Unpickled, [state_invariants.a_pickled_copy_continues_identically]),
    (Deaf, [state_invariants.a_saved_state_loads_into_a_new_module,
            state_invariants.a_restored_module_continues_identically])])
def test_a_violated_invariant_is_detected_by_itself_alone(kind, broken):
    violated = []
    for invariant in state_invariants.INVARIANTS:
        try:
            state_invariants.assert_holds(invariant, kind, add)
        except AssertionError:
            violated.append(invariant)
    assert violated == broken


def test_steps_without_effect_are_an_error():
    with pytest.raises(AssertionError, match=r'steps \[0, 1, 2, 3\] do not change the saved state'):
        state_invariants.assert_holds(state_invariants.INVARIANTS[0], Counter, lambda module, number: None)


@pytest.mark.parametrize('value, merge, holds', [
    (lambda module: (module.total,), lambda *parts: (sum(part for part, in parts),), True),
    (lambda module: (module.total,), lambda *parts: (torch.stack([part for part, in parts]).mean(dim=0),), False)])
def test_a_merge_that_differs_from_the_steps_is_an_error(value, merge, holds):
    try:
        state_invariants.assert_parts_merge_to_the_whole(Counter, add, value, merge)
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
@pytest.mark.parametrize('invariant', state_invariants.INVARIANTS, ids=state_invariants.name)
def test_invariants_of_state_of_an_attached_criterion(invariant, kind):
    state_invariants.assert_holds(invariant, lambda: classifier(kind), descend)
