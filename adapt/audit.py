"""The shortcut audit: can a trivial classifier tell synthetic from real images before any network is trained?

A discriminator that can go by the codec, the resampling, a border or a colour cast learns that instead of what the rooms look
like. Each group of features below looks at one such thing; blur takes grain away too, so several may answer to one cause.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from scenelift.adapt import audit_features
from scenelift.adapt.domain_probe import Separability, separability

FORMAT_VERSION = 1
SMALLEST_PX = 32
"""Sides of images that can be audited."""
Severity = Literal["closed", "slight", "open", "wide open", "not measured"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFacts:
    """What is known of the files that a domain's images came from, one entry an image."""

    width_px: Int64[np.ndarray, " n"]
    """Width of the original."""
    height_px: Int64[np.ndarray, " n"]
    """Height of the original."""
    jpeg: Bool[np.ndarray, " n"]
    """Whether the original was a JPEG."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one group of features gives away."""

    group: str
    """Name of the group."""
    looks_at: str
    """What its features see, in plain words."""
    separability: Separability
    """How well they tell the domains apart."""
    severity: Severity
    """How bad that is."""
    verdict: str
    """The same in plain words."""
    cure: str
    """What to do about it; empty if nothing needs doing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """The result of an audit."""

    findings: tuple[Finding, ...]
    """One a group, the last one all groups of pixel features together."""
    num_synthetic: int
    """Synthetic images seen."""
    num_real: int
    """Real images seen."""
    seed: int
    """What samples and folds were drawn from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    looks_at: str
    cure: str
    measure: Callable[[Float[np.ndarray, "n h w 3"]], Float[np.ndarray, "n c"]]


_GROUPS: Mapping[str, _Group] = {
    "JPEG": _Group(
        looks_at="the 8-pixel grid that JPEG leaves",
        cure="Give both domains the same codec: store the synthetic images as JPEG of the photos' quality, or pass both "
        "through random JPEG compression (`geometry.jpeg_quality`).",
        measure=audit_features.jpeg_grid,
    ),
    "colour detail": _Group(
        looks_at="how much blunter colour is than brightness",
        cure="JPEG and cameras halve the resolution of colour: pass both domains through the same JPEG compression "
        "(`geometry.jpeg_quality`), or train on a single grey channel (`colour.grey`).",
        measure=audit_features.colour_detail,
    ),
    "colour": _Group(
        looks_at="mean, spread and skew of red, green and blue, and how much is clipped",
        cure="Train on a single grey channel, as the paper does (`colour.grey`), or jitter both domains (`colour.brightness`, "
        "`colour.contrast`, `colour.saturation`); check exposure and white balance of the renderer.",
        measure=audit_features.colour_moments,
    ),
    "sharpness": _Group(
        looks_at="how energy falls from coarse to fine detail",
        cure="Bring both domains to one size with one filter, from originals of like size; blur both at random "
        "(`colour.blur_probability`).",
        measure=audit_features.sharpness,
    ),
    "noise": _Group(
        looks_at="the grain in the flattest parts",
        cure="Add sensor noise to the synthetic images, or random noise to both; render with more samples a pixel if the "
        "noise is the renderer's.",
        measure=audit_features.noise_level,
    ),
    "borders": _Group(
        looks_at="lines of one colour along the four sides",
        cure="Crop the borders off, or leave such images out.",
        measure=audit_features.borders,
    ),
}


