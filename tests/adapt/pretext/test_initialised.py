"""Networks that learn nothing: N(0, 0.01), and units and gradients that data have levelled, also on pictures they were not set on."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from photo_trees import photo, write_tree
from planted_pictures import CPU, photo_like
from torch import Tensor, nn

from scenelift.adapt.cli import main
from scenelift.adapt.log import read_metrics
from scenelift.adapt.method import Batch, Clock
from scenelift.adapt.network_input import network_input
from scenelift.adapt.pretext.data_dependent import (
    Filters,
    draw_patches,
    find_directions,
    unit_statistics,
)
from scenelift.adapt.pretext.initialised import (
    DataDependentRule,
    GaussianRule,
    Initialised,
    InitialisedSettings,
    draw_filters,
)
from scenelift.adapt.weights import load_weights
from scenelift.datasets.geometry import Geometry
from scenelift.datasets.loaders import fixed_batches
from scenelift.datasets.photos import PhotoDataset
from scenelift.datasets.places import open_photos

KMEANS = DataDependentRule(patches=1500)
FIRST = Clock(step=0, steps=2)


def batch_of(*, count: int, seed: int, side: int = 64) -> Batch:
    return {
        "image": photo_like(count=count, side=side, seed=seed),
        "sample_seed": torch.arange(count),
    }


def made(
    rule: GaussianRule | DataDependentRule, *, backbone: str = "alexnet-small", count: int = 64
) -> Initialised:
    settings = InitialisedSettings(rule=rule, backbone=backbone)
    method = Initialised(settings, seed=0, device=CPU)
    assert method.step({"real": batch_of(count=count, seed=1)}, clock=FIRST) == {}
    return method


def pixels_of(method: Initialised, batch: Batch) -> Tensor:
    return network_input(batch["image"], normalisation=method.input_normalisation)


@pytest.fixture(scope="module")
def kmeans() -> Initialised:
    return made(KMEANS)


def test_gaussian_is_normal_without_biases() -> None:
    method = made(GaussianRule(std=0.02))
    weights = [p for name, p in method.backbone.named_parameters() if name.endswith("weight")]
    biases = [p for name, p in method.backbone.named_parameters() if name.endswith("bias")]
    assert len(weights) == len(biases) == 7  # no batch norms
    values = torch.cat([weight.flatten() for weight in weights])
    assert values.std().item() == pytest.approx(0.02, rel=0.01)
    assert abs(values.mean().item()) < 2e-4
    assert all(bias.abs().max() == 0 for bias in biases)


@pytest.mark.parametrize("filters", ["normal", "pca", "kmeans"])
def test_without_equalising_every_unit_has_its_mean_and_deviation(filters: Filters) -> None:
    rule = DataDependentRule(filters=filters, equalise=False, patches=500, mean=0.2)
    method = made(rule, count=40)
    on_its_own = unit_statistics(method.backbone, pixels_of(method, batch_of(count=40, seed=1)))
    assert list(on_its_own) == ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7"]
    for mean, std in on_its_own.values():
        torch.testing.assert_close(mean, torch.full_like(mean, 0.2), rtol=0, atol=1e-4)
        torch.testing.assert_close(std, torch.ones_like(std), rtol=1e-4, atol=0)


def test_held_out_pictures_find_units_near_their_targets() -> None:
    method = made(DataDependentRule(filters="normal"))
    held_out = batch_of(count=64, seed=2)
    found = unit_statistics(method.backbone, pixels_of(method, held_out))
    figures = method.validate({"real": held_out})
    for name, (mean, std) in found.items():
        scale = figures[f"deviation/{name}_target"].item()
        assert figures[f"mean/{name}_target"].item() == pytest.approx(0.1 * scale, rel=1e-5)
        assert (mean / scale - 0.1).abs().max() < 0.3, name
        assert (std / scale - 1).abs().max() < 0.25, name
    assert figures["off_target/mean"] < 0.06
    assert figures["off_target/deviation"] < 0.06


@pytest.mark.slow
@pytest.mark.skipif("SCENELIFT_DATA" not in os.environ, reason="wants photos")
def test_filters_of_photos_hold_on_other_photos() -> None:
    photos = PhotoDataset(open_photos(Path(os.environ["SCENELIFT_DATA"]) / "images/miniplaces.tar"))
    parts = [
        fixed_batches(photos, name=name, batch_size=160, num_batches=1, geometry=Geometry(resize_px=128, crop_px=112), seed=0, device=CPU)
        for name in ("learnt", "held out")
    ]  # fmt: skip
    learnt, held_out = (next(iter(part)) for part in parts)
    method = Initialised(InitialisedSettings(rule=DataDependentRule()), seed=0, device=CPU)
    method.step({"real": learnt}, clock=FIRST)
    figures = method.validate({"real": held_out})
    assert figures["off_target/mean"] < 0.1
    assert figures["off_target/deviation"] < 0.15
    own = method.gradient_ratios(pixels_of(method, learnt))
    assert own.max() / own.min() < 1.01


def test_layers_learn_at_one_rate(kmeans: Initialised) -> None:
    pixels = pixels_of(kmeans, batch_of(count=64, seed=1))
    on_its_own = kmeans.gradient_ratios(pixels)
    assert on_its_own.max() / on_its_own.min() < 1.01
    before = made(replace(KMEANS, equalise=False)).gradient_ratios(pixels)
    held_out = kmeans.gradient_ratios(pixels_of(kmeans, batch_of(count=64, seed=2)))
    # Of other pictures within chance, which with so few of them is large.
    assert held_out.max() / held_out.min() < before.max() / before.min()


def sources(*, count: int) -> tuple[Tensor, Tensor]:
    """Patches that show one of six patterns each, light or dark, and the patterns in rows."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randn(6, 12, generator=generator)
    which = torch.randint(6, (count,), generator=generator)
    sign = torch.randint(2, (count, 1), generator=generator) * 2.0 - 1
    noise = 0.01 * torch.randn(count, 12, generator=generator)
    return sign * patterns[which] + noise, patterns


