"""Doing what a suite lists, one unit after the other; each finished one is a card on disk."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scenelift.adapt.weights import WeightsError
from scenelift.benchmarks.card import Card, CardError, versions, write_card
from scenelift.benchmarks.estimate import Throughput, measure_throughput, predicted_s
from scenelift.benchmarks.suite import CARD, Unit, asked_key, is_finished, write_asked
from scenelift.benchmarks.task import BenchError, Job, Progress
from scenelift.datasets.bsds import BsdsError
from scenelift.datasets.nyud import NyudError
from scenelift.datasets.photo_files import PhotoError
from scenelift.datasets.voc import VocError

INPUT_ERRORS = (
    BenchError, CardError, WeightsError, PhotoError, NyudError, VocError, BsdsError, OSError,
)  # fmt: skip
"""What input or disk cause; anything else is a fault of the program and keeps its traceback."""
_logger = logging.getLogger(__name__)

Observer = Callable[[Unit], Progress]
"""Called as a unit starts; what it returns is told of the unit's progress."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What is to come."""

    unit: Unit
    seconds: float
    """Expected, on this machine; 0 if its card is there."""
    finished: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A unit that could not be measured."""

    unit: Unit
    reason: str
    """One line."""


def forecast(units: Sequence[Unit], *, overwrite: bool) -> tuple[list[Forecast], list[Failure]]:
    """Say how long each unit will take, having timed each backbone for a moment; nothing is measured yet.

    Returns:
        Forecasts, and units whose data cannot be used.

    Raises:
        BenchError: if a folder holds another result.
        OSError: if something cannot be read.
    """
    finished = [is_finished(unit, overwrite=overwrite) for unit in units]
    speeds: dict[str, Throughput] = {}
    told: list[Forecast] = []
    failures: list[Failure] = []
    for unit, done in zip(units, finished, strict=True):
        seconds = 0.0
        if not done:
            name = unit.network.facts.backbone
            if name not in speeds:
                speeds[name] = measure_throughput(unit.network)
            try:
                work = unit.task.work(unit.network, job=_job(unit, _silent))
            except INPUT_ERRORS as error:
                failures.append(Failure(unit=unit, reason=one_line(error)))
                continue
            seconds = predicted_s(work, throughput=speeds[name])
        told.append(Forecast(unit=unit, seconds=seconds, finished=done))
    return told, failures


def run_units(units: Sequence[Unit], *, observer: Observer) -> list[Failure]:
    """Measure unit after unit; one whose data are at fault does not keep the others from being measured.

    Returns:
        Units that could not be measured.

    Raises:
        OSError: if a card cannot be written.
    """
    failures = []
    for unit in units:
        try:
            run_unit(unit, progress=observer(unit))
        except INPUT_ERRORS as error:
            _logger.warning("%s: %s", unit.title, one_line(error))
            failures.append(Failure(unit=unit, reason=one_line(error)))
    return failures


def run_unit(unit: Unit, *, progress: Progress) -> Card:
    """Measure one unit and write its card.

    What an earlier attempt at the same question left in the folder stays for the task to use; what another question left goes.
    """
    stale = asked_key(unit.folder) != unit.key or (unit.folder / CARD).exists()
    if stale and unit.folder.exists():
        shutil.rmtree(unit.folder)
    unit.folder.mkdir(parents=True, exist_ok=True)
    write_asked(unit)
    begin = time.monotonic()
    outcome = unit.task.run(unit.network, job=_job(unit, progress))
    card = Card(
        task=unit.task.name,
        network=unit.network.facts,
        split="test" if unit.final else "selection",
        seed=unit.seed,
        seconds=time.monotonic() - begin,
        outcome=outcome,
        versions=versions(),
        key=unit.key,
        question=unit.question,
    )
    try:
        write_card(unit.folder / CARD, card)
    except ValueError as error:  # a figure that is not finite
        raise BenchError(str(error)) from error
    return card


def one_line(error: BaseException) -> str:
    """Say an error in one line of sensible length."""
    return " ".join(str(error).split())[:400] or type(error).__name__


def _job(unit: Unit, progress: Progress) -> Job:
    return Job(
        data=unit.data.path,
        out=unit.folder,
        seed=unit.seed,
        final=unit.final,
        progress=progress,
    )


def _silent(what: str, done: int, total: int, /) -> None:
    """Tell nobody."""