def audit_shortcuts(
    synthetic: UInt8[Tensor, "n 3 h w"],
    real: UInt8[Tensor, "m 3 h2 w2"],
    *,
    seed: int,
    synthetic_files: FileFacts | None = None,
    real_files: FileFacts | None = None,
) -> Audit:
    """Look for shortcuts between two domains of images.

    Args:
        synthetic: Images as they enter training, after the common crop and resize, before colour changes; sRGB. Some hundreds
            are enough; fewer than ten measure nothing.
        real: The same of the photos, of equal height and width.
        seed: What samples and folds are drawn from; the result is a function of the arguments.
        synthetic_files: Facts about the original files.
        real_files: The same of the photos.

    Raises:
        ValueError: if the images differ in size: that itself is a shortcut; or if a side is shorter than 32 pixels.
    """
    if synthetic.shape[2:] != real.shape[2:]:
        raise ValueError(
            f"synthetic images are {synthetic.shape[3]} x {synthetic.shape[2]} pixels, real ones "
            f"{real.shape[3]} x {real.shape[2]}; audit what enters training, after the common crop"
        )
    if min(synthetic.shape[2:]) < SMALLEST_PX:
        raise ValueError(
            f"images must be at least {SMALLEST_PX} pixels a side, got {tuple(synthetic.shape[2:])}"
        )
    findings = []
    if synthetic_files is not None and real_files is not None:
        findings = _audit_files(synthetic_files, real_files, seed=seed)
    left, right = [], []
    for name, group in _GROUPS.items():
        left.append(audit_features.in_chunks(group.measure, synthetic))
        right.append(audit_features.in_chunks(group.measure, real))
        measured = separability(left[-1], right[-1], seed=seed)
        findings.append(_finding(name, looks_at=group.looks_at, measured=measured, cure=group.cure))
    measured = separability(np.hstack(left), np.hstack(right), seed=seed)
    findings.append(
        _finding(
            "all together",
            looks_at="everything above that pixels show",
            measured=measured,
            cure="Close the groups above that stand out; what is then left is mostly what the pictures show.",
        )
    )
    return Audit(
        findings=tuple(findings), num_synthetic=len(synthetic), num_real=len(real), seed=seed
    )


def _audit_files(synthetic: FileFacts, real: FileFacts, *, seed: int) -> list[Finding]:
    """Compare facts that a network cannot see, but that leave traces which it can."""
    left, right = (audit_features.file_size(f.width_px, f.height_px) for f in (synthetic, real))
    size = separability(left, right, seed=seed)
    codec = separability(
        synthetic.jpeg[:, None].astype(float), real.jpeg[:, None].astype(float), seed=seed
    )
    return [
        _file_finding(
            "original size",
            looks_at="width, height and aspect of the files",
            measured=size,
            cure="It matters as far as sharpness, below, is open. Render at the photos' usual size.",
        ),
        _file_finding(
            "original format",
            looks_at="whether the files are JPEGs",
            measured=codec,
            cure="It matters as far as JPEG, below, is open. Store the synthetic images as the photos are stored.",
        ),
    ]


def _file_finding(group: str, *, looks_at: str, measured: Separability, cure: str) -> Finding:
    """Judge what a network sees only by its traces: it warns, and is no shortcut by itself."""
    finding = _finding(group, looks_at=looks_at, measured=measured, cure=cure)
    if finding.severity not in ("open", "wide open"):
        return finding
    verdict = f"The files differ ({measured.accuracy:.0%} told right); the network sees only traces of it."
    return replace(finding, severity="open", verdict=verdict)


def _finding(group: str, *, looks_at: str, measured: Separability, cure: str) -> Finding:
    severity = judge_severity(measured)
    return Finding(
        group=group,
        looks_at=looks_at,
        separability=measured,
        severity=severity,
        verdict=_verdict(measured, severity=severity),
        cure=cure if severity in ("open", "wide open") else "",
    )


def judge_severity(measured: Separability) -> Severity:
    """Say how bad it is, by what is sure of it: the lower end of the interval.

    >>> judge_severity(Separability(accuracy=0.52, low=0.46, high=0.58, num_each=150))
    'closed'
    >>> judge_severity(Separability(accuracy=0.97, low=0.94, high=0.99, num_each=150))
    'wide open'
    """
    if measured.num_each == 0:
        return "not measured"
    if measured.low > 0.85:
        return "wide open"
    if measured.low > 0.6:
        return "open"
    return "slight" if measured.low > 0.5 else "closed"


def _verdict(measured: Separability, *, severity: Severity) -> str:
    share = f"{measured.accuracy:.0%} told right"
    match severity:
        case "not measured":
            return (
                "Too few images to tell: ten of each domain are the least, some hundreds are good."
            )
        case "closed":
            return f"No shortcut found: {share}, no better than guessing."
        case "slight":
            return f"Slight: {share}, hardly better than guessing."
        case "open":
            return f"A shortcut: {share} by this alone."
        case "wide open":
            return (
                f"A wide open shortcut: {share} by this alone; a discriminator will find it first."
            )


def write_audit(audit: Audit, *, path: Path) -> None:
    """Write an audit as JSON, in one rename.

    Raises:
        OSError: if the file cannot be written.
    """
    content = {"format_version": FORMAT_VERSION, **asdict(audit)}
    for finding in content["findings"]:
        accuracy = finding["separability"]["accuracy"]
        finding["separability"]["accuracy"] = accuracy if math.isfinite(accuracy) else None
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, allow_nan=False), encoding="utf-8")
    part.replace(path)
