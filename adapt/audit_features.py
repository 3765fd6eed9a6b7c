"""What the shortcut audit measures of an image: a few numbers a group, none of which knows what the picture shows."""

import itertools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

_CHUNK = 32
_TINY = 1e-6
_LUMA = np.array([0.299, 0.587, 0.114])  # JPEG's own
_BLUE_YELLOW = np.array([-0.168736, -0.331264, 0.5])
_RED_GREEN = np.array([0.5, -0.418688, -0.081312])

Images = Float[np.ndarray, "n h w 3"]
Plane = Float[np.ndarray, "n h w"]
Features = Float[np.ndarray, "n c"]


def in_chunks(measure: Callable[[Images], Features], images: UInt8[Tensor, "n 3 h w"]) -> Features:
    """Measure images some at a time, as floats from 0 to 255."""
    parts = [
        measure(images[start : start + _CHUNK].permute(0, 2, 3, 1).cpu().numpy().astype(np.float64))
        for start in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(parts) if len(images) else np.zeros((0, 1))


def file_size(width_px: Int64[np.ndarray, " n"], height_px: Int64[np.ndarray, " n"]) -> Features:
    """Return log width, log height, log aspect, and how far from square it is."""
    width, height = (np.log(np.maximum(side, 1)) for side in (width_px, height_px))
    aspect = width - height
    return np.stack([width, height, aspect, np.abs(aspect)], axis=1)


def jpeg_grid(images: Images) -> Features:
    """Return how strongly steps between pixels repeat along each axis, as the 8-pixel blocks of JPEG make them.

    A crop shifts the blocks and a resize stretches them, so the strength of the period counts, not its phase: the Fourier
    amplitude of the profile of steps at periods of 8, 4, 8/3 and 2 pixels, and its highest peak at any period of 2 to 16.
    """
    luma = images @ _LUMA
    traces = []
    for axis in (2, 1):
        # Second differences take the smooth part out; the cap keeps single strong edges from drowning the grid.
        steps = np.abs(np.diff(luma, 2, axis=axis)).clip(max=12).mean(axis=3 - axis)
        traces.append(_period_strengths(steps))
    return np.concatenate(traces, axis=1)


def colour_detail(images: Images) -> Features:
    """Return by how much colour is blunter than brightness: most JPEGs and cameras halve its resolution."""
    luma = _fineness(images @ _LUMA)
    planes = (images @ weights for weights in (_BLUE_YELLOW, _RED_GREEN))
    return np.stack([_fineness(plane) - luma for plane in planes], axis=1)


def _period_strengths(profile: Float[np.ndarray, "n w"]) -> Features:
    width = profile.shape[1]
    if width < 16:
        return np.zeros((len(profile), 5))
    window = np.hanning(width)
    amplitude = np.abs(np.fft.rfft((profile - profile.mean(axis=1, keepdims=True)) * window))
    level = np.median(amplitude[:, width // 16 :], axis=1) + _TINY
    bins = [round(width * harmonic / 8) for harmonic in (1, 2, 3, 4)]
    peaks = [amplitude[:, max(b - 1, 1) : b + 2].max(axis=1) for b in bins]
    peaks.append(amplitude[:, width // 16 :].max(axis=1))
    return np.log(np.stack(peaks, axis=1) / level[:, None] + _TINY)


def _fineness(plane: Plane) -> Float[np.ndarray, " n"]:
    """Return by how much, in logarithms, steps between pixels exceed those at half the resolution."""
    return np.asarray(np.log((_mean_step(plane) + 0.01) / (_mean_step(_halve(plane)) + 0.01)))


def _mean_step(plane: Plane) -> Float[np.ndarray, " n"]:
    return np.asarray(
        np.abs(np.diff(plane, axis=1)).mean(axis=(1, 2))
        + np.abs(np.diff(plane, axis=2)).mean(axis=(1, 2))
    )


def _halve(plane: Plane) -> Float[np.ndarray, "n h2 w2"]:
    height, width = plane.shape[1] // 2 * 2, plane.shape[2] // 2 * 2
    even = plane[:, :height, :width]
    return np.asarray(even.reshape(len(plane), height // 2, 2, width // 2, 2).mean(axis=(2, 4)))


def colour_moments(images: Images) -> Features:
    """Return mean, deviation and skewness of each channel, and the shares of pixels that are black or white."""
    pixels = images.reshape(len(images), -1, 3)
    mean = pixels.mean(axis=1)
    centred = pixels - mean[:, None]
    deviation = np.sqrt((centred**2).mean(axis=1))
    skewness = (centred**3).mean(axis=1) / (deviation**3 + 1)
    black, white = (pixels <= 0).mean(axis=1), (pixels >= 255).mean(axis=1)
    return np.concatenate([mean, deviation, skewness, black, white], axis=1)


def sharpness(images: Images, *, num_bands: int = 8) -> Features:
    """Return the log energy of brightness in rings of spatial frequency, each over that of the ring below."""
    luma = images @ _LUMA
    height, width = luma.shape[1:]
    window = np.hanning(height)[:, None] * np.hanning(width)
    centred = luma - luma.mean(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.rfft2(centred * window)) ** 2
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    ends = np.geomspace(1 / 32, 0.5, num_bands + 1)
    bands = [
        power[:, (radius >= low) & (radius < high)].sum(axis=1)
        for low, high in itertools.pairwise(ends)
    ]
    energy = np.log(np.stack(bands, axis=1) + 1)
    return np.diff(energy, axis=1)


def noise_level(images: Images) -> Features:
    """Return the log deviation of brightness and colour within 8-pixel blocks, second differences, in the flattest blocks."""
    levels = []
    for weights in (_LUMA, _BLUE_YELLOW, _RED_GREEN):
        plane = images @ weights
        # Immerkaer's mask (1996): blind to planes and straight edges along the axes.
        fine = np.diff(np.diff(plane, 2, axis=1), 2, axis=2)
        height, width = fine.shape[1] // 8 * 8, fine.shape[2] // 8 * 8
        if height == 0 or width == 0:
            return np.zeros((len(images), 6))
        blocks = fine[:, :height, :width].reshape(len(images), height // 8, 8, width // 8, 8)
        deviation = np.sqrt((blocks**2).mean(axis=(2, 4))).reshape(len(images), -1) / 6
        levels += [np.percentile(deviation, share, axis=1) for share in (10, 30)]
    return np.log(np.stack(levels, axis=1) + 0.02)


def borders(images: Images) -> Features:
    """Return how many lines of one colour lie along each side, of dark ones and of any, as shares of the side."""
    luma = images @ _LUMA
    counts = []
    for lines in (luma, luma[:, ::-1], luma.swapaxes(1, 2), luma.swapaxes(1, 2)[:, ::-1]):
        even = lines.std(axis=2) < 3
        dark = even & (lines.mean(axis=2) < 16)
        counts += [_leading(dark), _leading(even)]
    return np.stack(counts, axis=1)


def _leading(marked: np.ndarray) -> Float[np.ndarray, " n"]:
    """Return the share of each row that is marked before its first gap."""
    return np.asarray(np.cumprod(marked, axis=1).mean(axis=1), np.float64)
