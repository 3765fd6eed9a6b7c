"""Path-traced colour against Cycles: CPU time at equal quality. Bar: a tenth of Cycles' CPU time.

    python -m scenelift.benchmarks.speed.cycles --blender-python VENV/bin/python --cache DIR [--size 128] [--json PATH]

One diffuse room. Each renderer's error is the PSNR of what one sees on a screen, against the mean of 4,096 samples by
the renderer itself: of 16 bounces for `normal`, which estimates what its bounces leave out, of as many as itself for `high`
and for Cycles. Ours: `normal`, and `high` with 1 to 16 samples, labels included,
medians over seeds. Cycles: default settings but for adaptive sampling, from 1 to 64 samples a pixel, with Open Image Denoise
as it ships and without, scene kept between frames; its CPU time at our PSNR is read off its curve. Where even its
cheapest picture is better than ours, the ratio to that picture stands with the difference. CPU time is that of all threads
of the process that renders. References are made in pieces that stay in DIR; a second run goes on with them.

Blender's Python lives in an environment of its own: `python3.11 -m venv VENV && VENV/bin/pip install bpy==5.0.1`,
with the Debian packages libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libice6 libxext6 libgl1.
"""

import json
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tyro
from jaxtyping import Float, Float32

from scenelift.benchmarks.speed.diffuse_room import diffuse_room, room_camera
from scenelift.benchmarks.speed.measure import cost_at, psnr_db, report, spread
from scenelift.render.engines.embree import EmbreeEngine, prepare
from scenelift.render.engines.embree.radiance import (
    HIGH_BOUNCES,
    take_high,
    take_raw,
)
from scenelift.render.engines.face_table import face_table

REFERENCE_SAMPLES = 4096
_PIECE = 256
_CYCLES_SAMPLES = (1, 2, 4, 8, 16, 32, 64)
_ALL_BOUNCES = 16
_OUR_SAMPLES = (0, 1, 2, 4, 16)
"""Of `high`; 0 is `normal`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CyclesBenchmark:
    """Path-traced colour against Cycles."""

    cache: Path
    """Folder for the references, made if missing."""
    blender_python: Path | None = None
    """A Python that imports bpy; without it, Cycles is not measured."""
    size: int = 256
    """Width and height in pixels."""
    seeds: int = 5
    """Pictures of each setting."""
    json: Path | None = None
    """Where to write the figures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """What a setting costs and how good it is, point by point."""

    names: tuple[str, ...]
    cpu_s: tuple[float, ...]
    psnr_db: tuple[float, ...]

    def row(self) -> str:
        """Print all points."""
        points = zip(self.names, self.cpu_s, self.psnr_db, strict=True)
        return "; ".join(f"{name}: {1e3 * s:.0f} ms, {q:.1f} dB" for name, s, q in points)


def main(config: CyclesBenchmark) -> None:
    """Measure and report."""
    config.cache.mkdir(parents=True, exist_ok=True)
    ours = _ours(config)
    rows, facts = [("ours", ours.row())], {"ours": asdict(ours)}
    if config.blender_python is None:
        rows.append(("Cycles", "not measured: no --blender-python"))
    else:
        try:
            reference = _cycles_reference(config)
            for denoise, name in ((True, "Cycles, denoised"), (False, "Cycles, as it is")):
                curve = _cycles(config, reference, denoise=denoise)
                facts[name] = asdict(curve)
                rows.append((name, curve.row()))
                rows += compare(name, curve, ours=ours)
        except (OSError, subprocess.CalledProcessError) as error:
            rows.append(("Cycles", f"not measured: {error}"))
    title = f"path-traced colour, {config.size}x{config.size}, one diffuse room"
    report(title, rows, facts={**facts}, path=config.json)


def compare(name: str, curve: Curve, *, ours: Curve) -> list[tuple[str, str]]:
    """Say for each of our settings how much more the other's picture of that quality costs."""
    rows = []
    for setting, cpu_s, quality in zip(ours.names, ours.cpu_s, ours.psnr_db, strict=True):
        cost_s = cost_at(quality, qualities=curve.psnr_db, costs=curve.cpu_s)
        if quality < curve.psnr_db[0]:
            better = curve.psnr_db[0] - quality
            value = f"{cost_s / cpu_s:.1f}, though its cheapest picture is {better:.1f} dB better"
        elif cost_s == float("inf"):
            value = f"more than {max(curve.cpu_s) / cpu_s:.0f}: it does not get there"
        else:
            value = f"{cost_s / cpu_s:.1f}"
        rows.append((f"{name}, over ours, {setting}", value))
    return rows


