"""Invariants of every module whose state changes during training: copies, checkpoints, resumed training.

A test gives ``make``, which builds the module, and ``step(module, i)``, which runs training step i; both are
deterministic. An invariant yields pairs of states that must be bitwise equal:

    @pytest.mark.parametrize('invariant', state_invariants.INVARIANTS, ids=state_invariants.name)
    def test_invariants_of_state(invariant):
        state_invariants.assert_holds(invariant, make, step)
"""
import copy
import io
import pickle
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn

State = dict[str, Tensor]
Make = Callable[[], nn.Module]
Step = Callable[[nn.Module, int], object]
Invariant = Callable[[Make, Step], Iterator[tuple[State, State]]]


def saved(module: nn.Module) -> State:
    """Return a copy of the state dict."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def everything(module: nn.Module) -> State:
    """Return copies of all parameters and buffers, also those outside the state dict."""
    return {name: tensor.detach().clone() for name, tensor in [*module.named_parameters(), *module.named_buffers()]}


def same_bits(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return list(actual) == list(expected) and all(
        torch.equal(actual[name], tensor) and actual[name].dtype == tensor.dtype for name, tensor in expected.items())


def assert_same_bits(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert list(actual) == list(expected), f'{list(actual)} instead of {list(expected)}'
    other = [name for name in expected if not same_bits({name: actual[name]}, {name: expected[name]})]
    assert other == [], f'different bits in {other}'


def trained(make: Make, step: Step, *numbers: int) -> nn.Module:
    """Build a module and run these steps."""
    module = make()
    for number in numbers:
        step(module, number)
    return module


def a_pickled_copy_continues_identically(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = trained(make, step, 0, 1)
    clone = pickle.loads(pickle.dumps(module))
    yield everything(clone), everything(module)
    step(clone, 2)
    yield everything(clone), everything(trained(make, step, 0, 1, 2))


def a_deepcopy_is_independent(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = trained(make, step, 0, 1)
    before, clone = everything(module), copy.deepcopy(module)
    yield everything(clone), before
    step(clone, 2)
    yield everything(module), before
    yield everything(clone), everything(trained(make, step, 0, 1, 2))
    step(module, 3)
    yield everything(module), everything(trained(make, step, 0, 1, 3))
    yield everything(clone), everything(trained(make, step, 0, 1, 2))


def a_saved_state_loads_into_a_new_module(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = trained(make, step, 0, 1)
    yield saved(restored(make, module)), saved(module)


def a_restored_module_continues_identically(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = restored(make, trained(make, step, 0, 1))
    for number in (2, 3):
        step(module, number)
    yield saved(module), saved(trained(make, step, 0, 1, 2, 3))


INVARIANTS: tuple[Invariant, ...] = (a_pickled_copy_continues_identically, a_deepcopy_is_independent,
                         a_saved_state_loads_into_a_new_module, a_restored_module_continues_identically)


def name(value: object) -> str | None:
    """Return the pytest id of an invariant; None lets pytest name other parameters."""
    return value.__name__ if callable(value) else None


def restored(make: Make, module: nn.Module) -> nn.Module:
    """Build a module and load the state of another through a file read with weights_only=True."""
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    fresh = make()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    return fresh


def assert_holds(invariant: Invariant, make: Make, step: Step) -> None:
    """Check an invariant, with steps that all change the saved state."""
    states = [saved(trained(make, step, *range(count))) for count in range(5)]
    idle = [number for number in range(4) if same_bits(states[number], states[number + 1])]
    assert idle == [], f'steps {idle} do not change the saved state'
    for actual, expected in invariant(make, step):
        assert_same_bits(actual, expected)


def assert_parts_merge_to_the_whole(make: Make, step: Step, value: Callable[[nn.Module], tuple[Tensor, ...]],
                                    merge: Callable[..., tuple[Tensor, ...]], **tolerance: float) -> None:
    """Check that merging the values of three separate steps equals the value after all of them, in any order."""
    whole = value(trained(make, step, 0, 1, 2))
    for order in ([0, 1, 2], [2, 0, 1]):
        merged = merge(*(value(trained(make, step, number)) for number in order))
        torch.testing.assert_close(merged, whole, **tolerance)
    torch.testing.assert_close(merge(value(make()), whole), whole, **tolerance)
