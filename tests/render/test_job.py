"""The file is a function of its configuration: not of workers, kills, or the order in which work ends."""

import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, wait
from pathlib import Path
from typing import Any

import pytest
from small_runs import SMALL, command, contents, kill_after, run, wait_until

from scenelift.datasets.store import Reader
from scenelift.render import job as job_module
from scenelift.render.cli import main
from scenelift.render.config import Content, Execution, RenderConfig
from scenelift.render.gates import ViewGates
from scenelift.render.job import JobError, plan_tasks, render_scenes
from scenelift.render.photograph import PhotoSettings
from scenelift.render.scene import SceneError
from scenelift.render.work import Job, Outcome, Task, run_task, shard_path, split_of

THOROUGH = os.environ.get("SCENELIFT_THOROUGH") == "1"
KILLS = 20 if THOROUGH else 3
FRAMES = 24


def small_content(*, frames: int = FRAMES, seed: int = 5) -> Content:
    gates = ViewGates(min_edge_pixels_256=100, min_objects=1, tries=6)
    photo = PhotoSettings(width=48, height=48, quality="draft", gates=gates)
    return Content(frames=frames, seed=seed, photo=photo)


def small_config(
    out: Path, *, workers: int = 1, frames: int = FRAMES, seed: int = 5
) -> RenderConfig:
    return RenderConfig(
        content=small_content(frames=frames, seed=seed),
        execution=Execution(out=out, workers=workers),
    )


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run with one worker."""
    out = tmp_path_factory.mktemp("reference") / "synth.h5"
    result = render_scenes(small_config(out))
    assert result.frames == FRAMES
    assert not out.with_name("synth.h5.parts").exists()
    return out


def test_two_and_four_workers_give_the_same_file(reference: Path, tmp_path: Path) -> None:
    for workers in (2, 4):
        out = tmp_path / f"{workers}.h5"
        render_scenes(small_config(out, workers=workers))
        assert contents(out) == contents(reference)


def test_another_process_gives_the_same_file_and_another_seed_another(
    reference: Path, tmp_path: Path
) -> None:
    flags = (*SMALL, "--frames", str(FRAMES), "--workers", "1")
    done = run("--out", str(tmp_path / "a.h5"), "--seed", "5", *flags)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "a.h5") == contents(reference)
    done = run("--out", str(tmp_path / "b.h5"), "--seed", "6", *flags)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "b.h5")["image/0"] != contents(reference)["image/0"]


def test_a_killed_run_loses_nothing_that_was_finished(
    reference: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """SIGKILL at random moments, among them the start, the merging and the clearing away."""
    record_property("count", KILLS)
    flags = (*SMALL, "--frames", str(FRAMES), "--seed", "5", "--workers", "2")
    chance = random.Random(7)
    expected = contents(reference)
    begin = time.monotonic()
    assert run("--out", str(tmp_path / "whole.h5"), *flags).returncode == 0
    duration_s = time.monotonic() - begin
    for attempt in range(KILLS):
        out = tmp_path / f"{attempt}.h5"
        kill_after(chance.uniform(0.1, 1.05) * duration_s, "--out", str(out), *flags)
        shards = out.with_name(out.name + ".parts")
        done = run("--out", str(out), "--resume", *flags)
        assert done.returncode == 0, done.stderr
        assert contents(out) == expected
        assert not shards.exists()


def test_resuming_renders_only_what_is_missing(reference: Path, tmp_path: Path) -> None:
    out = tmp_path / "synth.h5"
    flags = (*SMALL, "--frames", str(FRAMES), "--seed", "5", "--workers", "2")
    shards = tmp_path / "synth.h5.parts"
    process = subprocess.Popen(command("--out", str(out), *flags))
    assert wait_until(lambda: len(list(shards.glob("shard-*.h5"))) >= 2)
    process.kill()
    process.wait()
    before = {path.name: path.stat().st_mtime_ns for path in shards.glob("shard-*.h5")}
    assert before
    execution = Execution(out=out, workers=1, resume=True, merge=False)
    render_scenes(RenderConfig(content=small_content(), execution=execution))
    after = {path.name: path.stat().st_mtime_ns for path in shards.glob("shard-*.h5")}
    assert before.items() <= after.items()


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    out = tmp_path / "synth.h5"
    flags = (*SMALL, "--frames", "4000", "--workers", "2")
    process = subprocess.Popen(command("--out", str(out), *flags))
    shards = tmp_path / "synth.h5.parts"
    assert wait_until(lambda: any(shards.glob("shard-*.h5")))
    process.kill()
    process.wait()

    assert wait_until(lambda: not _holds(shards), timeout_s=20)


def _holds(folder: Path) -> bool:
    """Whether a process has a file of the folder open."""
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if str(link.readlink()).startswith(str(folder)):
                return True
        except OSError:
            continue
    return False


def test_ctrl_c_ends_in_a_line_and_leaves_a_run_to_resume(tmp_path: Path) -> None:
    out = tmp_path / "synth.h5"
    process = subprocess.Popen(
        command("--out", str(out), *SMALL, "--frames", "4000", "--workers", "2"),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell's background job hands on that it ignores SIGINT, and Python then keeps it so.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    shards = tmp_path / "synth.h5.parts"
    assert wait_until(lambda: any(shards.glob("shard-*.h5")))
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors.strip().splitlines() == ["render-scenes: stopped; go on with --resume"]
    assert not out.exists()


def test_an_existing_file_is_not_overwritten_unasked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "synth.h5"
    out.write_bytes(b"precious")
    assert main(["--out", str(out), *SMALL, "--frames", "2"]) == 1
    assert out.read_bytes() == b"precious"
    errors = capsys.readouterr().err
    assert str(out) in errors
    assert errors.count("\n") == 1
    assert main(["--out", str(out), *SMALL, "--frames", "2", "--workers", "1", "--overwrite"]) == 0
    assert len(Reader(out)) == 2


def test_shards_of_another_run_are_neither_used_nor_lost_unasked(tmp_path: Path) -> None:
    out = tmp_path / "synth.h5"
    execution = Execution(out=out, workers=1, merge=False)
    render_scenes(RenderConfig(content=small_content(frames=3), execution=execution))
    with pytest.raises(JobError, match="interrupted run"):
        render_scenes(RenderConfig(content=small_content(frames=3), execution=execution))
    resumed = Execution(out=out, workers=1, resume=True)
    with pytest.raises(JobError, match="another configuration"):
        render_scenes(RenderConfig(content=small_content(frames=3, seed=9), execution=resumed))
    render_scenes(RenderConfig(content=small_content(frames=3), execution=resumed))
    render_scenes(RenderConfig(content=small_content(frames=3), execution=resumed))
    with pytest.raises(JobError, match="another configuration"):
        render_scenes(RenderConfig(content=small_content(frames=3, seed=9), execution=resumed))


def test_a_second_run_into_the_same_file_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "synth.h5"
    process = subprocess.Popen(command("--out", str(out), *SMALL, "--frames", "4000"))
    try:
        shards = tmp_path / "synth.h5.parts"
        assert wait_until(lambda: any(shards.glob("shard-*.h5")))
        done = run("--out", str(out), *SMALL, "--frames", "4000", "--resume")
        assert done.returncode == 1
        assert "still going on" in done.stderr
    finally:
        process.kill()
        process.wait()


def test_a_full_disk_ends_in_one_line_and_a_rerun_completes(
    reference: Path, tmp_path: Path
) -> None:
    out = tmp_path / "synth.h5"
    flags = (*SMALL, "--frames", str(FRAMES), "--seed", "5", "--workers", "2")

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (16_384, 16_384))

    done = subprocess.run(
        command("--out", str(out), *flags),
        capture_output=True, text=True, check=False, timeout=120, preexec_fn=small_files,
    )  # fmt: skip
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert not out.exists()
    assert run("--out", str(out), "--resume", *flags).returncode == 0
    assert contents(out) == contents(reference)


class ShuffledExecutor(Executor):
    """Ends tasks in an order of its own, with a made-up number of frames for each."""

    def __init__(self, frames: list[int], *, seed: int) -> None:
        self.frames = frames
        self.chance = random.Random(seed)
        self.pending: list[tuple[Future[Any], Task]] = []

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        task = args[1]
        assert isinstance(task, Task)
        self.pending.append((future, task))
        if len(self.pending) > 2 or self.chance.random() < 0.5:
            self.finish_one()
        return future

    def finish_one(self) -> None:
        future, task = self.pending.pop(self.chance.randrange(len(self.pending)))
        num_frames = min(self.frames[task.index % len(self.frames)], task.num_views)
        future.set_result(Outcome(index=task.index, num_frames=num_frames, rejections={}))


@pytest.mark.parametrize("seed", range(5))
def test_the_tasks_of_a_file_do_not_depend_on_the_order_in_which_they_end(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = small_content(frames=100)
    header = job_module.make_header(content, None)
    executor = ShuffledExecutor([3, 0, 13, 5, 0, 0, 1], seed=seed)

    def finish_and_wait(futures: dict[Future[Any], Task], *, return_when: str) -> object:
        if not any(future.done() for future in futures):
            executor.finish_one()
        return wait(futures, return_when=return_when)

    monkeypatch.setattr(job_module, "wait", finish_and_wait)
    job = Job(content=content, header=header, shards=tmp_path)
    outcomes = job_module._run_tasks(job, None, executor, None)
    assert [outcome.index for outcome in outcomes] == list(range(len(outcomes)))
    total = sum(outcome.num_frames for outcome in outcomes)
    assert total >= 100
    assert total - outcomes[-1].num_frames < 100, "a task more than the file needs"


def test_each_scene_gives_its_next_views_when_its_turn_comes_again() -> None:
    content = small_content(frames=1000)
    tasks = plan_tasks(content, None)
    assert [next(tasks).scene for _ in range(5)] == [0, 1, 2, 3, 4]


def test_a_view_depends_on_configuration_scene_and_candidate_alone(
    reference: Path, tmp_path: Path
) -> None:
    """The third task, rendered alone in this process, gives the bytes that the whole run wrote for it."""
    content = small_content()
    header = job_module.make_header(content, None)
    job = Job(content=content, header=header, shards=tmp_path)
    tasks = plan_tasks(content, None)
    third = [next(tasks) for _ in range(3)][2]
    run_task(job, third)
    alone, whole = Reader(shard_path(tmp_path, third.index)), Reader(reference)
    at = whole.views("scene").tolist().index(2)
    assert alone.read(0)["image"].tobytes() == whole.read(at)["image"].tobytes()
    assert alone.read(0)["depth"].tobytes() == whole.read(at)["depth"].tobytes()


def test_impossible_gates_end_with_the_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_module, "_PATIENCE", 3)
    gates = ViewGates(min_objects=500, tries=1, candidates=2)
    content = Content(
        frames=1, photo=PhotoSettings(width=16, height=16, quality="draft", gates=gates)
    )
    with pytest.raises(JobError, match="too few objects"):
        render_scenes(
            RenderConfig(content=content, execution=Execution(out=tmp_path / "a.h5", workers=1))
        )


def test_the_split_is_by_scene_and_near_its_shares() -> None:
    splits = [split_of(f"s{i}", val_share=0.2, test_share=0.1) for i in range(4000)]
    assert splits.count("val") / 4000 == pytest.approx(0.2, abs=0.02)
    assert splits.count("test") / 4000 == pytest.approx(0.1, abs=0.02)


def test_a_single_scene_that_cannot_be_used_fails_at_once(tmp_path: Path) -> None:
    broken = tmp_path / "room.obj"
    broken.write_text("v 0 0 0\nf 1 2 3\n")
    content = Content(scenes=(broken,), format="mesh", frames=2)
    with pytest.raises(SceneError, match=r"room\.obj"):
        render_scenes(
            RenderConfig(content=content, execution=Execution(out=tmp_path / "a.h5", workers=1))
        )
    assert [path.name for path in tmp_path.iterdir()] == ["room.obj"], "leaves nothing in the way"
