"""The release's sizes: parameter counts, and that they learn at all."""

import pytest
from tiny_mgm import CPU, dense_batch

from scenelift.adapt.method import Clock
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.networks import Facts
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.recipes import recipe


@pytest.mark.slow
def test_the_released_widths_learn_for_a_step() -> None:
    """Parameter counts in millions as the release has them, and a step at 128 pixels."""
    content = recipe("mgm-paper")
    facts = Facts(
        scenes=tuple(map(str, range(27))),
        semantic_classes=tuple(map(str, range(40))),
        size_px=content.geometry.crop_px,
    )
    assert isinstance(content.method, MgmSettings)
    method = Mgm(content.method, facts=facts, seed=0, device=CPU)
    counts = [
        sum(p.numel() for p in method.networks()[name].parameters()) / 1e6
        for name in ("backbone", "heads", "refinement", "generator", "discriminator")
    ]
    assert counts == pytest.approx([11.1, 3 * 1.35, 7.98, 32.5, 39.5], abs=0.07)
    batch = dense_batch(count=2, side=128)
    for step in (content.method.gan_steps - 1, content.method.gan_steps):
        scalars = method.step({"labelled": batch}, clock=Clock(step=step, steps=content.steps))
        assert all(value.isfinite() for value in scalars.values())
