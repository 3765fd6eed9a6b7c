"""Who may read the lens does, who may not does not: on pictures of noise nothing else tells a patch's place."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from small_networks import generator_of

from scenelift.benchmarks.experiments.planted import draw_textures, plant_aberration
from scenelift.benchmarks.experiments.shortcuts import ShortcutExperiment, System, run_one


def test_red_and_blue_move_outwards_by_what_was_asked_for_at_a_third_of_the_side() -> None:
    """A bright column there moves by two pixels in red and blue alone, on either side of the centre."""
    image = torch.zeros(1, 3, 96, 96, dtype=torch.uint8)
    image[:, :, :, [16, 79]] = 200  # centres 31.5 from the picture's
    moved = plant_aberration(image, shift_px=2.0, consistent=False)[0, :, 40].float()
    columns = torch.arange(96.0)
    for channel, expected in ((0, 2.0), (1, 0.0), (2, 2.0)):
        left, right = moved[channel, :48], moved[channel, 48:]
        left_place = float((left * columns[:48]).sum() / left.sum())
        right_place = float((right * columns[48:]).sum() / right.sum())
        assert 16 - left_place == pytest.approx(expected, abs=0.15)
        assert right_place - 79 == pytest.approx(expected, abs=0.15)


def test_consistent_magnification_shifts_no_channel_against_another() -> None:
    texture = draw_textures(2, side_px=48, generator=generator_of(0))
    together = plant_aberration(texture, shift_px=1.0, consistent=True)
    apart = plant_aberration(texture, shift_px=1.0, consistent=False)
    assert torch.equal(together[:, 0], together[:, 1])
    assert torch.equal(together[:, [0, 2]], apart[:, [0, 2]])
    assert torch.equal(apart[:, 1], texture[:, 1])


def test_textures_are_grey_and_alike_everywhere() -> None:
    textures = draw_textures(64, side_px=48, generator=generator_of(0))
    assert torch.equal(textures[:, 0], textures[:, 2])
    deviation = textures[:, 0].float().std(dim=0)
    assert float(deviation.min()) > 30
    assert float(deviation.max()) < 70


def test_a_shift_that_would_turn_the_picture_inside_out_ends_in_one_line() -> None:
    with pytest.raises(ValueError, match="shift_px must be from 0 to below 8 for pictures of 48"):
        plant_aberration(
            torch.zeros(1, 3, 48, 48, dtype=torch.uint8), shift_px=9.0, consistent=False
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "steps", "covered_px"), [("context", 60, 2.0), ("jigsaw", 120, 1.0)]
)
def test_the_shortcut_is_taken_without_counter_measures_and_not_with_them(
    system: System, steps: int, covered_px: float
) -> None:
    """Jigsaw's counter-measures cover the pixel by which they shift channels, no more; those of context any shift."""
    config = ShortcutExperiment(
        real=Path("unused"), steps=steps, side_px=96, shift_px=2.0, held_out_batches=8
    )
    off = run_one(config, system=system, content="textures", measures=False)
    assert off.planted > 5 * off.chance
    assert off.removed < 2 * off.chance
    config = replace(config, shift_px=covered_px)
    on = run_one(config, system=system, content="textures", measures=True)
    assert on.planted < 2.5 * on.chance
