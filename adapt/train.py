"""The training loop: streams, clock, checkpoint and log; what is learnt is the method's affair."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from scenelift.adapt.checkpoint import save_checkpoint, write_state
from scenelift.adapt.ema import WeightAverage
from scenelift.adapt.log import MetricsWriter, ScalarWindow
from scenelift.adapt.method import Batch, Clock, Method, StreamName
from scenelift.adapt.pictures import write_pictures
from scenelift.adapt.ranks import num_ranks

_logger = logging.getLogger(__name__)


class TrainingError(RuntimeError):
    """A run that cannot go on."""


@runtime_checkable
class BatchStream(Protocol):
    """Where batches come from; `datasets.loaders.Stream` is one."""

    @property
    def wait_s(self) -> float:
        """How long somebody waited for batches."""
        ...

    def __next__(self) -> Batch: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long a run takes and how often it does what."""

    steps: int
    log_every: int
    validate_every: int
    checkpoint_every: int
    pictures_every: int
    keep_checkpoints: int


@dataclass(frozen=True, kw_only=True, slots=True)
class RunState:
    """What a run has beside its method: where it stands, the averaged weights and the best ones."""

    average: WeightAverage | None
    start: int = 0
    time_s: float = 0.0
    best_score: float = float("inf")


Observer = Callable[[Mapping[str, float], int], None]
"""Called with what is logged and the steps done."""


def train(
    method: Method,
    *,
    streams: Mapping[StreamName, BatchStream],
    validation: Mapping[StreamName, Sequence[Batch]],
    folder: Path,
    pace: Pace,
    state: RunState,
    config: Mapping[str, Any],
    observer: Observer,
    chief: bool = True,
    tensorboard: bool = False,
) -> RunState:
    """Let a method learn from `state.start` to `pace.steps`.

    Args:
        method: What learns.
        streams: Where its batches come from, at the position `state.start`.
        validation: Batches of each stream that nothing is learnt from.
        folder: The run folder.
        pace: How long, and how often what.
        state: Where the run stands.
        config: Stored in every checkpoint.
        observer: Told of every line of the log.
        chief: Whether this process writes files; one of several does.
        tensorboard: Whether to write TensorBoard events too.

    Returns:
        Where the run stands at its end.

    Raises:
        TrainingError: if a loss is not finite; the batch is saved in the run folder.
        OSError: if the disk is full.
    """
    loop = _Loop(method, streams, validation, folder, pace, state, config, observer, chief)
    if not chief:
        return loop.run(None)
    resume = state.start or None
    events = folder / "tensorboard" if tensorboard else None
    with MetricsWriter(folder / "metrics.jsonl", resume_step=resume, tensorboard=events) as writer:
        return loop.run(writer)


