"""Whether the labels of one view make sense by themselves and beside each other.

Camera: x right, y up, looking along -z.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from scenelift.render.check_report import DEPTH_ERROR, NORMAL_ERROR, SLACK, Fault, StoredView

ARM_PX = 3
"""The plane at a pixel is read off the depths so far to the left, right, up and down."""

ALLOWED_DETAIL = 0.01
"""Share of flat places whose depths may form another plane than their normal says: detail finer than a pixel, such as
the slats of a blind, can line up so."""

ALLOWED_STEPS = 0.2
"""Share of places with one normal that may not be flat: parallel faces behind each other, such as panels and shelves."""

_LEAST_TESTED = 200
"""With fewer places a share says little."""


def check_values(view: StoredView) -> Iterator[Fault]:
    """Check each channel's own values: finite, rounded as promised, unit, towards the camera."""
    z = view.z_depth_m
    broken = int((~np.isfinite(z) | (z < 0)).sum())
    if broken:
        yield _fault(view, "depth value", broken, "pixels are NaN, infinite or negative")
    rounded = int((np.ascontiguousarray(z).view(np.uint32) & np.uint32(0x3FF) != 0).sum())
    if rounded:
        yield _fault(view, "depth rounding", rounded, "pixels have more than 13 mantissa bits")
    normals = view.normals()
    given = (view.normal_int16 != 0).any(axis=-1)
    length_error = np.abs(np.linalg.norm(normals, axis=-1) - 1)[given]
    bound = NORMAL_ERROR + SLACK
    if length_error.size and length_error.max() > bound:
        yield Fault(
            frame=view.index,
            check="normal length",
            value=float(length_error.max()),
            bound=bound,
            detail=f"{(length_error > bound).sum()} normals are not unit",
        )
    rays = view.rays()
    away = (normals * rays).sum(axis=-1) / np.linalg.norm(rays, axis=-1)
    bound = NORMAL_ERROR + 5 * SLACK
    if (away > bound).any():
        yield Fault(
            frame=view.index,
            check="normal direction",
            value=float(away.max()),
            bound=bound,
            detail=f"{(away > bound).sum()} normals look away from the camera",
        )
    if view.image.size and view.image.min() == view.image.max():
        yield _fault(view, "image", view.image[..., 0].size, "pixels are all of one grey")


def check_presence(view: StoredView, *, semantics: Sequence[int]) -> Iterator[Fault]:
    """Check that something is there in all labels or in none, and that ids and classes follow the scene's table.

    Args:
        view: The view.
        semantics: Class of each instance of the scene.
    """
    seen = view.instance > 0
    for name, other in (
        ("depth", view.z_depth_m != 0),
        ("normal", (view.normal_int16 != 0).any(axis=-1)),
    ):
        count = int((other != seen).sum())
        if count:
            yield _fault(
                view, f"{name} without id", count, f"pixels have only one of {name} and id"
            )
    table = np.array([0, *semantics], np.int64)
    unknown = view.instance >= len(table)
    if unknown.any():
        count = int(unknown.sum())
        yield _fault(
            view,
            "instance id",
            count,
            f"pixels bear ids up to {view.instance.max()}, the scene has {len(semantics)}",
        )
    expected = table[np.where(unknown, 0, view.instance)]
    wrong = int(((expected != view.semantic) & ~unknown).sum())
    if wrong:
        yield _fault(view, "semantic class", wrong, "pixels have another class than their instance")


def check_planes(view: StoredView) -> Iterator[Fault]:
    """Compare the normals with the planes that the depths form.

    On a plane, inverse depth is linear over the image, so its gradient gives the normal (up to `DEPTH_ERROR` of each
    depth). Places count where a cross of pixels has one id and one normal.
    """
    valid = (view.z_depth_m > 0) & np.isfinite(view.z_depth_m)
    inverse = 1 / np.where(valid, view.z_depth_m, 1).astype(np.float64)
    if min(valid.shape) <= 2 * ARM_PX:
        return
    even = _even(view, valid, arm=1)
    stepped, tested = int((even & ~_flat(inverse, arm=1)).sum()), int(even.sum())
    if tested >= _LEAST_TESTED and stepped > ALLOWED_STEPS * tested:
        yield Fault(
            frame=view.index,
            check="depth on planes",
            value=stepped / tested,
            bound=ALLOWED_STEPS,
            detail=f"{stepped} of {tested} places with one normal are not flat in depth",
        )
    places = _even(view, valid, arm=ARM_PX) & _flat(inverse, arm=ARM_PX)
    if places.sum() < _LEAST_TESTED:
        return
    angle, bound = _plane_angle(view, inverse, places)
    wrong = angle > bound
    if wrong.sum() > ALLOWED_DETAIL * len(angle):
        worst = int(np.argmax(angle - bound))
        yield Fault(
            frame=view.index,
            check="normal against depth",
            value=float(wrong.mean()),
            bound=ALLOWED_DETAIL,
            detail=f"{wrong.sum()} of {len(angle)} flat places have another normal than their depths, "
            f"by up to {np.degrees(angle[worst]):.2f} degrees where {np.degrees(bound[worst]):.2f} "
            "may come from rounding",
        )


