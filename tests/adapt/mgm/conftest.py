"""Shallow networks: what is tested of the method holds at any depth."""

import pytest

from scenelift.adapt.backbones import mgm_resnet
from scenelift.adapt.mgm import refinement


@pytest.fixture
def shallow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give encoder and refinement network one block a stage."""
    monkeypatch.setattr(mgm_resnet, "DEPTHS", (1, 1, 1, 1))
    monkeypatch.setattr(refinement, "DEPTHS", (1, 1, 1))