class _Loop:
    def __init__(
        self,
        method: Method,
        streams: Mapping[StreamName, BatchStream],
        validation: Mapping[StreamName, Sequence[Batch]],
        folder: Path,
        pace: Pace,
        state: RunState,
        config: Mapping[str, Any],
        observer: Observer,
        chief: bool,
    ) -> None:
        self._method = method
        self._streams = streams
        self._validation = validation
        self._folder = folder
        self._pace = pace
        self._start = state.start
        self._average = state.average
        self._best_score = state.best_score
        self._began = time.perf_counter() - state.time_s
        self._config = config
        self._observer = observer
        self._chief = chief

    def run(self, writer: MetricsWriter | None) -> RunState:
        """Take all steps."""
        pace, window = self._pace, ScalarWindow()
        mark = self._mark()
        for step in range(self._start, pace.steps):
            batches = {name: next(self._streams[name]) for name in self._method.streams}
            clock = Clock(step=step, steps=pace.steps)
            try:
                window.add(self._method.step(batches, clock=clock))
            except ArithmeticError as error:
                raise self._give_up(batches, step=step, error=error) from error
            if self._average is not None:
                self._average.update(self._method.networks())
            done = step + 1
            last = done == pace.steps
            if done % pace.log_every == 0 or last:
                values = window.take() | self._rates(batches, mark, steps=done - mark[0])
                self._tell(writer, values, step=done, split="train")
                mark = self._mark(step=done)
            if done % pace.validate_every == 0 or last:
                self._validate(writer, step=done)
            if self._chief and (done % pace.pictures_every == 0 or last):
                self._draw(step=done)
            if self._chief and (done % pace.checkpoint_every == 0 or last):
                self._save(step=done)
        return RunState(
            average=self._average,
            start=pace.steps,
            time_s=time.perf_counter() - self._began,
            best_score=self._best_score,
        )

    def _mark(self, *, step: int | None = None) -> tuple[int, float, float]:
        waited = sum(self._streams[name].wait_s for name in self._method.streams)
        return (self._start if step is None else step, time.perf_counter(), waited)

    def _rates(
        self, batches: Mapping[StreamName, Batch], mark: tuple[int, float, float], *, steps: int
    ) -> dict[str, float]:
        _, now, waited = self._mark()
        seconds = max(now - mark[1], 1e-9)
        images = sum(len(batch["image"]) for batch in batches.values()) * num_ranks()
        return {
            "rate/images_per_s": images * steps / seconds,
            "rate/wait_share": min((waited - mark[2]) / seconds, 1.0),
        }

    def _tell(
        self, writer: MetricsWriter | None, values: Mapping[str, float], *, step: int, split: str
    ) -> None:
        if writer is not None:
            time_s = time.perf_counter() - self._began
            writer.write(
                values, step=step, time_s=time_s, split="val" if split == "val" else "train"
            )
        if split == "train":
            self._observer(values, step)

    def _validate(self, writer: MetricsWriter | None, *, step: int) -> None:
        window = ScalarWindow()
        for number in range(max((len(b) for b in self._validation.values()), default=0)):
            batches = {
                name: group[number]
                for name, group in self._validation.items()
                if number < len(group)
            }
            window.add(self._method.validate(batches))
        values = window.take()
        if not values:
            return
        self._tell(writer, values, step=step, split="val")
        score = values.get("selection/score", float("inf"))
        if score < self._best_score:
            self._best_score = score
            if self._chief:
                write_state(
                    self._folder / "checkpoints" / "best.pt",
                    {
                        "step": step,
                        "score": score,
                        "backbone": self._exported().state_dict(),
                    },
                )

    def _exported(self) -> nn.Module:
        return (
            self._average.networks["backbone"]
            if self._average is not None
            else self._method.networks()["backbone"]
        )

    def _draw(self, *, step: int) -> None:
        batches = {
            name: _head(group[0], count=4) for name, group in self._validation.items() if group
        }
        if batches:
            write_pictures(
                self._folder / "pictures",
                self._method.pictures(batches),
                step=step,
                captions=self._method.captions,
            )

    def _save(self, *, step: int) -> None:
        save_checkpoint(
            self._folder / "checkpoints",
            {
                "config": dict(self._config),
                "method": self._method.state_dict(),
                "average": self._average.state_dict() if self._average is not None else {},
                "best_score": self._best_score,
                "time_s": time.perf_counter() - self._began,
            },
            step=step,
            keep=self._pace.keep_checkpoints,
        )

    def _give_up(
        self, batches: Mapping[StreamName, Batch], *, step: int, error: ArithmeticError
    ) -> TrainingError:
        """Save the batch, and say which module gave a bad value first."""
        path = self._folder / f"bad-batch-{step:09d}.pt"
        write_state(path, {"step": step, "batches": dict(batches)})
        module = first_bad_module(self._method, batches)
        where = f"first in module {module}" if module else "in the loss itself"
        return TrainingError(
            f"step {step}: {error}, {where}; the batch is in {path}; lower the learning rate or look at its labels"
        )


def first_bad_module(method: Method, batches: Mapping[StreamName, Batch]) -> str | None:
    """Name the first module whose parameters or answers on a batch are not finite, None if all are."""
    found: list[str] = []

    def look(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def hook(module: nn.Module, arguments: Any, answer: Any) -> None:
            tensors = answer.values() if isinstance(answer, Mapping) else (answer,)
            if not found and not all(_finite(t) for t in tensors if isinstance(t, Tensor)):
                found.append(name)

        return hook

    handles = []
    for label, network in method.networks().items():
        for name, module in network.named_modules():
            if not any(True for _ in module.children()):
                if not all(_finite(p) for p in module.parameters()):
                    found.append(f"{label}.{name} (its parameters)")
                handles.append(module.register_forward_hook(look(f"{label}.{name}")))
    try:
        if not found:
            method.validate(batches)
    except ArithmeticError:
        pass
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else None


def _finite(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(tensor.isfinite().all())


def _head(batch: Batch, *, count: int) -> Batch:
    return {name: values[:count] for name, values in batch.items()}


@torch.no_grad()
def recalibrate(network: nn.Module, *, forward: Callable[[], None]) -> None:
    """Estimate the batch norms' statistics anew: `forward` shows the network batches, each counts alike; weights stay.

    As Li et al. (AdaBN, 2016) do for a new domain.
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    forward()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(was_training)
