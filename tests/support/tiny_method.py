"""A second, trivial method: it learns the mean colour of a stream, so that the loop's seam is not one system's shape."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from scenelift.adapt.method import Batch, Clock, StreamName
from scenelift.adapt.network_input import InputNormalisation


class MeanColour:
    """One linear layer from a constant to a colour."""

    def __init__(self, *, stream: StreamName = "images", fail_at: int | None = None) -> None:
        self.network = nn.Linear(1, 3, bias=False)
        nn.init.zeros_(self.network.weight)
        self._stream = stream
        self._fail_at = fail_at
        self._optimiser = torch.optim.SGD(self.network.parameters(), lr=0.2, momentum=0.5)
        self.seen: list[int] = []

    @property
    def streams(self) -> tuple[StreamName, ...]:
        return (self._stream,)

    @property
    def input_normalisation(self) -> InputNormalisation:
        return InputNormalisation(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def step(self, batches: Mapping[StreamName, Batch], *, clock: Clock) -> dict[str, Tensor]:
        self.seen += batches[self._stream]["sample_seed"].tolist()
        if clock.step == self._fail_at:
            with torch.no_grad():
                self.network.weight.fill_(float("nan"))
        loss = self._loss(batches)
        if not loss.isfinite():
            raise ArithmeticError("the loss of colour is not a finite number")
        self._optimiser.zero_grad()
        loss.backward()
        self._optimiser.step()
        return {"loss/colour": loss.detach()}

    def validate(self, batches: Mapping[StreamName, Batch]) -> dict[str, Tensor]:
        with torch.no_grad():
            return {"selection/score": self._loss(batches)}

    def pictures(self, batches: Mapping[StreamName, Batch]) -> dict[str, Tensor]:
        image = batches[self._stream]["image"]
        return {f"{self._stream}/seen": image.permute(0, 2, 3, 1).contiguous()}

    @property
    def captions(self) -> Mapping[str, tuple[str, ...]]:
        return {}

    def networks(self) -> Mapping[str, nn.Module]:
        return {"backbone": self.network}

    def state_dict(self) -> dict[str, Any]:
        return {"network": self.network.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any], /) -> None:
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])

    def _loss(self, batches: Mapping[StreamName, Batch]) -> Tensor:
        target = batches[self._stream]["image"].float().mean(dim=(2, 3)) / 255
        answer: Tensor = self.network(torch.ones(1, 1))
        return (answer - target).square().mean()