def test_kmeans_finds_units_that_answer_to_one_pattern_each() -> None:
    patches, patterns = sources(count=3000)
    drawn = torch.randn(6, 12, generator=torch.Generator().manual_seed(1))

    def purity(filters: Filters) -> float:
        found = find_directions(
            patches, drawn.clone(), filters=filters, generator=torch.Generator().manual_seed(2)
        )
        answers = (found @ patterns.T).abs()
        return float((answers.amax(dim=1) / answers.sum(dim=1)).median())

    assert purity("kmeans") > 0.9
    assert purity("pca") < 0.8
    assert purity("normal") < 0.8


def test_principal_components_are_those_of_the_covariance() -> None:
    patches, _ = sources(count=500)
    drawn = torch.full((14, 12), 7.0)
    generator = torch.Generator().manual_seed(2)
    found = find_directions(patches, drawn, filters="pca", generator=generator)
    values, vectors = torch.linalg.eigh(patches.T.cov())
    cosines = (found[:6] * vectors.T.flip(0)[:6]).sum(dim=1).abs()
    assert values[-6] > 100 * values[-7]
    torch.testing.assert_close(cosines, torch.ones(6), rtol=0, atol=1e-3)
    assert found[12:].eq(7).all()  # no more components than inputs
    nothing = torch.full((14, 12), 7.0)
    assert (
        find_directions(patches[:13], nothing, filters="kmeans", generator=generator).eq(7).all()
    )  # fewer patches than units


def test_patches_are_what_a_convolution_multiplies() -> None:
    generator = torch.Generator().manual_seed(0)
    for layer in (
        nn.Conv2d(3, 5, (3, 2), stride=(2, 1), padding=(1, 2), dilation=(2, 3)),
        nn.Conv2d(3, 5, 6, padding=5, dilation=2),
    ):
        x = torch.randn(4, 3, 14, 13, generator=generator)
        patches = draw_patches(layer, x, count=400, generator=generator)
        answers = patches @ layer.weight.detach().flatten(1).T + layer.bias.detach()  # type: ignore[union-attr]
        everywhere = layer(x).detach().permute(0, 2, 3, 1).flatten(0, 2)
        distance = (answers[:, None] - everywhere[None]).abs().amax(dim=2).amin(dim=1)
        assert distance.max() < 1e-5


