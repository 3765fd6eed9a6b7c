"""Backbones: the published sizes, taps, gradients, determinism and errors."""

import itertools
import subprocess
import sys

import pytest
import torch
from jaxtyping import Float, TypeCheckError
from small_networks import count_parameters, generator_of, lived_in_backbone, noise_pictures
from torch import Tensor, nn

from scenelift.adapt.backbones import BACKBONES, Taps, build_backbone, empty_backbone
from scenelift.adapt.initialise import INITS, Init, initialise

TIMM = "timm:mobilenetv3_small_050"
QUICK = ("alexnet-small", "resnet18")
DILATED = tuple(name for name in BACKBONES if not name.endswith("standard"))


def skip_without_timm(name: str) -> None:
    if name.startswith("timm:"):
        pytest.importorskip("timm")


def on_meta(name: str, *, width: int, height: int) -> dict[str, tuple[int, ...]]:
    """Run the shapes through a network without computing anything."""
    backbone = empty_backbone(name).to("meta").eval()
    features = backbone(torch.zeros(2, 3, height, width, device="meta"))
    return {layer: tuple(feature.shape[1:]) for layer, feature in features.items()}


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("alexnet", 58.30),
        ("vgg16", 14.72),
        ("resnet18", 11.18),
        ("resnet50", 23.51),
        ("alexnet-small", 0.57),
        ("alexnet-standard", 58.28),
        ("mgm-resnet", 11.14),
        ("mgm-resnet-small", 0.70),
    ],
)
def test_parameters_are_as_many_as_published(name: str, millions: float) -> None:
    assert round(count_parameters(empty_backbone(name)) / 1e6, 2) == millions


def test_the_dilated_alexnet_has_the_published_maps() -> None:
    assert on_meta("alexnet", width=227, height=227) == {
        "conv1": (96, 56, 56),
        "conv2": (256, 27, 27),
        "conv3": (384, 13, 13),
        "conv4": (384, 13, 13),
        "conv5": (256, 13, 13),
        "fc6": (4096, 13, 13),
        "fc7": (4096, 13, 13),
    }


def test_the_ordinary_alexnet_has_vectors_at_its_end() -> None:
    shapes = on_meta("alexnet-standard", width=227, height=227)
    assert shapes["conv5"] == (256, 13, 13)
    assert shapes["fc6"] == shapes["fc7"] == (4096, 1, 1)


def test_vgg16_has_the_published_maps() -> None:
    assert on_meta("vgg16", width=224, height=224) == {
        "conv1": (64, 224, 224),
        "conv2": (128, 112, 112),
        "conv3": (256, 56, 56),
        "conv4": (512, 28, 28),
        "conv5": (512, 14, 14),
    }


def test_torchvision_names_are_kept() -> None:
    from torchvision.models import resnet18, vgg16_bn

    with torch.device("meta"):
        resnet, vgg = resnet18(weights=None), vgg16_bn(weights=None)
    for name, theirs in (("resnet18", resnet), ("vgg16", vgg)):
        ours = empty_backbone(name).state_dict()
        known = theirs.state_dict()
        assert {key: value.shape for key, value in ours.items()} == {
            key: known[key].shape for key in ours
        }
        assert not {key.split(".")[0] for key in known.keys() - ours.keys()} - {"fc", "classifier"}


def test_a_resnet_computes_what_torchvisions_does() -> None:
    from torchvision.models import resnet18, resnet50

    for name, build in (("resnet18", resnet18), ("resnet50", resnet50)):
        ours = lived_in_backbone(name)
        with torch.device("meta"):
            theirs = build(weights=None)
        theirs.load_state_dict(ours.state_dict(), strict=False, assign=True)
        theirs.set_submodule("fc", nn.Identity())
        picture = noise_pictures(1, width=70, height=65)
        with torch.no_grad():
            pooled = ours(picture)["layer4"].mean(dim=(2, 3))
            torch.testing.assert_close(theirs.eval()(picture), pooled, rtol=1e-5, atol=1e-6)


