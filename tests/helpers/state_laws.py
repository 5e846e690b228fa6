"""The laws of a module whose state training changes, the same for all of them.

A test says how such a module is made, the same every time, and what training step number i does to it, the same to the
same state. A law gives pairs of states that must be the same bits:

    @pytest.mark.parametrize('law', state_laws.LAWS, ids=state_laws.name)
    def test_laws_of_state(law):
        state_laws.assert_holds(law, make, step)
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
Law = Callable[[Make, Step], Iterator[tuple[State, State]]]


def saved(module: nn.Module) -> State:
    """What a checkpoint holds of a module."""
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def everything(module: nn.Module) -> State:
    """Parameters and buffers, in a checkpoint or not."""
    return {name: tensor.detach().clone() for name, tensor in [*module.named_parameters(), *module.named_buffers()]}


def same_bits(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> bool:
    return list(actual) == list(expected) and all(
        torch.equal(actual[name], tensor) and actual[name].dtype == tensor.dtype for name, tensor in expected.items())


def assert_same_bits(actual: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert list(actual) == list(expected), f'{list(actual)} instead of {list(expected)}'
    other = [name for name in expected if not same_bits({name: actual[name]}, {name: expected[name]})]
    assert other == [], f'other bits in {other}'


def trained(make: Make, step: Step, *numbers: int) -> nn.Module:
    """A module after these steps."""
    module = make()
    for number in numbers:
        step(module, number)
    return module


def a_pickled_copy_goes_on_alike(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = trained(make, step, 0, 1)
    twin = pickle.loads(pickle.dumps(module))
    yield everything(twin), everything(module)
    step(twin, 2)
    yield everything(twin), everything(trained(make, step, 0, 1, 2))


def a_deepcopy_goes_on_alike_and_leaves_the_original_alone(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = trained(make, step, 0, 1)
    before, twin = everything(module), copy.deepcopy(module)
    yield everything(twin), before
    step(twin, 2)
    yield everything(module), before
    yield everything(twin), everything(trained(make, step, 0, 1, 2))
    step(module, 3)
    yield everything(module), everything(trained(make, step, 0, 1, 3))
    yield everything(twin), everything(trained(make, step, 0, 1, 2))


def a_saved_state_fills_a_fresh_module(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = trained(make, step, 0, 1)
    yield saved(restored(make, module)), saved(module)


def a_restored_state_goes_on_like_an_uninterrupted_one(make: Make, step: Step) -> Iterator[tuple[State, State]]:
    module = restored(make, trained(make, step, 0, 1))
    for number in (2, 3):
        step(module, number)
    yield saved(module), saved(trained(make, step, 0, 1, 2, 3))


LAWS: tuple[Law, ...] = (a_pickled_copy_goes_on_alike, a_deepcopy_goes_on_alike_and_leaves_the_original_alone,
                         a_saved_state_fills_a_fresh_module, a_restored_state_goes_on_like_an_uninterrupted_one)


def name(value: object) -> str | None:
    """Of a law, for pytest; it names other parameters itself."""
    return value.__name__ if callable(value) else None


def restored(make: Make, module: nn.Module) -> nn.Module:
    """A fresh module with the state of another, through a file that holds nothing but tensors."""
    file = io.BytesIO()
    torch.save(module.state_dict(), file)
    file.seek(0)
    fresh = make()
    fresh.load_state_dict(torch.load(file, weights_only=True))
    return fresh


def assert_holds(law: Law, make: Make, step: Step) -> None:
    """Compare the pairs of a law, of steps that do change what is saved."""
    states = [saved(trained(make, step, *range(count))) for count in range(5)]
    idle = [number for number in range(4) if same_bits(states[number], states[number + 1])]
    assert idle == [], f'steps {idle} change nothing that is saved'
    for actual, expected in law(make, step):
        assert_same_bits(actual, expected)


def assert_parts_merge_to_the_whole(make: Make, step: Step, value: Callable[[nn.Module], tuple[Tensor, ...]],
                                    merge: Callable[..., tuple[Tensor, ...]], **tolerance: float) -> None:
    """What each of three steps leaves alone, merged, is what they leave together, in any order."""
    whole = value(trained(make, step, 0, 1, 2))
    for order in ([0, 1, 2], [2, 0, 1]):
        merged = merge(*(value(trained(make, step, number)) for number in order))
        torch.testing.assert_close(merged, whole, **tolerance)
    torch.testing.assert_close(merge(value(make()), whole), whole, **tolerance)
