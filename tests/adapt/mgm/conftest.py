"""Shallow networks: what is tested of the method holds at any depth."""

import pytest

from scenelift.adapt.backbones import mgm_resnet
from scenelift.adapt.mgm import refinement


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give encoder and refinement network as few blocks as may be."""
    monkeypatch.setattr(mgm_resnet, "DEPTHS", (2, 2, 2, 2))
    monkeypatch.setattr(refinement, "DEPTHS", (1, 1, 1))