def test_alexnet_names_are_ours() -> None:
    names = set(empty_backbone("alexnet").state_dict())
    assert {"conv1.weight", "conv1.bias", "bn1.running_var", "fc6.weight", "bn7.bias"} <= names


@pytest.mark.parametrize("name", [*DILATED, TIMM])
def test_strides_and_channels_are_as_announced(name: str) -> None:
    skip_without_timm(name)
    backbone = empty_backbone(name).to("meta").eval()
    features = backbone(torch.zeros(1, 3, 512, 256, device="meta"))
    assert list(features) == [layer.name for layer in backbone.layers]
    for layer in backbone.layers:
        _, channels, height, width = features[layer.name].shape
        assert channels == layer.channels
        assert 0 <= 512 / layer.stride - height < 2, layer
        assert 0 <= 256 / layer.stride - width < 2, layer


@pytest.mark.parametrize("name", [*QUICK, TIMM])
def test_building_leaves_the_global_generator_alone_and_is_repeatable(name: str) -> None:
    skip_without_timm(name)
    before = torch.random.get_rng_state()
    first, second, other = (build_backbone(name, generator=generator_of(s)) for s in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    one, two, three = (network.state_dict() for network in (first, second, other))
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert not all(torch.equal(one[key], three[key]) for key in one)
    assert all(bool(torch.isfinite(value).all()) for value in one.values())


def test_it_learns_the_same_twice() -> None:
    def learn() -> Tensor:
        backbone = build_backbone("alexnet-small", generator=generator_of(0))
        optimiser = torch.optim.Adam(backbone.parameters(), lr=1e-3)
        for step in range(3):
            optimiser.zero_grad()
            features = backbone(noise_pictures(2, width=64, height=64, seed=step))
            features["fc7"].square().mean().backward()
            optimiser.step()
        return backbone.get_parameter("conv1.weight").detach()

    assert torch.equal(learn(), learn())


@pytest.mark.parametrize("name", QUICK)
def test_taps_differ_by_a_relu_alone(name: str) -> None:
    post, pre = lived_in_backbone(name), lived_in_backbone(name, taps="pre")
    picture = noise_pictures(2, width=70, height=64)
    with torch.no_grad():
        after, before = post(picture), pre(picture)
    for layer in after:
        assert float(after[layer].min()) >= 0 > float(before[layer].min())
        assert torch.equal(after[layer], before[layer].relu())


def test_tapped_maps_of_vgg16_differ_by_a_relu_alone() -> None:
    post, pre = lived_in_backbone("vgg16"), lived_in_backbone("vgg16", taps="pre")
    picture = noise_pictures(1, width=32, height=48)
    with torch.no_grad():
        after, before = post(picture), pre(picture)
    for layer in after:
        assert float(before[layer].min()) < 0
        assert torch.equal(after[layer], before[layer].relu())


@pytest.mark.parametrize("taps", ["post", "pre"])
@pytest.mark.parametrize("name", QUICK)
def test_gradients_reach_every_weight_before_a_layer_and_fewer_than_a_deeper_one(
    name: str, taps: Taps
) -> None:
    backbone = build_backbone(name, generator=generator_of(0), taps=taps)
    features = backbone(noise_pictures(2, width=64, height=64))
    names = list(features)
    reached: dict[str, set[str]] = {}
    for layer in names:
        backbone.zero_grad()
        features[layer].square().sum().backward(retain_graph=True)
        reached[layer] = {
            key
            for key, value in backbone.named_parameters()
            if value.grad is not None and bool(value.grad.abs().sum() > 0)
        }
    for earlier, later in itertools.pairwise(names):
        assert reached[earlier] < reached[later]
    weights = {key for key, _ in backbone.named_parameters() if key.endswith("weight")}
    assert weights <= reached[names[-1]]


@pytest.mark.parametrize("name", [*QUICK, TIMM])
def test_it_stops_where_asked(name: str) -> None:
    skip_without_timm(name)
    backbone = lived_in_backbone(name)
    picture = noise_pictures(1, width=64, height=64)
    with torch.no_grad():
        whole = backbone(picture)
        third = list(whole)[2]
        part = backbone(picture, until=third)
    assert list(part) == list(whole)[:3]
    assert torch.equal(part[third], whole[third])


def test_layers_that_are_not_computed_see_nothing() -> None:
    backbone = build_backbone("alexnet-small", generator=generator_of(0))
    backbone(noise_pictures(2, width=64, height=64), until="conv5")
    counts = {i: int(backbone.get_buffer(f"bn{i}.num_batches_tracked")) for i in range(1, 8)}
    assert counts == {1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 0, 7: 0}


@pytest.mark.parametrize("name", QUICK)
def test_in_evaluation_a_picture_does_not_see_its_batch(name: str) -> None:
    backbone = lived_in_backbone(name)
    pictures = noise_pictures(3, width=64, height=64)
    with torch.no_grad():
        together, alone = backbone(pictures), backbone(pictures[1:2])
    for layer in together:
        scale = float(alone[layer].abs().max())
        torch.testing.assert_close(together[layer][1:2], alone[layer], rtol=1e-4, atol=1e-5 * scale)


def test_fc6_is_dilated() -> None:
    """One position of conv5, not pooled, reaches fc6 at every second position over 11, and no other."""
    backbone = lived_in_backbone("alexnet-small")
    fc6 = backbone.get_submodule("fc6")
    impulse = torch.zeros(1, 64, 13, 13)
    impulse[0, :, 6, 6] = 1
    with torch.no_grad():
        change = (fc6(impulse) - fc6(torch.zeros_like(impulse))).abs().amax(dim=1)[0]
    reached = (change > 1e-6).nonzero().unique().tolist()
    assert reached == [1, 3, 5, 7, 9, 11]


@pytest.mark.parametrize("name", QUICK)
def test_shifting_a_picture_by_the_stride_shifts_the_map(name: str) -> None:
    backbone = lived_in_backbone(name)
    stride = backbone.layers[-1].stride
    picture = torch.zeros(1, 3, 1152, 64)
    patch = noise_pictures(1, width=64, height=32)
    there, moved = picture.clone(), picture.clone()
    there[:, :, 512:544] = patch
    moved[:, :, 512 + stride : 544 + stride] = patch
    with torch.no_grad():
        first = backbone(there)[backbone.output_layer]
        second = backbone(moved)[backbone.output_layer]
    middle = slice(first.shape[2] // 4, -(first.shape[2] // 4))
    torch.testing.assert_close(
        first.roll(1, dims=2)[:, :, middle], second[:, :, middle], rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("name", QUICK)
def test_bfloat16_and_channels_last_give_nearly_the_same(name: str) -> None:
    backbone = lived_in_backbone(name)
    picture = noise_pictures(2, width=97, height=131)
    with torch.no_grad():
        expected = backbone(picture)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            coarse = backbone(picture)
        backbone.to(memory_format=torch.channels_last)
        striped = backbone(picture.to(memory_format=torch.channels_last))
    for layer, feature in expected.items():
        scale = float(feature.abs().max())
        assert float((coarse[layer].float() - feature).abs().max()) < 0.1 * scale
        torch.testing.assert_close(striped[layer], feature, rtol=1e-4, atol=1e-5 * scale)
    assert striped["conv1"].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("init", "std", "bias"),
    [("released", 0.02, 0.0), ("paper", 2**0.5, 0.1), ("default", 0.0, 0.0)],
)
def test_first_weights_follow_their_scheme(init: Init, std: float, bias: float) -> None:
    backbone = build_backbone("alexnet-small", generator=generator_of(0), init=init)
    weight = backbone.get_parameter("fc6.weight").detach()
    fan_in, fan_out = 64 * 36, 128 * 36
    expected = std * (2 / (fan_in + fan_out)) ** 0.5 if std else (2 / fan_in) ** 0.5
    assert float(weight.std()) == pytest.approx(expected, rel=0.01)
    assert float(weight.mean()) == pytest.approx(0, abs=0.01 * expected)
    assert bool((backbone.get_parameter("fc6.bias") == bias).all())
    scale = backbone.get_parameter("bn6.weight").detach()
    assert float(scale.mean()) == pytest.approx(1, abs=0.01)
    assert float(scale.std()) == pytest.approx(0 if init == "default" else 0.02, abs=0.004)
    assert not backbone.get_parameter("bn6.bias").any()
    assert bool((backbone.get_buffer("bn6.running_var") == 1).all())


def test_he_weights_keep_the_scale_of_what_passes() -> None:
    """Behind a ReLU, the mean square doubles in a convolution, a deconvolution and a linear layer: the next ReLU halves it."""
    layers: list[tuple[nn.Module, tuple[int, ...]]] = [
        (nn.Conv2d(128, 128, 3), (4, 128, 16, 16)),
        (nn.ConvTranspose2d(128, 128, 4, stride=2, padding=1), (4, 128, 16, 16)),
        (nn.Linear(512, 512), (64, 512)),
    ]
    for layer, shape in layers:
        initialise(layer, init="default", generator=generator_of(0))
        x = torch.randn(shape, generator=generator_of(1)).relu()
        with torch.no_grad():
            y = layer(x)
        inner = y[:, :, 2:-2, 2:-2] if y.ndim == 4 else y
        ratio = float(inner.square().mean() / x.square().mean())
        assert ratio == pytest.approx(2, rel=0.1), layer


def test_linear_layers_follow_the_paper() -> None:
    layer = nn.Linear(400, 300)
    initialise(layer, init="paper", generator=generator_of(0))
    assert float(layer.weight.detach().std()) == pytest.approx(0.01, rel=0.02)
    assert not layer.bias.any()


def test_errors_say_what_there_is() -> None:
    generator = generator_of(0)
    backbone = empty_backbone("alexnet-small")
    with pytest.raises(ValueError, match=r"no layer 'conv9'; its layers are conv1, .*, fc7"):
        backbone.layer("conv9")
    with pytest.raises(ValueError, match=r"no layer 'fc8'"):
        backbone(noise_pictures(1, width=64, height=64), until="fc8")
    with pytest.raises(
        ValueError, match=r"no backbone 'resnet34'; choose one of alexnet, .*timm:NAME"
    ):
        build_backbone("resnet34", generator=generator)
    with pytest.raises(ValueError, match="at least 31 pixels a side, got 64 x 30"):
        backbone(noise_pictures(1, width=64, height=30))
    with pytest.raises(ValueError, match="map of 6 x 6, pool5 gave 7 x 6"):
        empty_backbone("alexnet-small-standard").eval()(noise_pictures(1, width=256, height=227))


def test_the_posters_name_of_fc6_is_known() -> None:
    assert empty_backbone("alexnet-small").layer("conv6").name == "fc6"


def test_wrong_schemes_and_taps_are_refused() -> None:
    wrong_init: Init = "xavier"  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]
    with pytest.raises((ValueError, TypeCheckError)):
        build_backbone("alexnet-small", generator=generator_of(0), init=wrong_init)
    assert set(INITS) == {"default", "released", "paper"}


@pytest.mark.parametrize(
    "name", ["timm:no_such_net", "timm:hf-hub:someone/net", "timm:local-dir:/x"]
)
def test_timm_networks_come_from_timm_alone(name: str) -> None:
    pytest.importorskip("timm")
    with pytest.raises(ValueError, match="has no network"):
        build_backbone(name, generator=generator_of(0))


def test_without_timm_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(ImportError, match=r"pip install 'scenelift\[timm\]'"):
        build_backbone(TIMM, generator=generator_of(0))


def test_timm_is_imported_only_where_it_is_used() -> None:
    code = "import sys, scenelift.adapt.heads; sys.exit('timm' in sys.modules or 'onnx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_the_gate_refuses_a_grey_picture() -> None:
    wrong: Float[Tensor, "1 1 64 64"] = torch.zeros(1, 1, 64, 64)
    with pytest.raises(TypeCheckError):
        empty_backbone("alexnet-small")(wrong)
