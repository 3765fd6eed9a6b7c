"""Plan, shards, one file: the whole of a rendering run.

A task is some views of one scene and becomes one shard. The order of tasks follows from the configuration; the file is
the shards in that order, cut at the number of frames asked for. So the number of workers and the moment of a kill change
nothing in it.
"""

import fcntl
import hashlib
import itertools
import json
import logging
import math
import platform
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from importlib.metadata import version
from pathlib import Path

import llvmlite.binding

from scenelift.datasets.store import Header, Reader, hash_content, merge_shards, shard_is_complete
from scenelift.render.config import Content, Execution, RenderConfig
from scenelift.render.formats import SceneSource, find_scenes
from scenelift.render.formats.write import write_scene
from scenelift.render.formats.written import Written
from scenelift.render.scene import Scene, SceneError
from scenelift.render.work import (
    Job,
    Outcome,
    Task,
    check_furniture,
    run_task,
    shard_path,
)
from scenelift.render.workers import open_executor

logger = logging.getLogger(__name__)

_LIBRARIES = (
    "numpy", "numba", "embreex", "pyoidn", "opencv-contrib-python-headless", "h5py", "hdf5plugin",
    "trimesh", "pillow",
)  # fmt: skip
"""What the bytes of a file depend on."""
_PATIENCE = 64
"""Rooms in a row that may give no frame before a run ends."""
_QUEUE = 64
"""Tasks handed to the workers at a time."""


