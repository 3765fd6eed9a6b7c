"""Surface normals from depth of few bits: planes through windows of about half a metre.

With x and y the ray's direction (at z = 1), a plane is linear in inverse depth, 1/z = a x + b y + c, so least squares over
windows need nothing but box filters. A step of the quantisation tilts a plane by up to 1.5 steps over its window's width, so a
window has a width in metres, not in pixels. Near an edge a window that lies to one side of the pixel takes the place of the
one around it; where none is flat to within the noise, there is no normal.
"""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

_RADII_PX = (58, 41, 29, 20, 14, 9)
_STRIDE_PX = 2
"""Windows are chosen for every second pixel of every second row, and serve the pixels beside it."""
_PLACES = 2
"""Windows are tried at 2 * this + 1 places along each axis, from one that ends at the pixel to one that starts there."""
_SENSOR_NOISE_PER_M = 1.4e-3
"""Standard deviation of Kinect's depth over the square of depth (Khoshelham and Elberink, Sensors 2012)."""
_PLAIN_NOISE_M = 0.017
"""Where noise is greater (beyond 3 m), windows grow with it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pinhole:
    """Intrinsics in pixels, origin at the top left corner, y down."""

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float

    def rays(
        self, *, width: int, height: int
    ) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
        """Return x (right) and y (down) of each pixel centre's ray where z is 1."""
        x = (np.arange(width) + 0.5 - self.cx_px) / self.fx_px
        y = (np.arange(height) + 0.5 - self.cy_px) / self.fy_px
        return np.tile(x, (height, 1)), np.tile(y[:, None], (1, width))


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowSettings:
    """Which windows are tried, and which planes are believed."""

    widest_m: float = 0.5
    """Width of the widest windows, at the pixel's depth, up to 3 m away."""
    narrow_m: float = 0.3
    """Up to this width windows may be less flat, where none other is found."""
    narrowest_m: float = 0.2
    """Width of the narrowest windows."""
    flatness: float = 1.5
    """A window is flat if its root mean square residual is no more than this many standard deviations of the noise."""
    narrow_flatness: float = 3.0
    """The same for narrow windows at the second try, so that bent surfaces have normals too."""
    membership: float = 3.0
    """A pixel lies on a plane if it is no farther from it than this many standard deviations."""
    max_slant_deg: float = 80.0
    """Greatest angle between the normal and the ray back to the viewer."""

    def __post_init__(self) -> None:
        if not 0 < self.narrowest_m <= self.narrow_m <= self.widest_m:
            raise ValueError(
                "window widths must be positive and rise, got "
                f"{self.narrowest_m}, {self.narrow_m} and {self.widest_m}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Depth:
    """What windows are fitted to."""

    inverse: Float[np.ndarray, "h w"]
    """1 / z; 0 where unknown."""
    x: Float[np.ndarray, "h w"]
    y: Float[np.ndarray, "h w"]
    known: Bool[np.ndarray, "h w"]
    noise: Float[np.ndarray, "h w"]
    """Standard deviation of `inverse`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Planes:
    """The plane fitted around each pixel of the coarse grid, and how well."""

    coefficients: Float32[np.ndarray, "h w 3"]
    residual: Float32[np.ndarray, "h w"]
    """Root mean square in inverse metres; infinity where there is no plane."""


def normals_from_depth(
    z_depth_m: Float[np.ndarray, "h w"],
    *,
    pinhole: Pinhole,
    quantum_m: float,
    settings: WindowSettings | None = None,
) -> Float32[np.ndarray, "h w 3"]:
    """Fit planes to depth.

    Args:
        z_depth_m: Depth along the optical axis; 0 or less, or not finite: unknown.
        pinhole: Intrinsics at this size.
        quantum_m: Step of the depth's quantisation; 0: none.
        settings: Of the windows.

    Returns:
        Unit normals, camera frame (x right, y up, z towards the viewer), turned to the viewer; (0, 0, 0) where depth is unknown,
        no window is flat, or the surface is too oblique.

    >>> pinhole = Pinhole(fx_px=40.0, fy_px=40.0, cx_px=30.0, cy_px=30.0)
    >>> normals = normals_from_depth(np.full((60, 60), 1.0), pinhole=pinhole, quantum_m=0.04)
    >>> (normals[20, 30] + 0.0).round(3).tolist()
    [0.0, 0.0, 1.0]
    """
    settings = settings or WindowSettings()
    known = np.isfinite(z_depth_m) & (z_depth_m > 0)
    height, width = z_depth_m.shape
    x, y = pinhole.rays(width=width, height=height)
    inverse = np.where(known, 1 / np.where(known, z_depth_m, 1), 0.0)
    noise_m = np.hypot(quantum_m / np.sqrt(12), _SENSOR_NOISE_PER_M * np.square(z_depth_m))
    noise = np.where(known, noise_m, 0.0) * inverse**2
    depth = _Depth(inverse=inverse, x=x, y=y, known=known, noise=noise)
    planes = _choose_windows(depth, focal_px=pinhole.fx_px, settings=settings)
    planes = planes.repeat(_STRIDE_PX, axis=0).repeat(_STRIDE_PX, axis=1)[:height, :width]
    distance = np.abs(_at(planes, x=x, y=y) - inverse)
    planes[~known | (distance > settings.membership * noise)] = 0
    return _to_normals(planes, x=x, y=y, max_slant_deg=settings.max_slant_deg)


def _choose_windows(
    depth: _Depth, *, focal_px: float, settings: WindowSettings
) -> Float32[np.ndarray, "h w 3"]:
    """Return the plane of the widest flat window of each pixel of the coarse grid; 0 where there is none."""
    grid = (slice(None, None, _STRIDE_PX), slice(None, None, _STRIDE_PX))
    coarse = _Depth(
        inverse=depth.inverse[grid].astype(np.float32),
        x=depth.x[grid].astype(np.float32),
        y=depth.y[grid].astype(np.float32),
        known=depth.known[grid],
        noise=depth.noise[grid].astype(np.float32),
    )
    safe = np.where(coarse.known, coarse.inverse, 1)
    # Width of a pixel in metres, or in what a metre is worth where noise makes windows grow.
    pixel_m = 1 / (focal_px * safe * np.maximum(coarse.noise / safe**2 / _PLAIN_NOISE_M, 1))
    chosen = np.zeros((*coarse.known.shape, 3), np.float32)
    todo = coarse.known.copy()
    fits: dict[int, _Planes] = {}
    for flatness, widest_m in (
        (settings.flatness, settings.widest_m),
        (settings.narrow_flatness, settings.narrow_m),
    ):
        for radius in _RADII_PX:
            width_m = (2 * radius + 1) * pixel_m
            asked = todo & (width_m >= settings.narrowest_m) & (width_m <= widest_m)
            if not asked.any():
                continue
            if radius not in fits:
                fits[radius] = _fit_planes(depth, radius=radius, grid=grid)
            bound = np.where(asked, flatness * coarse.noise, -1)
            found, done = _flattest(
                fits[radius],
                coarse,
                bound=bound,
                membership=settings.membership,
                reach=radius // _STRIDE_PX,
            )
            chosen[done] = found[done]
            todo &= ~done
    return chosen


def _fit_planes(depth: _Depth, *, radius: int, grid: tuple[slice, slice]) -> _Planes:
    """Fit a plane to the known pixels of the square around each pixel of a grid; half of it must be known."""
    side = 2 * radius + 1
    x, y, inverse, weight = depth.x, depth.y, depth.inverse, depth.known.astype(np.float64)

    def total(values: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h2 w2"]:
        summed = cv2.boxFilter(
            values, -1, (side, side), normalize=False, borderType=cv2.BORDER_CONSTANT
        )
        return np.asarray(summed[grid])

    count = total(weight)
    per = 1 / np.maximum(count, 1)
    wx, wy = weight * x, weight * y
    mx, my, ms = total(wx) * per, total(wy) * per, total(inverse) * per
    xx, yy = total(wx * x) * per - mx * mx, total(wy * y) * per - my * my
    xy = total(wx * y) * per - mx * my
    xs, ys = total(inverse * x) * per - mx * ms, total(inverse * y) * per - my * ms
    ss = total(inverse * inverse) * per - ms * ms
    determinant = xx * yy - xy * xy
    enough = (count >= 0.5 * side * side) & (determinant > 1e-6 * xx * yy)
    determinant = np.where(enough, determinant, 1)
    a = (xs * yy - ys * xy) / determinant
    b = (ys * xx - xs * xy) / determinant
    residual = np.sqrt(np.maximum(ss - a * xs - b * ys, 0))
    return _Planes(
        coefficients=np.stack([a, b, ms - a * mx - b * my], axis=-1).astype(np.float32),
        residual=np.where(enough, residual, np.inf).astype(np.float32),
    )


def _flattest(
    planes: _Planes,
    depth: _Depth,
    *,
    bound: Float[np.ndarray, "h w"],
    membership: float,
    reach: int,
) -> tuple[Float32[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Take for each pixel the flattest of the windows that hold it and on whose plane it lies.

    Args:
        planes: Fitted around each pixel.
        depth: On the same grid.
        bound: Greatest residual that counts as flat.
        membership: Greatest distance of the pixel from the plane, in standard deviations.
        reach: Half a window, in pixels of the grid.

    Returns:
        The plane, and where there is one.
    """
    height, width = bound.shape
    margin = ((reach, reach), (reach, reach))
    residuals = np.pad(planes.residual, margin, constant_values=np.inf)
    coefficients = np.pad(planes.coefficients, (*margin, (0, 0)))
    best = bound.astype(np.float32)
    allowed = membership * depth.noise
    chosen = np.zeros((height, width, 3), np.float32)
    done = np.zeros((height, width), bool)
    # The window around the pixel comes first: others must be flatter.
    shifts = sorted(range(-_PLACES, _PLACES + 1), key=abs)
    for down, right in itertools.product(shifts, repeat=2):
        top, left = (reach + reach * shift // _PLACES for shift in (down, right))
        part = (slice(top, top + height), slice(left, left + width))
        flatter = residuals[part] < best
        if not flatter.any():
            continue
        plane = coefficients[part]
        flatter &= np.abs(_at(plane, x=depth.x, y=depth.y) - depth.inverse) <= allowed
        done |= flatter
        best = np.where(flatter, residuals[part], best)
        np.copyto(chosen, plane, where=flatter[..., None])
    return chosen, done


def _at(
    planes: Float32[np.ndarray, "h w 3"],
    *,
    x: Float[np.ndarray, "h w"],
    y: Float[np.ndarray, "h w"],
) -> Float[np.ndarray, "h w"]:
    """Return each pixel's plane's inverse depth there."""
    return np.asarray(planes[..., 0] * x + planes[..., 1] * y + planes[..., 2])


def _to_normals(
    planes: Float32[np.ndarray, "h w 3"],
    *,
    x: Float[np.ndarray, "h w"],
    y: Float[np.ndarray, "h w"],
    max_slant_deg: float,
) -> Float32[np.ndarray, "h w 3"]:
    """Turn planes into unit normals, without those that are seen too obliquely."""
    length = np.linalg.norm(planes, axis=-1)
    normals = planes * np.array([-1, 1, 1], np.float32)
    normals /= np.where(length > 0, length, 1)[..., None]
    facing = (-normals[..., 0] * x + normals[..., 1] * y + normals[..., 2]) / np.sqrt(
        1 + x * x + y * y
    )
    seen = facing >= np.cos(np.radians(max_slant_deg))
    return np.where(seen[..., None], normals, 0).astype(np.float32)
