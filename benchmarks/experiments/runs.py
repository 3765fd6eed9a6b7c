"""Training runs of an experiment: planned, forecast, done one after the other, gone on with after a kill."""

import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scenelift.adapt.config import TrainConfig, TrainContent, TrainExecution
from scenelift.adapt.job import INPUT_FAULTS, train_run
from scenelift.adapt.log import Metrics, read_metrics
from scenelift.adapt.plain import to_plain

_logger = logging.getLogger(__name__)
_WEIGHTS = "weights.safetensors"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One training run."""

    folder: Path
    content: TrainContent
    moments: int = 2
    """How often pictures are drawn."""

    @property
    def name(self) -> str:
        """What it is called: the last two parts of its folder."""
        return "/".join(self.folder.parts[-2:])


class ExperimentError(ValueError):
    """An experiment that cannot go on."""


FAULTS = (ExperimentError, *INPUT_FAULTS)
"""What is told in one line: the user's input, not a bug."""


def is_done(run: Run) -> bool:
    """Tell whether the run ended, with this configuration.

    Raises:
        ExperimentError: if another configuration left something in its folder.
    """
    path = run.folder / "config.json"
    if not path.is_file():
        return False
    left = json.loads(path.read_text(encoding="utf-8"))["content"]
    asked = to_plain(run.content)
    changed = sorted(n for n in asked if n != "precision" and asked[n] != left.get(n))
    if changed:
        raise ExperimentError(
            f"{run.folder}: holds a run that differs in {', '.join(changed)}; name another --out"
        )
    return (run.folder / _WEIGHTS).is_file()


def train_all(runs: Sequence[Run], *, device: str = "auto") -> None:
    """Do what is not done yet; a run that was killed goes on from its last checkpoint.

    Raises:
        ExperimentError: if a folder holds another configuration.
    """
    left = [run for run in runs if not is_done(run)]
    _logger.info("%d runs, %d of them to do", len(runs), len(left))
    began = time.perf_counter()
    for number, run in enumerate(left):
        _logger.info("%s (%d of %d)%s", run.name, number + 1, len(left), _left(began, number, left))
        train_run(
            TrainConfig(content=run.content, execution=_execution(run, device=device)),
            observer=lambda _values, _step: None,
        )


def _execution(run: Run, *, device: str) -> TrainExecution:
    steps = run.content.steps
    return TrainExecution(
        out=run.folder,
        resume=(run.folder / "config.json").is_file(),
        device=device,
        log_every=max(1, min(50, steps // 10)),
        checkpoint_every=max(1, min(1000, steps // 2)),
        pictures_every=max(1, steps // run.moments),
        keep_checkpoints=1,
        audit=False,
        tensorboard=False,
    )


def _left(began: float, done: int, runs: Sequence[Run]) -> str:
    """Forecast the time left by the steps done, once a run is done."""
    if not done:
        return ""
    steps = sum(run.content.steps for run in runs[:done])
    more = sum(run.content.steps for run in runs[done:])
    minutes = (time.perf_counter() - began) / max(steps, 1) * more / 60
    return f", about {minutes:.0f} min left"


def last_figures(folder: Path) -> Mapping[str, float]:
    """Return the last figures on held-out pictures of a run, by name."""
    metrics: Metrics = read_metrics(folder / "metrics.jsonl")
    return {name: float(series.value[-1]) for name, series in metrics.val.items()}