def test_later_steps_change_nothing_and_a_run_goes_on_to_the_same_bits(kmeans: Initialised) -> None:
    state = {name: tensor.clone() for name, tensor in kmeans.backbone.state_dict().items()}
    kmeans.step({"real": batch_of(count=8, seed=7)}, clock=Clock(step=1, steps=2))
    other = Initialised(kmeans.settings, seed=0, device=CPU)
    other.load_state_dict(kmeans.state_dict())
    again = made(KMEANS)
    figures = [m.validate({"real": batch_of(count=8, seed=3)}) for m in (kmeans, other, again)]
    for name, tensor in state.items():
        for method in (kmeans, other, again):
            assert torch.equal(method.backbone.state_dict()[name], tensor)
    assert figures[0] == figures[1] == figures[2]
    with pytest.raises(ValueError, match="belongs to another configuration"):
        other.load_state_dict({"backbone": {}})


def test_a_residual_network_is_set_layer_by_layer_and_not_equalised() -> None:
    with pytest.raises(ValueError, match=r"resnet18 is no chain of layers.*set equalise to False"):
        made(DataDependentRule(), backbone="resnet18")
    method = made(DataDependentRule(equalise=False, filters="normal"), backbone="resnet18", count=8)
    found = unit_statistics(method.backbone, pixels_of(method, batch_of(count=8, seed=1)))
    assert len(found) == 20  # and not the classifier
    assert all(torch.allclose(std, torch.ones_like(std), rtol=1e-3) for _, std in found.values())


def test_pictures_of_one_colour_are_told() -> None:
    method = Initialised(InitialisedSettings(rule=DataDependentRule(filters="normal")), seed=0, device=CPU)  # fmt: skip
    flat = {
        "image": torch.full((4, 3, 64, 64), 9, dtype=torch.uint8),
        "sample_seed": torch.arange(4),
    }
    method.backbone.get_submodule("conv1").padding = (0, 0)  # type: ignore[assignment]
    with pytest.raises(
        ArithmeticError, match="a unit of layer conv1 answers the same to all of 4 pictures"
    ):
        method.step({"real": flat}, clock=FIRST)


def test_bad_settings_are_told_and_nothing_draws_from_the_global_generator() -> None:
    state = torch.get_rng_state()
    made(DataDependentRule(patches=500), count=8)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(ValueError, match="std must be positive, got 0"):
        GaussianRule(std=0)
    with pytest.raises(ValueError, match="patches must be at least 1"):
        DataDependentRule(patches=0)


def test_filters_are_drawn_in_colour() -> None:
    weights = torch.zeros(9, 3, 5, 5)
    weights[0, 0] = 2.0
    weights[1, :, 2, 2] = -1.0
    drawn = draw_filters(weights)
    assert drawn.shape == (2, 20, 8 * 20 + 7 * 4, 3)
    assert drawn[0, 0, 0].tolist() == [255, 128, 128]
    assert drawn[0, 10, 24 + 10].tolist() == [0, 0, 0]
    assert drawn[1, 0, 60].tolist() == [255, 255, 255]  # no ninth filter's neighbour


@pytest.mark.parametrize("recipe", ["gaussian", "krahenbuhl"])
def test_the_recipes_run(tmp_path: Path, recipe: str) -> None:
    photos = write_tree(
        tmp_path / "photos", {f"{n}.png": photo(width=90, height=80, seed=n) for n in range(8)}
    )
    out = tmp_path / "run"
    flags = [
        "--recipe", recipe, "--batch-size", "8", "--geometry.resize-px", "72", "--geometry.crop-px", "64", "--device", "cpu",
        "--no-tensorboard", "--real", str(photos), "--out", str(out),
    ]  # fmt: skip
    if recipe == "krahenbuhl":
        flags += ["--method.rule.patches", "400"]
    assert main(flags) == 0
    weights = load_weights(out / "weights.safetensors")
    assert weights.backbone.folded
    log = read_metrics(out / "metrics.jsonl")
    assert "deviation/fc7" in log.val
    assert (out / "pictures" / "1" / "filters" / "conv1.png").is_file()


def test_rules_are_read_back_from_a_saved_configuration() -> None:
    from scenelift.adapt.plain import from_plain, to_plain
    from scenelift.adapt.recipes import recipe

    for name in ("gaussian", "krahenbuhl", "simclr", "byol", "imagenet"):
        content = replace(recipe(name), seed=3)
        assert from_plain(type(content), to_plain(content)) == content