def check_camera(view: StoredView) -> Iterator[Fault]:
    """Check that the pose is a rotation and a place, and the intrinsics those of such an image."""
    pose = view.T_world_camera
    if not np.isfinite(pose).all():
        yield _fault(view, "pose", int((~np.isfinite(pose)).sum()), "entries are NaN or infinite")
        return
    rotation = pose[:3, :3]
    skew = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
    if skew > 1e-6:
        yield Fault(
            frame=view.index,
            check="pose",
            value=skew,
            bound=1e-6,
            detail="its axes are not orthonormal",
        )
    elif np.linalg.det(rotation) < 0:
        yield _fault(view, "pose", 1, "it mirrors")
    if not np.array_equal(pose[3], (0, 0, 0, 1)):
        yield _fault(view, "pose", 1, f"its last row is {pose[3].tolist()}")
    yield from _check_intrinsics(view)


def _check_intrinsics(view: StoredView) -> Iterator[Fault]:
    height, width = view.z_depth_m.shape
    (fx, skew, cx), (zero, fy, cy), last = view.K.astype(np.float64)
    sound = (
        np.isfinite(view.K).all()
        and 0.05 * width < fx < 50 * width
        and 0.05 * height < fy < 50 * height
        and 0 <= cx <= width
        and 0 <= cy <= height
        and skew == 0
        and zero == 0
        and np.array_equal(last, (0, 0, 1))
    )
    if not sound:
        yield _fault(view, "intrinsics", 1, f"K = {view.K.tolist()} is no camera of this image")


def _even(view: StoredView, valid: Bool[np.ndarray, "h w"], *, arm: int) -> Bool[np.ndarray, "h w"]:
    """Find the crosses of one id and one normal."""
    even = valid.copy()
    normal = view.normal_int16.astype(np.int32)
    for axis in (0, 1):
        inside = _part(axis, arm, valid.shape[axis] - arm)
        inner = np.zeros(valid.shape, bool)
        inner[inside] = True
        even &= inner
        for step in (*range(-arm, 0), *range(1, arm + 1)):
            there = _part(axis, arm + step, valid.shape[axis] - arm + step)
            same = valid[there] & (view.instance[there] == view.instance[inside])
            same &= (np.abs(normal[there] - normal[inside]) <= 1).all(axis=-1)
            even[inside] &= same
    return even


def _flat(inverse: Float64[np.ndarray, "h w"], *, arm: int) -> Bool[np.ndarray, "h w"]:
    """Find the crosses along whose arms no pixel leaves the line through its neighbours; steps do.

    What bends gently passes: a plane in another measure of depth must not escape the comparison of normals.
    """
    flat = np.ones(inverse.shape, bool)
    for axis in (0, 1):
        length = inverse.shape[axis]
        before, here, after = (_part(axis, k, length - 2 + k) for k in range(3))
        bend = np.abs(inverse[before] + inverse[after] - 2 * inverse[here])
        error = inverse[before] + inverse[after] + 2 * inverse[here]
        straight = np.zeros(inverse.shape, bool)
        straight[here] = bend <= (DEPTH_ERROR + SLACK) * error
        inside = _part(axis, arm, length - arm)
        for step in range(1 - arm, arm):
            flat[inside] &= straight[_part(axis, arm + step, length - arm + step)]
    return flat


def _plane_angle(
    view: StoredView, inverse: Float64[np.ndarray, "h w"], places: Bool[np.ndarray, "h w"]
) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Return the angle between stored normal and plane of the depths, and what rounding may make of it, in radians."""
    y, x = np.nonzero(places)
    intrinsics = view.K.astype(np.float64)
    step_x, step_y = 2 * ARM_PX / intrinsics[0, 0], -2 * ARM_PX / intrinsics[1, 1]
    left, right = inverse[y, x - ARM_PX], inverse[y, x + ARM_PX]
    above, below = inverse[y - ARM_PX, x], inverse[y + ARM_PX, x]
    slope_x, slope_y = (right - left) / step_x, (below - above) / step_y
    ray = view.rays()[y, x]
    # 1 / z = n . ray / d with ray = (rx, ry, -1): the gradient holds n_x / d and n_y / d, the rest is n_z / d.
    plane = np.stack(
        [slope_x, slope_y, slope_x * ray[:, 0] + slope_y * ray[:, 1] - inverse[y, x]], axis=-1
    )
    error_x = (DEPTH_ERROR + SLACK) * (left + right) / abs(step_x)
    error_y = (DEPTH_ERROR + SLACK) * (above + below) / abs(step_y)
    error_z = (
        error_x * np.abs(ray[:, 0])
        + error_y * np.abs(ray[:, 1])
        + (DEPTH_ERROR + SLACK) * inverse[y, x]
    )
    error = np.sqrt(error_x**2 + error_y**2 + error_z**2)
    size = np.linalg.norm(plane, axis=-1)
    normal = view.normals()[y, x]
    cross = np.linalg.norm(np.cross(plane, normal), axis=-1)
    # The plane faces the camera where plane . ray = 1 / z > 0 turned round.
    angle = np.arctan2(cross, -(plane * normal).sum(axis=-1))
    bound = np.arcsin(np.minimum(1, error / size)) + 2 * NORMAL_ERROR
    return angle, np.where(error >= size, np.pi, bound)


def _part(axis: int, start: int, stop: int) -> tuple[slice, slice]:
    part = slice(start, stop)
    return (part, slice(None)) if axis == 0 else (slice(None), part)


def _fault(view: StoredView, check: str, count: int, detail: str) -> Fault:
    return Fault(frame=view.index, check=check, value=count, bound=0, detail=f"{count} {detail}")
