"""The figures of NYU Depth v2 with what each counts, from the sums of frames."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from scenelift.benchmarks.card import Figure
from scenelift.benchmarks.nyud_judge import Sums, bootstrap_weights, pooled_figures


@dataclass(frozen=True, kw_only=True, slots=True)
class _Kind:
    name: str
    unit: str
    better: Literal["higher", "lower"]
    what: str


def _share(limit: str) -> str:
    return f"share of pixels whose greater ratio of said and true depth is below {limit}"


_NORMAL = {
    "mean": _Kind(name="mean error", unit="°", better="lower", what="mean angle"),
    "median": _Kind(name="median error", unit="°", better="lower", what="median angle"),
    "rmse": _Kind(name="RMSE", unit="°", better="lower", what="root mean square angle"),
    **{
        f"below_{limit}": _Kind(
            name=f"within {limit}°",
            unit="%",
            better="higher",
            what=f"share of angles below {limit}°",
        )
        for limit in ("11.25", "22.5", "30")
    },
}
_DEPTH = {
    "abs_rel": _Kind(name="AbsRel", unit="", better="lower", what="mean of |said - true| / true"),
    "sq_rel": _Kind(name="SqRel", unit="m", better="lower", what="mean of (said - true)² / true"),
    "rmse": _Kind(name="RMSE", unit="m", better="lower", what="root mean square error"),
    "log_rmse": _Kind(
        name="RMSE log",
        unit="",
        better="lower",
        what="root mean square error of natural logarithms",
    ),
    "delta1": _Kind(name="δ < 1.25", unit="%", better="higher", what=_share("1.25")),
    "delta2": _Kind(name="δ < 1.25²", unit="%", better="higher", what=_share("1.25²")),
    "delta3": _Kind(name="δ < 1.25³", unit="%", better="higher", what=_share("1.25³")),
}
_CLASSES = {
    "pixel_accuracy": _Kind(
        name="pixel accuracy", unit="%", better="higher", what="share of labelled pixels told right"
    ),
    "mean_accuracy": _Kind(
        name="mean accuracy", unit="%", better="higher",
        what="share of each class's pixels told right, averaged over the classes that occur in the truth",
    ),
    "miou": _Kind(
        name="mIoU", unit="%", better="higher",
        what="intersection over union, averaged over the classes that occur in truth or prediction",
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """All figures of one network."""

    figures: tuple[Figure, ...]
    """The network's, then those of the constant answers, whose groups end in `constant`."""
    intervals: dict[str, dict[str, tuple[float, float]]]
    """By `group: name`: 95 % intervals over frames of the `value` and of its `difference` to the constant."""


def make_figures(ours: Sums, constant: Sums, *, num: int, normals: str, resolution: str) -> Judged:
    """Pool the frames of both sides, and draw frames anew for the intervals, the same for both.

    Where no pixel counts there is no figure.

    Args:
        ours: Of each judged frame.
        constant: The same frames judged against the constant answers.
        num: How many frames.
        normals: Which true normals: `derived`, `GT1` or `GT2`.
        resolution: At which size and within which pixels frames are judged.
    """
    weights = bootstrap_weights(num)
    values, baselines = pooled_figures(ours, weights), pooled_figures(constant, weights)
    mine, others = [], []
    intervals: dict[str, dict[str, tuple[float, float]]] = {}
    for family, group, kinds, truth in _families(normals):
        over = f"; all {truth} of {num} frames pooled, {resolution}"
        for key, kind in kinds.items():
            drawn = values.get(f"{family}/{key}")
            base = baselines.get(f"{family}/{key}")
            if drawn is None or base is None or not np.isfinite([drawn[0], base[0]]).all():
                continue
            definition = f"{kind.what}{over}"
            mine.append(_figure(kind, drawn[0], group=group, definition=definition))
            others.append(
                _figure(
                    kind,
                    base[0],
                    group=f"{group}, constant",
                    definition=f"the best constant map: {definition}",
                )
            )
            intervals[f"{group}: {kind.name}"] = {
                "value": _interval(drawn[1:]),
                "difference": _interval((drawn - base)[1:]),
            }
    return Judged(figures=(*mine, *others), intervals=intervals)


def _families(normals: str) -> list[tuple[str, str, Mapping[str, _Kind], str]]:
    """Return prefix, group, kinds and what pixels count."""
    told = {
        "derived": "pixels with a true normal, derived from depth by planes fitted to windows",
        "GT1": "pixels with a true normal of GT1 (Silberman and Eigen, as Zhang et al. use them)",
        "GT2": "pixels with a true normal of GT2 (Ladicky et al.)",
    }[normals]
    depth = "pixels of known depth"
    aligned = f"{depth}, after each frame's median depth is made the true one,"
    labelled = "labelled pixels of classes that training frames show,"
    return [
        ("normal", f"normals ({normals})", _NORMAL, told),
        ("metric", "depth", _DEPTH, depth),
        ("aligned", "depth to scale", _DEPTH, aligned),
        ("classes40", "segmentation, 40 classes", _CLASSES, labelled),
        ("classes13", "segmentation, 13 classes", _CLASSES, labelled),
    ]


def _figure(kind: _Kind, value: np.floating, *, group: str, definition: str) -> Figure:
    return Figure(
        name=kind.name,
        value=float(value),
        unit=kind.unit,
        better=kind.better,
        definition=definition,
        group=group,
    )


def _interval(drawn: np.ndarray) -> tuple[float, float]:
    known = drawn[np.isfinite(drawn)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)
