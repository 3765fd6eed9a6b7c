"""The three qualities: how many paths, where they start, what the denoiser gets.

`draft`   direct light with one shadow ray a pixel and an even ambient light; no denoiser.
`normal`  one path a pixel from what its centre ray sees, its light denoised without the surface's own pattern, edges
          smoothed by more rays through them that borrow the light of their surface's pixels.
`high`    many paths through points spread over each pixel, denoised at full resolution; unbiased before that.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int32

from scenelift.render.camera import Camera
from scenelift.render.engines import Quality
from scenelift.render.engines.embree import coarse, compose, denoise, image, view
from scenelift.render.engines.embree.draft import light_directly
from scenelift.render.engines.embree.library import Library
from scenelift.render.engines.embree.lights import Lights
from scenelift.render.engines.embree.path import COLUMNS, Memory
from scenelift.render.engines.embree.tables import Tables
from scenelift.render.frame import Labels

NORMAL_BOUNCES, HIGH_BOUNCES, HIGH_SAMPLES = 3, 6, 16
SOFTEN = 0.1
"""Least GGX width after the first bounce in `normal`: caustics of small lamps in shiny things are left out."""
DRAFT_AMBIENT = 0.35
"""Ambient light of `draft`, as a share of the mean direct light in the picture."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Shot:
    """A scene, a view of it and the first hits of its centre rays."""

    library: Library
    bvh: int
    tables: Tables
    lights: Lights
    memory: Memory
    camera: Camera
    eye: Float64[np.ndarray, "3"]
    """The camera's position in the tables' axes."""
    rotation: Float64[np.ndarray, "3 3"]
    face: Int32[np.ndarray, "h w"]
    uvt: Float32[np.ndarray, "h w 3"]


def take(
    shot: Shot, labels: Labels, *, quality: Quality, seed: int
) -> Float32[np.ndarray, "h w 3"]:
    """Return the linear radiance of a shot."""
    word = np.uint32(np.random.SeedSequence(seed).generate_state(1)[0])
    if quality == "high":
        return take_high(shot, seed=word, samples=HIGH_SAMPLES)
    if quality == "draft":
        return take_draft(shot, labels, seed=word)
    return take_surfaces(shot, seed=word)


