"""Path-traced colour against Cycles: CPU time at equal quality. Bar: a tenth of Cycles' CPU time.

    python -m scenelift.benchmarks.speed.cycles --blender-python VENV/bin/python --cache DIR [--json PATH]

One diffuse room at 256x256. Each renderer's error is the PSNR of what one sees on a screen, against the mean of 4,096
samples by the renderer itself with the same settings. Ours: `normal` quality, labels included, the median over seeds.
Cycles: default settings but for adaptive sampling, from 1 to 64 samples a pixel, with Open Image Denoise as it ships and
without, scene kept between frames; its CPU time at our PSNR is read off its curve. CPU time is that of all threads of
the process that renders. References are made in pieces that stay in DIR; a second run goes on with them.

Blender's Python lives in an environment of its own: `python3.11 -m venv VENV && VENV/bin/pip install bpy==5.0.1`,
with the Debian packages libxrender1 libxfixes3 libxi6 libxkbcommon0 libsm6 libice6 libxext6 libgl1.
"""

import json
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from jaxtyping import Float32

from scenelift.benchmarks.speed.diffuse_room import diffuse_room, room_camera
from scenelift.benchmarks.speed.measure import Spread, cost_at, psnr_db, report, spread
from scenelift.render.engines.embree import EmbreeEngine, prepare
from scenelift.render.engines.embree.radiance import NORMAL_BOUNCES, take_raw
from scenelift.render.engines.face_table import face_table

REFERENCE_SAMPLES = 4096
_PIECE = 256
_CYCLES_SAMPLES = (1, 2, 4, 8, 16, 32, 64)
_LONGER_BOUNCES = 16


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
    """What a setting costs and how good it is."""

    samples: tuple[int, ...]
    cpu_s: tuple[float, ...]
    psnr_db: tuple[float, ...]


def main(config: CyclesBenchmark) -> None:
    """Measure and report."""
    config.cache.mkdir(parents=True, exist_ok=True)
    rows, facts = _ours(config)
    if config.blender_python is None:
        rows.append(("Cycles", "not measured: no --blender-python"))
    else:
        try:
            more_rows, more_facts = _cycles(config, ours=facts)
        except (OSError, subprocess.CalledProcessError) as error:
            rows.append(("Cycles", f"not measured: {error}"))
        else:
            rows += more_rows
            facts |= more_facts
    title = f"path-traced colour, {config.size}x{config.size}, one diffuse room"
    report(title, rows, facts=facts, path=config.json)


def _ours(config: CyclesBenchmark) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    camera = room_camera(width=config.size, height=config.size)
    with prepare(diffuse_room()) as engine:
        reference = _own_reference(config, engine, bounces=NORMAL_BOUNCES)
        longer = _own_reference(config, engine, bounces=_LONGER_BOUNCES)
        engine.radiance(camera, engine.labels(camera), quality="normal", seed=0)
        cpu_s, quality, strict = [], [], []
        for seed in range(4 * config.seeds):
            start = time.process_time()
            picture = engine.radiance(camera, engine.labels(camera), quality="normal", seed=seed)
            cpu_s.append(time.process_time() - start)
            quality.append(psnr_db(picture, reference))
            strict.append(psnr_db(picture, longer))
    facts = {"ours_cpu_s": spread(cpu_s), "ours_psnr_db": spread(quality)}
    strict_db = spread(strict)
    rows = [
        ("ours, normal: CPU ms a frame", _milliseconds(facts["ours_cpu_s"])),
        ("ours, normal: PSNR dB", str(facts["ours_psnr_db"])),
        (f"ours, against {_LONGER_BOUNCES} bounces: PSNR dB", str(strict_db)),
    ]
    return rows, {**facts, "ours_psnr_longer_db": strict_db}


def _own_reference(
    config: CyclesBenchmark, engine: EmbreeEngine, *, bounces: int
) -> Float32[np.ndarray, "h w 3"]:
    shot = engine._shot(room_camera(width=config.size, height=config.size))
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


def _cycles(
    config: CyclesBenchmark, *, ours: dict[str, Any]
) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    pieces = [
        (f"cycles_{config.size}_{piece}", _PIECE, 1000 + piece, False)
        for piece in range(REFERENCE_SAMPLES // _PIECE)
    ]
    missing = [piece for piece in pieces if not (config.cache / f"{piece[0]}.npy").is_file()]
    for piece in missing:
        _draw(config, [piece])
    reference = np.mean([np.load(config.cache / f"{name}.npy") for name, *_ in pieces], axis=0)
    rows, facts = [], {}
    wanted = ours["ours_psnr_db"].median
    for denoise, name in ((True, "with denoiser"), (False, "without denoiser")):
        curve = _curve(config, reference, denoise=denoise)
        cost_s = cost_at(wanted, qualities=curve.psnr_db, costs=curve.cpu_s)
        ratio = cost_s / ours["ours_cpu_s"].median
        bound = (
            ""
            if np.isfinite(ratio)
            else f"more than {curve.cpu_s[-1] / ours['ours_cpu_s'].median:.0f}"
        )
        points = zip(curve.samples, curve.cpu_s, curve.psnr_db, strict=True)
        rows += [
            (
                f"Cycles {name}: samples, CPU ms, PSNR dB",
                "; ".join(f"{n}, {1e3 * s:.0f}, {q:.1f}" for n, s, q in points),
            ),
            (f"Cycles {name} over ours, CPU time at equal PSNR", bound or f"{ratio:.1f}"),
        ]
        facts[f"cycles {name}"] = {
            "samples": curve.samples,
            "cpu_s": curve.cpu_s,
            "psnr_db": curve.psnr_db,
        }
        facts[f"ratio {name}"] = ratio
    return rows, facts


def _curve(config: CyclesBenchmark, reference: np.ndarray, *, denoise: bool) -> Curve:
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
    return Curve(samples=_CYCLES_SAMPLES, cpu_s=tuple(cpu_s), psnr_db=tuple(quality))


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


def _milliseconds(seconds: Spread) -> str:
    return f"{1e3 * seconds.median:.1f} [{1e3 * seconds.low:.1f}, {1e3 * seconds.high:.1f}]"


if __name__ == "__main__":
    main(tyro.cli(CyclesBenchmark))
