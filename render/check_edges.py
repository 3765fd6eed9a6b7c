"""Whether the edge bits follow from the stored ids, depths and normals.

Stored labels are rounded, and the bits were made before that. So each condition is evaluated as an interval: a pixel is at
fault only if its bit must be set and is not, or cannot be set and is.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from jaxtyping import Bool, Float64

from scenelift.render.check_report import DEPTH_ERROR, NORMAL_ERROR, SLACK, Fault, StoredView
from scenelift.render.frame import EDGE_CREASE, EDGE_INSTANCE, EDGE_OCCLUSION

Pair = tuple[tuple[slice, slice], tuple[slice, slice]]
_RIGHT: Pair = ((slice(None), slice(None, -1)), (slice(None), slice(1, None)))
_BELOW: Pair = ((slice(None, -1), slice(None)), (slice(1, None), slice(None)))

Interval = tuple[Float64[np.ndarray, "*n"], Float64[np.ndarray, "*n"]]
Verdict = tuple[Bool[np.ndarray, "*n"], Bool[np.ndarray, "*n"]]
"""Certainly, possibly."""


def check_edges(view: StoredView, *, thresholds: Mapping[str, float]) -> Iterator[Fault]:
    """Compare the bits for instance boundaries, occlusion and creases with the other labels.

    Args:
        view: The view.
        thresholds: Those of the file: `occlusion_relative` and `crease_deg`.
    """
    yield from _compare(view, EDGE_INSTANCE, _instance_verdict(view), name="instance edge")
    if {"occlusion_relative", "crease_deg"} <= thresholds.keys():
        occlusion, crease = _geometric_verdicts(view, thresholds=thresholds)
        yield from _compare(view, EDGE_OCCLUSION, occlusion, name="occlusion edge")
        yield from _compare(view, EDGE_CREASE, crease, name="crease edge")


def _compare(view: StoredView, bit: int, verdict: Verdict, *, name: str) -> Iterator[Fault]:
    certain, possible = verdict
    marked = (view.edge & bit) != 0
    missing, spurious = certain & ~marked, marked & ~possible
    count = int(missing.sum() + spurious.sum())
    if count:
        y, x = np.argwhere(missing | spurious)[0]
        yield Fault(
            frame=view.index,
            check=name,
            value=count,
            bound=0,
            detail=f"{missing.sum()} pixels lack the bit, {spurious.sum()} bear it without cause, "
            f"first at row {y}, column {x}",
        )


def _instance_verdict(view: StoredView) -> Verdict:
    marked = np.zeros(view.instance.shape, bool)
    for here, there in (_RIGHT, _BELOW):
        marked[here] |= view.instance[here] != view.instance[there]
    return marked, marked


def _geometric_verdicts(
    view: StoredView, *, thresholds: Mapping[str, float]
) -> tuple[Verdict, Verdict]:
    shape = view.z_depth_m.shape
    occlusion: Verdict = (np.zeros(shape, bool), np.zeros(shape, bool))
    crease: Verdict = (np.zeros(shape, bool), np.zeros(shape, bool))
    z, rays, normals = view.z_depth_m.astype(np.float64), view.rays(), view.normals()
    crease_cos = np.cos(np.deg2rad(thresholds["crease_deg"]))
    for here, there in (_RIGHT, _BELOW):
        z_p, z_q = z[here], z[there]
        both, none = (z_p > 0) & (z_q > 0), np.zeros(z_p.shape, bool)
        # Nothing beside something: the something ends there.
        ends_p, ends_q = (z_p > 0) & (z_q == 0), (z_q > 0) & (z_p == 0)
        jump = _jump(
            (z_p, normals[here], rays[here]),
            (z_q, normals[there], rays[there]),
            relative=thresholds["occlusion_relative"],
        )
        cosine = (normals[here] * normals[there]).sum(axis=-1)
        bent = _below(cosine, 2 * NORMAL_ERROR + SLACK, crease_cos)
        for level, (jumps, bends) in enumerate(zip(jump, bent, strict=True)):
            near = z_p < z_q
            occlusion[level][here] |= ends_p | (both & jumps & near)
            occlusion[level][there] |= ends_q | (both & jumps & ~near)
            # A crease is certain only where no occlusion is possible, and possible where none is certain.
            crease[level][here] |= both & bends & ~jump[1 - level] | none
    return occlusion, crease


Side = tuple[Float64[np.ndarray, "h w"], Float64[np.ndarray, "h w 3"], Float64[np.ndarray, "h w 3"]]


def _jump(p: Side, q: Side, *, relative: float) -> Verdict:
    """Whether two neighbours lie on different surfaces: apart, and neither on the other's plane."""
    limit = relative * np.minimum(p[0], q[0])
    limit_error = limit * (DEPTH_ERROR + SLACK)
    apart = np.abs(p[0] - q[0])
    apart_error = (p[0] + q[0]) * (DEPTH_ERROR + SLACK)
    verdicts = [_above(apart, apart_error + limit_error, limit)]
    for one, other in ((p, q), (q, p)):
        low, high = _plane_residual(one, other)
        verdicts.append((low > limit + limit_error, high > limit - limit_error))
    certain = verdicts[0][0] & verdicts[1][0] & verdicts[2][0]
    possible = verdicts[0][1] & verdicts[1][1] & verdicts[2][1]
    return certain, possible


def _plane_residual(p: Side, q: Side) -> Interval:
    """Bound how far q lies from where its ray meets the plane through p; infinite where it may never."""
    (z_p, n_p, r_p), (z_q, _, r_q) = p, q
    along_p, along_q = (n_p * r_p).sum(axis=-1), (n_p * r_q).sum(axis=-1)
    error_p = (NORMAL_ERROR + SLACK) * np.linalg.norm(r_p, axis=-1)
    error_q = (NORMAL_ERROR + SLACK) * np.linalg.norm(r_q, axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        met = z_p * along_p / along_q
        relative = (
            DEPTH_ERROR + SLACK + 1.5 * error_p / np.abs(along_p) + 1.5 * error_q / np.abs(along_q)
        )
        residual = np.abs(z_q - met)
        error = np.abs(met) * relative + z_q * (DEPTH_ERROR + SLACK)
    grazing = (np.abs(along_p) < 3 * error_p) | (np.abs(along_q) < 3 * error_q)
    never = ~grazing & (along_p * along_q <= 0)
    low = np.where(grazing, 0.0, np.where(never, np.inf, residual - error))
    high = np.where(grazing | never, np.inf, residual + error)
    return low, high


def _above(
    value: Float64[np.ndarray, "*n"],
    error: Float64[np.ndarray, "*n"],
    limit: Float64[np.ndarray, "*n"],
) -> Verdict:
    return value - error > limit, value + error > limit


def _below(value: Float64[np.ndarray, "*n"], error: float, limit: float) -> Verdict:
    return value + error < limit, value - error < limit