def take_raw(
    shot: Shot, *, seed: np.uint32, samples: int, bounces: int = HIGH_BOUNCES
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Average `samples` paths a pixel, without a denoiser.

    Returns:
        Radiance, reflectance and world normals, each h x w x 3.
    """
    h, w = shot.face.shape
    images = [np.zeros((h, w, 3), dtype=np.float32) for _ in range(3)]
    spacing = 1 << max(samples - 1, 0).bit_length()
    image.trace_image(
        shot.bvh,
        shot.library.coherent_address,
        shot.library.incoherent_address,
        shot.tables,
        shot.lights,
        shot.memory,
        shot.eye,
        shot.rotation,
        float(shot.camera.focal_px),
        samples,
        spacing,
        seed,
        bounces,
        0.0,
        *images,
    )
    return images[0], images[1], images[2]


def take_high(shot: Shot, *, seed: np.uint32, samples: int) -> Float32[np.ndarray, "h w 3"]:
    """Trace `samples` paths a pixel and denoise."""
    radiance, albedo, normal = take_raw(shot, seed=seed, samples=samples)
    return denoise.denoise(radiance, albedo=albedo, normal=normal, quality=denoise.HIGH)


def take_draft(shot: Shot, labels: Labels, *, seed: np.uint32) -> Float32[np.ndarray, "h w 3"]:
    """Light what each centre ray sees by one shadow ray, and evenly by a share of the mean of that."""
    h, w = shot.face.shape
    base, picture = (np.zeros((h * w, 3), dtype=np.float32) for _ in range(2))
    light_directly(
        shot.bvh,
        shot.library.coherent_address,
        shot.tables,
        shot.lights,
        shot.memory,
        shot.eye,
        shot.rotation,
        float(shot.camera.focal_px),
        shot.face,
        shot.uvt,
        labels.albedo,
        seed,
        DRAFT_AMBIENT,
        base,
        picture,
    )
    return picture.reshape(h, w, 3)


def take_surfaces(shot: Shot, *, seed: np.uint32, samples: int = 1) -> Float32[np.ndarray, "h w 3"]:
    """Light the surface that each centre ray sees, then put the picture together."""
    h, w = shot.face.shape
    focal = float(shot.camera.focal_px)
    sights = np.zeros((h * w, COLUMNS), dtype=np.float32)
    seen = np.zeros(h * w, dtype=np.int32)
    surface = np.zeros((h * w, 7), dtype=np.float32)
    glow, light, picture = (np.zeros((h * w, 3), dtype=np.float32) for _ in range(3))
    incoherent = shot.library.incoherent_address
    world = (shot.bvh, incoherent, shot.tables, shot.lights, shot.memory)
    look = (shot.eye, shot.rotation, focal)
    view.see(*world, *look, shot.face, shot.uvt, sights, seen, surface, glow)
    spacing = 1 << max(samples - 1, 0).bit_length()
    tail = _tail(shot)
    view.light_view(
        *world, w, h, sights, seen, samples, spacing, seed, NORMAL_BOUNCES, SOFTEN, tail, light
    )
    _reflect(shot, seen=seen, surface=surface, light=light, glow=glow, seed=seed)
    _clean(shot, light, surface, sights, seen)
    compose.assemble(light, surface, glow, picture)
    smooth = picture.copy()
    edges = np.zeros(h * w, dtype=np.int32)
    compose.smooth_edges(
        shot.bvh,
        shot.library.coherent_address,
        shot.tables,
        shot.lights,
        shot.memory,
        *look,
        w,
        h,
        shot.face,
        seen,
        surface,
        light,
        picture,
        edges,
        smooth,
    )
    return np.nan_to_num(np.maximum(smooth, 0.0), posinf=0.0).reshape(h, w, 3)


def _tail(shot: Shot) -> float:
    """How much more light all bounces bring than the last one that is traced: the sum of 1 + r + r^2 + ...

    r is the scene's mean reflectance. Where the sky is found by bounced rays alone, paths must not end early: 0.
    """
    if shot.lights.num_portals == 0 and shot.lights.sky.any():
        return 0.0
    return 1.0 / (1.0 - min(shot.tables.mean_reflectance, 0.8))


def _reflect(
    shot: Shot,
    *,
    seen: np.ndarray,
    surface: np.ndarray,
    light: np.ndarray,
    glow: np.ndarray,
    seed: np.uint32,
) -> None:
    """Add what panes reflect to the light behind them, so that it is denoised along; onto the sky it goes unfiltered."""
    if shot.tables.num_opaque == len(shot.tables.faces):
        return
    veil = np.zeros_like(light)
    view.reflect_view(
        shot.bvh,
        shot.library.incoherent_address,
        shot.tables,
        shot.lights,
        shot.memory,
        shot.face,
        shot.uvt,
        shot.eye,
        shot.rotation,
        float(shot.camera.focal_px),
        seed,
        NORMAL_BOUNCES - 1,
        SOFTEN,
        veil,
    )
    light += veil / np.maximum(surface[:, :3], 0.01)
    glow[seen < 0] += veil[seen < 0]


def _clean(
    shot: Shot, light: np.ndarray, surface: np.ndarray, sights: np.ndarray, seen: np.ndarray
) -> None:
    """Denoise light in place, at half the resolution, and bring it back along the exact labels.

    Reflectance is divided out, so the guide is even wherever there is a surface. Against the full resolution a frame takes
    a fifth less time, and up to 1.5 dB are lost at edges.
    """
    h, w = shot.face.shape
    half = ((h + 1) // 2, (w + 1) // 2)
    small, even, normal = (np.zeros((*half, 3), dtype=np.float32) for _ in range(3))
    chosen = np.zeros(half, dtype=np.int32)
    coarse.shrink(w, h, light, surface, sights, seen, small, even, normal, chosen)
    clean = denoise.denoise(small, albedo=even, normal=normal, quality=denoise.FAST)
    coarse.grow(w, h, clean, chosen, surface, sights, seen, light)
