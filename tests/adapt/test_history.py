"""The feature history: one map after another as written down, and bit for bit after a resume."""

import io

import numpy as np
import pytest
import torch
from torch import Tensor

from scenelift.adapt.history import FeatureHistory


def batch(first: int, num: int) -> Tensor:
    """Maps that bear their number."""
    return (
        torch.arange(first, first + num, dtype=torch.float32)
        .view(num, 1, 1, 1)
        .expand(num, 2, 3, 3)
    )


def numbers(maps: Tensor) -> list[int]:
    assert (maps == maps[:, :1, :1, :1]).all()
    return [int(number) for number in maps[:, 0, 0, 0].tolist()]


class OneByOne:
    """The same in plain Python, one map at a time."""

    def __init__(self, capacity: int, *, seed: tuple[int, ...]) -> None:
        self.capacity, self.stored = capacity, list[int]()
        self.seed, self.num_batches = seed, 0

    def exchange(self, maps: list[int]) -> list[int]:
        rng = np.random.default_rng([*self.seed, self.num_batches])
        self.num_batches += 1
        swaps = rng.random(len(maps)) < 0.5
        slots = rng.integers(self.capacity, size=len(maps))
        given = []
        for number, swap, slot in zip(maps, swaps, slots, strict=True):
            if len(self.stored) < self.capacity:
                self.stored.append(number)
                given.append(number)
            elif swap:
                given.append(self.stored[slot])
                self.stored[slot] = number
            else:
                given.append(number)
        return given


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize(("capacity", "num"), [(1, 5), (4, 4), (5, 3), (8, 20), (16, 1)])
def test_swaps_one_map_after_another(capacity: int, num: int, half: bool) -> None:
    history, reference = (
        FeatureHistory(capacity, seed=(3,), half=half),
        OneByOne(capacity, seed=(3,)),
    )
    for step in range(30):
        maps = batch(step * num, num)
        given = history.exchange(maps)
        assert given.dtype == torch.float32
        assert numbers(given) == reference.exchange(numbers(maps))
    assert len(history) == min(capacity, 30 * num)


def test_the_input_is_left_alone_and_gets_no_gradient() -> None:
    history = FeatureHistory(2, seed=(0,))
    for step in range(5):
        maps = batch(step * 4, 4).clone().requires_grad_()
        given = history.exchange(maps)
        assert not given.requires_grad
        given.zero_()
        assert numbers(maps) == list(range(step * 4, step * 4 + 4))


def test_half_of_the_maps_are_old_and_evenly_drawn() -> None:
    history = FeatureHistory(10, seed=(1,))
    history.exchange(batch(0, 10))
    old = [
        number - step
        for step in range(10, 2010)
        for number in numbers(history.exchange(batch(step, 1)))
    ]
    fresh = sum(age == 0 for age in old)
    assert 0.46 < fresh / 2000 < 0.54
    assert len(set(old)) > 20  # some stay long


def test_a_capacity_of_none_gives_back_what_it_sees() -> None:
    history = FeatureHistory(0, seed=(0,))
    for step in range(5):
        assert numbers(history.exchange(batch(step, 3))) == [step, step + 1, step + 2]


@pytest.mark.parametrize("half", [False, True])
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_goes_on_bit_for_bit_after_a_resume(steps: int, half: bool) -> None:
    def maps(step: int) -> Tensor:
        return torch.randn(3, 2, 4, 4, generator=torch.Generator().manual_seed(step))

    history = FeatureHistory(8, seed=(5,), half=half)
    for step in range(steps):
        history.exchange(maps(step))
    file = io.BytesIO()
    torch.save(history.state_dict(), file)
    file.seek(0)
    resumed = FeatureHistory(8, seed=(5,), half=half)
    resumed.exchange(maps(77))
    resumed.load_state_dict(torch.load(file, weights_only=True))
    for step in range(steps, steps + 10):
        assert torch.equal(history.exchange(maps(step)), resumed.exchange(maps(step)))


def test_a_saved_state_does_not_change_with_the_history() -> None:
    history = FeatureHistory(4, seed=(0,))
    history.exchange(batch(0, 4))
    state = history.state_dict()
    before = state["stored"].clone()
    for step in range(10):
        history.exchange(batch(step * 4, 4))
    assert torch.equal(state["stored"], before)


def test_ranks_and_seeds_draw_differently() -> None:
    def given(seed: int) -> list[list[int]]:
        history = FeatureHistory(4, seed=(seed,))
        return [numbers(history.exchange(batch(step * 4, 4))) for step in range(10)]

    assert given(0) == given(0)
    assert given(0) != given(1)


def test_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    FeatureHistory(4, seed=(0,)).exchange(batch(0, 9))
    assert torch.equal(torch.get_rng_state(), before)


def test_half_precision_clamps_what_it_cannot_hold() -> None:
    history = FeatureHistory(1, seed=(0,), half=True)
    history.exchange(torch.full((1, 1, 1, 1), 1e9))
    assert history.state_dict()["stored"].isfinite().all()


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="capacity must be at least 0, got -1"):
        FeatureHistory(-1, seed=(0,))
    history = FeatureHistory(4, seed=(0,))
    history.exchange(batch(0, 4))
    with pytest.raises(ValueError, match="one history a layer"):
        history.exchange(torch.zeros(1, 2, 3, 4))
    with pytest.raises(ValueError, match="holds 4 feature maps, this history 2"):
        FeatureHistory(2, seed=(0,)).load_state_dict(history.state_dict())
