"""What contradicts itself is refused in one line; every recipe is a whole configuration that a file can hold."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_mgm import CPU, FACTS, tiny_mgm, tiny_settings

from scenelift.adapt.align import AlignmentConfig
from scenelift.adapt.config import TrainContent
from scenelift.adapt.mgm import recipes
from scenelift.adapt.mgm.method import Mgm
from scenelift.adapt.mgm.settings import LossWeights, MgmSettings
from scenelift.adapt.plain import from_plain, to_plain
from scenelift.adapt.recipes import recipe

pytestmark = pytest.mark.usefixtures("shallow")

NAMES = [name for name, _ in recipes.recipes()]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tasks": ("depth", "depth")}, "tasks must be some of segmentation, depth, normal"),
        ({"tasks": ()}, "refinement reads predictions"),
        ({"refinement": "further"}, "its network learns on labelled pictures alone"),
        ({"further_labels": "exact"}, "generated pictures bring no labels along"),
        ({"further": "none", "further_labels": "exact"}, "needs further pictures"),
        ({"annotator": Path("a")}, "annotator has no use with further_labels none"),
        ({"further": "images", "gan_steps": 1}, "gan_steps and gan_from need further gan"),
        ({"further": "none", "gan_from": Path("a")}, "gan_steps and gan_from need further gan"),
        ({"gan_joint": False}, "nothing teaches the middle network"),
        ({"detach_fake": False, "fake_from": "average"}, "an average receives no gradient"),
        (
            {"detach_fake": False, "gan_joint": False, "condition": False},
            "its gradients reach nothing that learns",
        ),
        ({"align": AlignmentConfig()}, "it needs further images"),
        (
            {"further": "images", "align": AlignmentConfig(method="adabn")},
            "without adabn, fourier or ratio",
        ),
        ({"softmax": True, "tasks": ("depth",)}, "not among the tasks"),
        ({"gan_steps": -1}, "gan_steps must be at least 0"),
        ({"temperature": 0.0}, "temperature must be positive"),
    ],
)
def test_contradictions_end_in_one_line(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        MgmSettings(**changes)
    assert "\n" not in str(caught.value)


def test_weights_are_not_negative() -> None:
    with pytest.raises(ValueError, match="the weight of scene must be at least 0, got -1"):
        LossWeights(scene=-1)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_survives_a_file(name: str) -> None:
    content = recipe(name)
    assert from_plain(TrainContent, to_plain(content)) == content


def test_recipes_differ_in_their_switches_alone() -> None:
    shared = (
        "backbone",
        "decoder_width",
        "answer_stride",
        "refinement_width",
        "gan",
        "game",
        "optimiser",
        "weights",
    )
    desk = [recipe(name) for name in NAMES if name != "mgm-paper"]
    for field in shared:
        assert len({repr(getattr(content.method, field)) for content in desk}) == 1
    assert len({repr(content.geometry) for content in desk}) == 1


def test_as_many_game_steps_as_steps_are_refused() -> None:
    with pytest.raises(ValueError, match="leave none of 5 steps to learn jointly"):
        Mgm(tiny_settings(gan_steps=5), facts=FACTS, seed=0, device=CPU, steps=5)


def test_refinement_needs_scenes() -> None:
    with pytest.raises(ValueError, match="label them, or set refinement none"):
        Mgm(tiny_settings(), facts=replace(FACTS, scenes=()), seed=0, device=CPU)


def test_an_annotator_must_be_named() -> None:
    settings = tiny_settings(
        tasks=("depth",), further_labels="annotator", gan_joint=False, condition=False
    )
    with pytest.raises(ValueError, match=r"give --method\.annotator RUN"):
        Mgm(settings, facts=FACTS, seed=0, device=CPU)


def test_no_switch_moves_the_first_weights_of_another_network() -> None:
    whole = tiny_mgm(tiny_settings()).networks()
    for changes in ({"further": "none"}, {"refinement": "none"}, {"self_supervision": "none"}):
        part = tiny_mgm(tiny_settings(**changes)).networks()
        for name, network in part.items():
            theirs = dict(whole[name].named_parameters())
            for key, parameter in network.named_parameters():
                assert torch.equal(parameter, theirs[key])
