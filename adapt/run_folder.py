"""The folder of a run: made, refused or gone on with."""

import json
import platform
import shutil
from importlib.metadata import version
from pathlib import Path

from scenelift import __version__
from scenelift.adapt.config import RunError, TrainConfig
from scenelift.adapt.plain import to_plain


def prepare_folder(config: TrainConfig) -> None:
    """Make the run folder, or see that it is the one to go on with.

    Raises:
        RunError: if another run left something in it.
        OSError: if it cannot be written.
    """
    execution = config.execution
    folder = execution.out
    used = folder.exists() and any(folder.iterdir())
    if used and not (execution.resume or execution.overwrite):
        raise RunError(
            f"{folder}: is not empty; give --resume to go on, or --overwrite to start anew"
        )
    if used and execution.overwrite:
        _clear(folder)
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    text = json.dumps(
        {
            "content": to_plain(config.content),
            "execution": to_plain(execution),
            "versions": _versions(),
        },
        indent=1,
    )
    part = folder / "config.json.part"
    part.write_text(text, encoding="utf-8")
    part.replace(folder / "config.json")


_OF_A_RUN = (
    "config.json", "metrics.jsonl", "audit.json", "health.json", "evaluation.json", "weights.safetensors", "backbone.onnx", "report.html",
    "pictures", "checkpoints", "tensorboard",
)  # fmt: skip


def _clear(folder: Path) -> None:
    """Remove what a run writes, and nothing else."""
    for name in _OF_A_RUN:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "torchvision", "numpy")}
    return {"scenelift": __version__, "python": platform.python_version(), **packages}
