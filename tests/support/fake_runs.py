"""Run folders that no training made: plausible curves, pictures, an audit, distances and a configuration."""

import json
import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from scenelift.adapt.audit import Audit, FileFacts, audit_shortcuts, write_audit
from scenelift.adapt.health import ADistance, write_health
from scenelift.adapt.log import MetricsWriter
from scenelift.adapt.pictures import (
    depth_error,
    draw_depth,
    draw_edge,
    draw_error,
    draw_image,
    draw_normal,
    normal_error_deg,
    side_by_side,
    write_pictures,
)

STEPS = 4000
_TASKS = {"edge": (0.69, 0.21), "depth": (1.4, 0.12), "normal": (0.9, 0.18)}


def fake_run(folder: Path, *, steps_done: int = STEPS, aligned: bool = True, seed: int = 0) -> Path:
    """Write a run folder as training leaves it, after some steps or all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_config(folder, aligned=aligned)
    write_metrics(folder, steps_done=steps_done, aligned=aligned, seed=seed)
    for step in (s for s in (0, 500, 1500, 4000) if s <= steps_done):
        write_fake_pictures(folder, step=step, sharpness=step / STEPS)
    write_audit(fake_audit(seed=seed), path=folder / "audit.json")
    write_health(
        folder / "health.json",
        before=distances((0.4, 0.7, 1.1, 1.5, 1.7)),
        after=distances((0.4, 0.6, 0.9, 1.1, 0.6)) if steps_done == STEPS else None,
        aligned_layers=("conv5",) if aligned else (),
    )
    return folder


def write_config(folder: Path, *, aligned: bool = True) -> None:
    config = {
        "content": {
            "recipe": "desk",
            "steps": STEPS,
            "batch_size": 32,
            "seed": 0,
            "method": {
                "backbone": "resnet18",
                "tasks": ["edge", "depth", "normal"],
                "align": {"kind": "adversarial" if aligned else "none", "layers": ["conv5"]},
                "optimiser": {"learning_rate": 1e-3, "betas": [0.5, 0.999]},
            },
        },
        "execution": {"device": "cpu", "log_every": 20},
        "versions": {"scenelift": "0.1.0", "torch": "2.6.0"},
    }
    (folder / "config.json").write_text(json.dumps(config))


def write_metrics(folder: Path, *, steps_done: int, aligned: bool = True, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    with MetricsWriter(folder / "metrics.jsonl") as writer:
        for step in range(20, steps_done + 1, 20):
            progress = step / STEPS
            values = task_losses(progress, rng=rng)
            if aligned:
                values |= alignment(progress, rng=rng)
            values |= {
                "lr/backbone": 1e-3 * (1.0 if progress < 0.6 else 0.1),
                "rate/images_per_s": 410 + 12 * rng.normal(),
                "rate/wait_share": abs(0.04 + 0.01 * rng.normal()),
                "gradient/cosine_edge_depth": 0.22 + 0.05 * rng.normal(),
                "gradient/cosine_edge_normal": 0.14 + 0.05 * rng.normal(),
                "gradient/cosine_depth_normal": 0.31 + 0.05 * rng.normal(),
            }
            writer.write(values, step=step, time_s=step * 0.062)
            if step % 400 == 0:
                held_out = task_losses(progress, rng=rng, gap=1.12)
                writer.write(held_out, step=step, time_s=step * 0.062, split="val")


def task_losses(progress: float, *, rng: np.random.Generator, gap: float = 1.0) -> dict[str, float]:
    losses = {
        f"loss/{task}": gap
        * (end + (start - end) * math.exp(-6 * progress))
        * math.exp(0.06 * rng.normal())
        for task, (start, end) in _TASKS.items()
    }
    return losses | {"loss/task": sum(losses.values())}


def alignment(progress: float, *, rng: np.random.Generator) -> dict[str, float]:
    accuracy = 0.58 + 0.4 * math.exp(-5 * progress) * (1 - math.exp(-60 * progress))
    weight = 0.05 * (2 / (1 + math.exp(-10 * progress)) - 1)
    return {
        "loss/critic": 0.66 - 0.3 * math.exp(-5 * progress) + 0.02 * rng.normal(),
        "loss/align": 0.75 + math.exp(-5 * progress) + 0.03 * rng.normal(),
        "critic/accuracy_synthetic": min(accuracy + 0.03 * rng.normal(), 1.0),
        "critic/accuracy_real": min(accuracy - 0.02 + 0.03 * rng.normal(), 1.0),
        "align/weight": weight,
        "gradient/ratio": 2 * weight * math.exp(0.2 * rng.normal()),
    }


def distances(values: tuple[float, ...]) -> dict[str, ADistance]:
    return {
        f"conv{index}": ADistance(
            value=value, low=max(value - 0.12, 0.0), high=min(value + 0.12, 2.0), num_each=256
        )
        for index, value in enumerate(values, start=1)
    }


def fake_images(
    count: int, *, side_px: int, rng: np.random.Generator
) -> Float[np.ndarray, "n h w 3"]:
    """Draw pictures with a natural fall of energy over frequency, each of a hue and contrast of its own, from 0 to 255."""
    frequency = np.hypot(np.fft.fftfreq(side_px)[:, None], np.fft.rfftfreq(side_px))
    fall = 1 / np.maximum(frequency, 1 / side_px) ** rng.uniform(1.0, 1.5, (count, 1, 1))
    grain = rng.normal(size=(2, count, *frequency.shape))
    luma = np.fft.irfft2((grain[0] + 1j * grain[1]) * fall, s=(side_px, side_px))
    luma /= luma.std(axis=(1, 2), keepdims=True)
    contrast = rng.uniform(25, 50, (count, 1, 1, 3))
    pixels = rng.uniform(90, 150, (count, 1, 1, 3)) + contrast * luma[..., None]
    pixels = pixels + rng.normal(scale=rng.uniform(0.5, 2, (count, 1, 1, 1)), size=pixels.shape)
    return np.asarray(pixels.clip(0, 255))


def fake_audit(*, seed: int) -> Audit:
    rng = np.random.default_rng(seed)
    left, right = (
        torch.from_numpy(fake_images(24, side_px=48, rng=rng).astype(np.uint8)).permute(0, 3, 1, 2)
        for _ in range(2)
    )
    files = [
        FileFacts(
            width_px=np.full(24, 256), height_px=np.full(24, 256), jpeg=np.full(24, domain == 1)
        )
        for domain in range(2)
    ]
    return audit_shortcuts(left, right, seed=seed, synthetic_files=files[0], real_files=files[1])


def write_fake_pictures(folder: Path, *, step: int, sharpness: float, side_px: int = 64) -> None:
    """Draw a floor and a ball; the answers near the truth as `sharpness` goes to 1."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[:side_px, :side_px] / side_px
    ball = np.maximum(0.09 - (x - 0.5) ** 2 - (y - 0.45) ** 2, 0)
    true_m = torch.from_numpy(np.where(ball > 0, 2 - np.sqrt(ball), 4 - 2 * y)).float()[None, None]
    true_m[..., :4, :] = 0
    normal = np.where(
        ball > 0,
        [(x - 0.5) / 0.3, (0.45 - y) / 0.3, np.sqrt(ball) / 0.3],
        [0 * x, 1 + 0 * x, 0.2 + 0 * x],
    )
    true_normal = torch.nn.functional.normalize(torch.from_numpy(normal).float()[None], dim=1)
    noise = torch.from_numpy(rng.normal(size=(1, 4, side_px, side_px))).float() * (1 - sharpness)
    depth = (true_m.clamp(min=1).log() + 0.5 * noise[:, :1]).exp()
    answer = true_normal + noise[:, 1:]
    edge = torch.from_numpy(np.abs(np.gradient((ball > 0) * 1.0)[0]) > 0).float()[None, None]
    said = (edge * sharpness + 0.3 * (1 - sharpness) * noise[:, :1].abs()).clamp(0, 1)
    light = (true_normal[:, 1:2] * 0.5 + 0.5).clamp(0, 1) * 220
    image = draw_image(light.expand(-1, 3, -1, -1).to(torch.uint8))
    truth = ("image", "truth", "answer", "error")
    rows = {
        "synthetic/edge": side_by_side(image, draw_edge(edge), draw_edge(said)),
        "synthetic/depth": side_by_side(
            image,
            draw_depth(true_m),
            draw_depth(depth),
            draw_error(depth_error(depth, true_m), worst=0.5),
        ),
        "synthetic/normal": side_by_side(
            image,
            draw_normal(true_normal),
            draw_normal(answer),
            draw_error(normal_error_deg(answer, true_normal), worst=45),
        ),
        "real/edge": side_by_side(image, draw_edge(said)),
        "real/depth": side_by_side(image, draw_depth(depth)),
        "real/normal": side_by_side(image, draw_normal(answer)),
    }
    captions = {
        name: ("image", "answer") if name.startswith("real") else truth[: 3 + ("edge" not in name)]
        for name in rows
    }
    write_pictures(
        folder / "pictures",
        {name: picture.expand(2, -1, -1, -1) for name, picture in rows.items()},
        step=step,
        captions=captions,
    )
