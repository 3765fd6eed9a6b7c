import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from fake_runs import fake_images
from jaxtyping import UInt8
from PIL import Image
from scipy import ndimage
from torch import Tensor

from scenelift.adapt.audit import Audit, FileFacts, Finding, Severity, audit_shortcuts, write_audit

_COUNT, _SIDE = 120, 64
_PIXEL_GROUPS = ("JPEG", "colour detail", "colour", "sharpness", "noise", "borders")


def as_tensor(images: np.ndarray) -> UInt8[Tensor, "n 3 h w"]:
    return torch.from_numpy(np.rint(images).clip(0, 255).astype(np.uint8)).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def domains() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    return (
        fake_images(_COUNT, side_px=_SIDE + 16, rng=rng),
        fake_images(_COUNT, side_px=_SIDE + 16, rng=rng),
    )


def crop(images: np.ndarray, *, seed: int) -> np.ndarray:
    """Crop at random places, so that nothing stands where it stood in the original."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, 17, (len(images), 2))
    return np.stack(
        [image[y : y + _SIDE, x : x + _SIDE] for image, (y, x) in zip(images, places, strict=True)]
    )


def audit(left: np.ndarray, right: np.ndarray) -> Audit:
    return audit_shortcuts(as_tensor(crop(left, seed=1)), as_tensor(crop(right, seed=2)), seed=0)


def severities(result: Audit) -> dict[str, Severity]:
    return {finding.group: finding.severity for finding in result.findings}


def jpeg(images: np.ndarray, *, quality: int, subsampling: int = 2) -> np.ndarray:
    decoded = []
    for image in np.rint(images).astype(np.uint8):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=subsampling)
        decoded.append(np.asarray(Image.open(file)))
    return np.stack(decoded).astype(float)


def test_equal_domains_are_at_chance_within_the_interval_but_for_one_in_twenty() -> None:
    findings: list[Finding] = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        left, right = (fake_images(60, side_px=48, rng=rng) for _ in range(2))
        findings += audit_shortcuts(as_tensor(left), as_tensor(right), seed=seed).findings
    assert sum(not f.separability.low <= 0.5 <= f.separability.high for f in findings) <= 1
    assert {f.severity for f in findings} <= {"closed", "slight"}
    assert {f.cure for f in findings} == {""}


@pytest.mark.parametrize(("quality", "group"), [(50, "JPEG"), (75, "colour detail"), (92, "noise")])
def test_jpeg_on_one_side_is_found(
    domains: tuple[np.ndarray, np.ndarray], quality: int, group: str
) -> None:
    left, right = domains
    found = severities(audit(left, jpeg(right, quality=quality)))
    assert found[group] in ("open", "wide open")
    assert found["all together"] == "wide open"


def test_jpeg_is_found_by_its_grid_alone(domains: tuple[np.ndarray, np.ndarray]) -> None:
    # Grey pictures have no colour to blur.
    left, right = (np.repeat(d.mean(axis=3, keepdims=True), 3, axis=3) for d in domains)
    assert severities(audit(left, jpeg(right, quality=50)))["JPEG"] == "wide open"


def test_jpeg_on_both_sides_is_no_shortcut(domains: tuple[np.ndarray, np.ndarray]) -> None:
    left, right = (jpeg(domain, quality=75) for domain in domains)
    assert severities(audit(left, right))["JPEG"] in ("closed", "slight")


def test_blur_on_one_side_is_found(domains: tuple[np.ndarray, np.ndarray]) -> None:
    left, right = domains
    blurred = ndimage.gaussian_filter(right, (0, 0.8, 0.8, 0))
    found = severities(audit(left, blurred))
    assert found["sharpness"] == "wide open"
    assert {found[group] for group in ("JPEG", "borders")} <= {"closed", "slight"}


def test_a_colour_cast_is_found_and_nothing_else(domains: tuple[np.ndarray, np.ndarray]) -> None:
    left, right = (0.25 * domain + 96 for domain in domains)  # nothing is clipped
    found = severities(audit(left, right + np.array([8.0, 0.0, -8.0])))
    assert found["colour"] == "wide open"
    assert {found[g] for g in _PIXEL_GROUPS if g != "colour"} <= {"closed", "slight"}


def test_a_black_border_on_one_side_and_a_white_one_on_the_other_are_told_apart(
    domains: tuple[np.ndarray, np.ndarray],
) -> None:
    left, right = (crop(domain, seed=3) for domain in domains)
    left[:, :3], right[:, :3] = 255, 0
    result = audit_shortcuts(as_tensor(left), as_tensor(right), seed=0)
    assert severities(result)["borders"] == "wide open"


def test_a_black_border_is_found(domains: tuple[np.ndarray, np.ndarray]) -> None:
    left, right = (crop(domain, seed=3) for domain in domains)
    right[:, :3] = 0
    right[:, -3:] = 2
    result = audit_shortcuts(as_tensor(left), as_tensor(right), seed=0)
    assert severities(result)["borders"] == "wide open"


def test_grain_on_one_side_is_found(domains: tuple[np.ndarray, np.ndarray]) -> None:
    left, right = domains
    grain = np.random.default_rng(0).normal(scale=3, size=right.shape)
    assert severities(audit(left, right + grain))["noise"] == "wide open"


def test_files_that_differ_are_found_and_are_no_shortcut_by_themselves(
    domains: tuple[np.ndarray, np.ndarray],
) -> None:
    rng = np.random.default_rng(0)
    width = rng.integers(200, 800, _COUNT)
    synthetic = FileFacts(
        width_px=np.full(_COUNT, 320),
        height_px=np.full(_COUNT, 240),
        jpeg=np.zeros(_COUNT, bool),
    )
    real = FileFacts(width_px=width, height_px=width, jpeg=np.ones(_COUNT, bool))
    result = audit_shortcuts(
        *(as_tensor(crop(domain, seed=1)) for domain in domains),
        seed=0,
        synthetic_files=synthetic,
        real_files=real,
    )
    assert [f.group for f in result.findings[:2]] == ["original size", "original format"]
    for finding in result.findings[:2]:
        assert finding.separability.accuracy > 0.95
        assert finding.severity == "open"
        assert "traces" in finding.verdict


def test_the_same_arguments_give_the_same(domains: tuple[np.ndarray, np.ndarray]) -> None:
    assert audit(*domains) == audit(*domains)


@pytest.mark.parametrize("value", [0, 255])
@pytest.mark.parametrize("count", [0, 1, 30])
def test_pictures_of_nothing_are_no_trouble(count: int, value: int) -> None:
    images = torch.full((count, 3, 33, 47), value, dtype=torch.uint8)
    result = audit_shortcuts(images, images, seed=0)
    expected = "closed" if count == 30 else "not measured"
    assert {finding.severity for finding in result.findings} == {expected}


def test_images_of_different_size_are_refused() -> None:
    small, large = (torch.zeros(1, 3, side, 64, dtype=torch.uint8) for side in (48, 64))
    with pytest.raises(ValueError, match="after the common crop"):
        audit_shortcuts(small, large, seed=0)
    with pytest.raises(ValueError, match="at least 32"):
        audit_shortcuts(small[:, :, :8], small[:, :, :8], seed=0)


def test_the_file_is_strict_json(tmp_path: Path) -> None:
    images = torch.zeros(3, 3, 32, 32, dtype=torch.uint8)
    path = tmp_path / "audit.json"
    write_audit(audit_shortcuts(images, images, seed=7), path=path)
    content = json.loads(path.read_text(), parse_constant=pytest.fail)
    assert (content["seed"], content["num_real"]) == (7, 3)
    assert content["findings"][0]["separability"]["accuracy"] is None