def _ours(config: CyclesBenchmark) -> Curve:
    """Measure our settings, seed by seed in turn."""
    camera = room_camera(width=config.size, height=config.size)
    with prepare(diffuse_room()) as engine:
        normal = _own_reference(config, engine, bounces=_ALL_BOUNCES)
        high = _own_reference(config, engine, bounces=HIGH_BOUNCES)

        def draw(samples: int, seed: int) -> Float32[np.ndarray, "h w 3"]:
            labels = engine.labels(camera)
            if samples == 0:
                return engine.radiance(camera, labels, quality="normal", seed=seed)
            return take_high(engine.shot(camera), seed=np.uint32(seed), samples=samples)

        cpu_s: dict[int, list[float]] = {samples: [] for samples in _OUR_SAMPLES}
        quality: dict[int, list[float]] = {samples: [] for samples in _OUR_SAMPLES}
        draw(0, 0)
        for seed in range(1, 2 * config.seeds + 1):
            for samples in _OUR_SAMPLES:
                start = time.process_time()
                picture = draw(samples, seed)
                cpu_s[samples].append(time.process_time() - start)
                quality[samples].append(psnr_db(picture, high if samples else normal))
    return Curve(
        names=tuple(f"high {samples}" if samples else "normal" for samples in _OUR_SAMPLES),
        cpu_s=tuple(spread(values).median for values in cpu_s.values()),
        psnr_db=tuple(spread(values).median for values in quality.values()),
    )


def _own_reference(
    config: CyclesBenchmark, engine: EmbreeEngine, *, bounces: int
) -> Float32[np.ndarray, "h w 3"]:
    shot = engine.shot(room_camera(width=config.size, height=config.size))
    pieces = []
    for piece in range(REFERENCE_SAMPLES // _PIECE):
        path = config.cache / f"ours_{config.size}_{bounces}_{piece}.npy"
        if not path.is_file():
            radiance, _, _ = take_raw(
                shot, seed=np.uint32(1000 + piece), samples=_PIECE, bounces=bounces
            )
            np.save(path, radiance)
        pieces.append(np.load(path))
    return np.asarray(np.mean(pieces, axis=0), dtype=np.float32)


def _cycles_reference(config: CyclesBenchmark) -> Float[np.ndarray, "h w 3"]:
    names = [f"cycles_{config.size}_{piece}" for piece in range(REFERENCE_SAMPLES // _PIECE)]
    for piece, name in enumerate(names):
        if not (config.cache / f"{name}.npy").is_file():
            _draw(config, [(name, _PIECE, 1000 + piece, False)])
    pieces = [np.load(config.cache / f"{name}.npy") for name in names]
    return np.asarray(np.mean(pieces, axis=0))


def _cycles(
    config: CyclesBenchmark, reference: Float[np.ndarray, "h w 3"], *, denoise: bool
) -> Curve:
    """Measure Cycles anew, setting by setting, seed by seed in turn."""
    pictures = [
        (f"run_{config.size}_{samples}_{seed}_{int(denoise)}", samples, seed, denoise)
        for seed in range(1, config.seeds + 1)
        for samples in _CYCLES_SAMPLES
    ]
    _draw(config, pictures)
    cpu_s, quality = [], []
    for wanted in _CYCLES_SAMPLES:
        names = [name for name, samples, *_ in pictures if samples == wanted]
        facts = [json.loads((config.cache / f"{name}.json").read_text()) for name in names]
        images = [np.load(config.cache / f"{name}.npy") for name in names]
        cpu_s.append(spread([fact["cpu_s"] for fact in facts]).median)
        quality.append(spread([psnr_db(image, reference) for image in images]).median)
    points = tuple(str(samples) for samples in _CYCLES_SAMPLES)
    return Curve(names=points, cpu_s=tuple(cpu_s), psnr_db=tuple(quality))


def _draw(config: CyclesBenchmark, pictures: list[tuple[str, int, int, bool]]) -> None:
    """Let Blender's Python make some pictures: name, samples, seed, denoise."""
    scene = config.cache / f"scene_{config.size}.npz"
    _write_scene(scene, size=config.size)
    wanted = [
        {
            "path": str(config.cache / f"{name}.npy"),
            "samples": samples,
            "seed": seed,
            "denoise": denoise,
        }
        for name, samples, seed, denoise in pictures
    ]
    job = config.cache / "job.json"
    size = {"width": config.size, "height": config.size}
    job.write_text(json.dumps({"scene": str(scene), **size, "pictures": wanted}))
    script = Path(__file__).with_name("cycles_render.py")
    # Blender's add-on is called cycles, as is this module, whose folder -P keeps off the path.
    command = [str(config.blender_python), "-P", str(script), str(job)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise OSError(f"{config.blender_python} failed: {lines[-1]}")


def _write_scene(path: Path, *, size: int) -> None:
    table, camera = face_table(diffuse_room()), room_camera(width=size, height=size)
    starts = np.flatnonzero(np.diff(table.instance, prepend=0))
    material = table.material[starts]
    np.savez(
        path,
        corners=table.corners + table.centre_world,
        first_face=np.append(starts, len(table.instance)),
        base_color=table.materials.base_color[material],
        emission=table.materials.emission[material],
        focal_px=camera.focal_px,
        T_world_camera=camera.T_world_camera,
    )


if __name__ == "__main__":
    main(tyro.cli(CyclesBenchmark))