class JobError(OSError):
    """A run that cannot start or go on as asked: says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a run is."""

    frames: int
    """Kept so far."""
    total: int
    scenes: int
    """Tasks done so far."""
    bad_scenes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a run gave."""

    path: Path
    """The file, or the folder of shards if they were not merged."""
    frames: int
    rejections: Mapping[str, int]
    """How many candidate views were turned away for each reason."""
    bad_scenes: tuple[str, ...]
    """Why each scene that was left out could not be used."""
    losses: tuple[str, ...] = ()
    """What the format of the scenes written cannot hold, each line once."""


def render_scenes(
    config: RenderConfig,
    *,
    on_progress: Callable[[Progress], None] | None = None,
    executor: Executor | None = None,
) -> Result:
    """Render the frames asked for into one file.

    Args:
        config: What and how.
        on_progress: Called after each task.
        executor: Where to run, for example a cluster's; by default processes on this machine.

    Returns:
        What was written. It has fewer frames than asked for if a whole round over the scenes gave no more.

    Raises:
        JobError: if the output exists already, another run writes it, or no view passes the gates.
        SceneError: if the only scene named cannot be used.
        OSError: if the disk is at fault.
    """
    content, execution = config.content, config.execution
    sources = find_scenes(content.scenes, format=content.format) if content.scenes else None
    check_furniture(content)
    header = make_header(content, sources)
    shards = execution.out.with_name(execution.out.name + ".parts")
    if execution.resume and is_finished(execution.out, header):
        shutil.rmtree(shards, ignore_errors=True)
        return Result(path=execution.out, frames=content.frames, rejections={}, bad_scenes=())
    with _own_shards(shards, execution=execution, header=header):
        job = Job(content=content, header=header, shards=shards, write_scene=_writer(execution))
        with nullcontext(executor) if executor else open_executor(execution.workers) as pool:
            outcomes = _run_tasks(job, sources, pool, on_progress)
        frames = min(sum(outcome.num_frames for outcome in outcomes), content.frames)
        rejections = sum((Counter(outcome.rejections) for outcome in outcomes), Counter[str]())
        errors = tuple(outcome.error for outcome in outcomes if outcome.error is not None)
        if frames == 0:
            raise JobError(
                f"no view of {len(outcomes)} scenes was kept; "
                + (errors[0] if errors else f"turned away: {describe_rejections(rejections)}")
            )
        return Result(
            path=_finish(job, outcomes, execution),
            frames=frames,
            rejections=dict(rejections),
            bad_scenes=errors,
            losses=tuple(dict.fromkeys(line for outcome in outcomes for line in outcome.losses)),
        )


def is_finished(path: Path, header: Header) -> bool:
    """Whether the file is there and is what this run would write."""
    if not path.is_file():
        return False
    with closing(Reader(path)) as reader:
        return reader.header == header


def describe_rejections(rejections: Mapping[str, int]) -> str:
    """List reasons with their counts, the commonest first.

    >>> describe_rejections({"black": 1, "too close": 7})
    '7 too close, 1 black'
    """
    ordered = sorted(rejections.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{count} {reason}" for reason, count in ordered) or "nothing"


def make_header(content: Content, sources: Sequence[SceneSource] | None) -> Header:
    """Describe the run to the file: configuration, its hash, versions of what makes the bytes."""
    described = asdict(content)
    described["scenes"] = None if sources is None else _fingerprint(sources)
    described["furniture"] = [path.name for path in content.furniture]
    described = json.loads(json.dumps(described))
    return Header(
        width=content.photo.width,
        height=content.photo.height,
        content=described,
        content_hash=hash_content(described),
        seed=content.seed,
        versions={name: version(name) for name in _LIBRARIES},
        edge_thresholds=asdict(content.photo.edges),
        instruction_set=f"{platform.machine()} {llvmlite.binding.get_host_cpu_name()}",
    )


def plan_tasks(content: Content, sources: Sequence[SceneSource] | None) -> Iterator[Task]:
    """List the tasks in the order of the file, without end: one scene after the other, then each scene's next views.

    Made rooms never end, so each is visited once.
    """
    share = 8 if sources is None else len(sources)
    num_views = min(content.views_per_scene, math.ceil(content.frames / share))
    for index in itertools.count():
        if sources is None:
            yield Task(index=index, scene=index, first_view=0, num_views=num_views)
            continue
        turn, position = divmod(index, len(sources))
        yield Task(
            index=index,
            scene=sources[position],
            first_view=turn * num_views,
            num_views=num_views,
        )


def _run_tasks(
    job: Job,
    sources: Sequence[SceneSource] | None,
    executor: Executor,
    on_progress: Callable[[Progress], None] | None,
) -> list[Outcome]:
    """Run tasks until the first ones in order give the frames asked for, or a whole cycle gives none; return those."""
    wanted = job.content.frames
    cycle = _PATIENCE if sources is None else len(sources)
    tasks = plan_tasks(job.content, sources)
    ledger = _Ledger(cycle=cycle, made=sources is None)
    running: dict[Future[Outcome], Task] = {}
    try:
        while ledger.frames < wanted and not ledger.dry:
            expected = ledger.frames_ahead + sum(task.num_views for task in running.values())
            done = any(future.done() for future in running)
            if expected < wanted and len(running) < _QUEUE and not done:
                task = next(tasks)
                outcome = ledger.without_work(task) or _found(job, task)
                if outcome is None:
                    running[executor.submit(run_task, job, task)] = task
                else:
                    ledger.add(outcome)
            else:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    running.pop(future)
                    ledger.add(future.result())
            if cycle == 1 and ledger.errors:
                raise SceneError(next(iter(ledger.errors.values())))
            if on_progress is not None:
                on_progress(ledger.progress(wanted))
    except BrokenProcessPool as error:
        raise JobError(
            "a worker died, perhaps for want of memory; what is finished is kept: "
            "go on with resume, with fewer workers if it happens again"
        ) from error
    finally:
        for future in running:
            future.cancel()
    return ledger.prefix


@dataclass(slots=True, kw_only=True)
class _Ledger:
    """Outcomes as they arrive, and the unbroken row of first ones, which the file is made of."""

    cycle: int
    """Tasks until a scene's turn comes again; for made rooms, how many in a row may give nothing."""
    made: bool
    prefix: list[Outcome] = field(default_factory=list)
    waiting: dict[int, Outcome] = field(default_factory=dict)
    errors: dict[int, str] = field(default_factory=dict)
    """Why a scene cannot be used, by its place in the cycle."""
    frames: int = 0
    """In `prefix`."""
    barren: int = 0
    """Tasks at the end of `prefix` that gave no frame."""

    @property
    def dry(self) -> bool:
        """Whether a whole cycle gave no frame."""
        return self.barren >= self.cycle

    @property
    def frames_ahead(self) -> int:
        return self.frames + sum(outcome.num_frames for outcome in self.waiting.values())

    def without_work(self, task: Task) -> Outcome | None:
        """Return the empty outcome of a scene that is known to be unusable."""
        if not self.made and task.index % self.cycle in self.errors:
            return Outcome(index=task.index, num_frames=0, rejections={})
        return None

    def add(self, outcome: Outcome) -> None:
        if outcome.error is not None:
            place = outcome.index if self.made else outcome.index % self.cycle
            if place not in self.errors and self.cycle > 1:
                logger.warning("scene left out: %s", outcome.error)
            self.errors[place] = outcome.error
        self.waiting[outcome.index] = outcome
        while len(self.prefix) in self.waiting:
            following = self.waiting.pop(len(self.prefix))
            self.prefix.append(following)
            self.frames += following.num_frames
            self.barren = 0 if following.num_frames else self.barren + 1

    def progress(self, wanted: int) -> Progress:
        return Progress(
            frames=min(self.frames_ahead, wanted),
            total=wanted,
            scenes=len(self.prefix) + len(self.waiting),
            bad_scenes=len(self.errors),
        )


