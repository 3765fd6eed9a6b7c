"""A store of past feature maps, so that the critic does not forget what the backbone once produced.

After SimGAN (Shrivastava et al., CVPR 2017), as the paper's released code has it: 128 maps a domain.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


class FeatureHistory:
    """Gives back each feature map it is shown, or an older one in its stead.

    While it fills, it keeps and gives back what it is shown. Once full, it swaps each map with probability one half for one
    that it holds, drawn evenly. Lives on the device of its input. What it draws follows from seed and number of the batch, so
    that ranks which load one and the same state still draw differently.
    """

    def __init__(self, capacity: int = 128, *, seed: Sequence[int], half: bool = False) -> None:
        """Make an empty history.

        Args:
            capacity: Maps to hold; 0 gives back what it is shown.
            seed: Of its own generator: numbers that tell run, rank, layer and domain apart.
            half: Keep maps as float16 (values beyond its range are clamped).

        Raises:
            ValueError: if `capacity` is negative.
        """
        if capacity < 0:
            raise ValueError(f"capacity must be at least 0, got {capacity}")
        self._capacity = capacity
        self._half = half
        self._seed = tuple(seed)
        self._num_batches = 0
        self._stored: Float[Tensor, "capacity ..."] | None = None
        self._num_stored = 0

    def __len__(self) -> int:
        return self._num_stored

    def exchange(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "n ..."]:
        """Show feature maps one after another and take what the history gives for each.

        Args:
            features: Of one shape all along, but for `n`; no gradient passes.

        Raises:
            ValueError: if they have not the shape of those stored.
        """
        features = features.detach()
        if self._capacity == 0:
            return features
        stored = self._storage(features)
        rng = np.random.default_rng([*self._seed, self._num_batches])
        self._num_batches += 1
        swaps = (rng.random(len(features)) < 0.5).tolist()
        slots = rng.integers(self._capacity, size=len(features)).tolist()
        held: dict[int, int] = {}  # slot -> which of `features` it holds now
        from_store: dict[int, int] = {}  # output -> slot
        source = list(range(len(features)))  # output -> which of `features`
        for i, (swap, slot) in enumerate(zip(swaps, slots, strict=True)):
            if self._num_stored < self._capacity:
                held[self._num_stored] = i
                self._num_stored += 1
            elif swap:
                if slot in held:
                    source[i] = held[slot]
                else:
                    from_store[i] = slot
                held[slot] = i
        given = features[_indices(source, like=features)]
        old = stored[_indices(from_store.values(), like=features)]
        given[_indices(from_store.keys(), like=features)] = old.to(features.dtype)
        limit = torch.finfo(stored.dtype).max
        new = features[_indices(held.values(), like=features)].clamp(-limit, limit)
        stored[_indices(held.keys(), like=features)] = new.to(stored.dtype)
        return given

    def state_dict(self) -> dict[str, Any]:
        """Return what decides the answers to come."""
        state: dict[str, Any] = {"num_batches": self._num_batches}
        if self._stored is not None:
            state["stored"] = self._stored[: self._num_stored].clone()
        return state

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        """Go on from a state.

        Raises:
            ValueError: if it holds more maps than fit.
        """
        stored = state.get("stored")
        if stored is not None and len(stored) > self._capacity:
            raise ValueError(
                f"the state holds {len(stored)} feature maps, this history {self._capacity}: "
                "it belongs to another configuration"
            )
        self._num_batches = int(state["num_batches"])
        self._stored, self._num_stored = None, 0
        if stored is not None:
            storage = stored.new_zeros((self._capacity, *stored.shape[1:]))
            storage[: len(stored)] = stored
            self._stored, self._num_stored = storage, len(stored)

    def _storage(self, features: Float[Tensor, "n ..."]) -> Float[Tensor, "capacity ..."]:
        if self._stored is None:
            dtype = torch.float16 if self._half else features.dtype
            self._stored = features.new_zeros((self._capacity, *features.shape[1:]), dtype=dtype)
        if self._stored.shape[1:] != features.shape[1:]:
            raise ValueError(
                f"feature maps are {tuple(features.shape[1:])}, those stored "
                f"{tuple(self._stored.shape[1:])}: keep one history a layer and one size of picture"
            )
        self._stored = self._stored.to(features.device)
        return self._stored


def _indices(values: Iterable[int], *, like: Tensor) -> Tensor:
    """Bring indices to the device without making the host wait for it."""
    indices = torch.tensor(list(values), dtype=torch.int64, pin_memory=like.is_cuda)
    return indices.to(like.device, non_blocking=True)