def _writer(execution: Execution) -> Callable[[Scene], Written] | None:
    if execution.write_scenes is None:
        return None
    return partial(
        write_scene,
        folder=execution.write_scenes,
        format=execution.scene_format,
        overwrite=execution.overwrite or execution.resume,
    )


def _found(job: Job, task: Task) -> Outcome | None:
    """Return the outcome of a task whose shard an earlier run finished."""
    path = shard_path(job.shards, task.index)
    if not shard_is_complete(path, job.header):
        return None
    with closing(Reader(path)) as reader:
        return Outcome(
            index=task.index, num_frames=len(reader), rejections=dict(reader.scene(0).rejections)
        )


def _finish(job: Job, outcomes: Sequence[Outcome], execution: Execution) -> Path:
    """Join the shards of the outcomes and remove the folder, or leave them there."""
    paths = [shard_path(job.shards, outcome.index) for outcome in outcomes]
    kept = [path for path in paths if path.exists()]
    for stray in set(job.shards.glob("shard-*.h5")) - set(kept):
        stray.unlink()
    if not execution.merge:
        return job.shards
    merge_shards(kept, execution.out, limit=job.content.frames)
    shutil.rmtree(job.shards)
    return execution.out


@contextmanager
def _own_shards(shards: Path, *, execution: Execution, header: Header) -> Iterator[None]:
    """Hold the folder of shards for this run alone, emptied or checked for going on."""
    out = execution.out
    if out.is_dir():
        raise JobError(f"{out} is a folder; name a file to write")
    if out.exists() and not execution.overwrite:
        raise JobError(
            f"{out} exists already"
            + (" and is of another configuration" if execution.resume else "")
            + "; overwrite it, or name another file"
        )
    manifest = shards / "run.json"
    if shards.exists() and not (execution.resume or execution.overwrite):
        raise JobError(
            f"{shards} holds the shards of an interrupted run; resume it, or overwrite them to start anew"
        )
    shards.mkdir(parents=True, exist_ok=True)
    with (shards / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JobError(f"{shards} belongs to a run that is still going on") from error
        wanted = json.dumps(
            [header.content_hash, dict(header.versions), header.instruction_set], indent=1
        )
        if manifest.exists() and execution.resume and manifest.read_text() != wanted:
            raise JobError(
                f"{shards} was begun with another configuration, other library versions or on "
                "another kind of processor; overwrite it, or name another file"
            )
        for path in shards.iterdir():
            if path.suffix == ".tmp" or (execution.overwrite and path.suffix == ".h5"):
                path.unlink()
        temporary = manifest.with_suffix(".json.tmp")
        temporary.write_text(wanted)
        temporary.replace(manifest)
        try:
            yield
        except BaseException:
            if not any(shards.glob("shard-*.h5")):
                shutil.rmtree(shards, ignore_errors=True)
            raise


def _fingerprint(sources: Sequence[SceneSource]) -> dict[str, object]:
    """Describe scene files by names, formats and sizes, so that a changed collection is another configuration."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.name}\0{source.format}\0{source.path.stat().st_size}\n".encode())
    return {"count": len(sources), "sha256": digest.hexdigest()}
