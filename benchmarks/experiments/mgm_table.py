"""Multi-task oriented generative modelling beside its baselines and beside rendered frames: every row on the same labels and steps.

    python -m scenelift.benchmarks.experiments.mgm_table --data nyuv2.tar --scene-labels nyuv2_scenes.json --synthetic FILE.h5 --out DIR

Prints the runs and how long they will take first (`--plan`: only that), does them one after the other, goes on after a kill, and writes
`table.json`, `table.md` and `report.html` into DIR. All is judged on the official test frames of NYU Depth v2, whole, at the size that
the networks learn from; intervals are Student's, over seeds. A row's share is that of the labels; generated and rendered pictures come on
top. Scene classes of NYU Depth v2 are pseudo-labels (`scene_labels`).
"""

import json
import logging
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import tyro

from scenelift.adapt.recipes import recipe
from scenelift.benchmarks.dense_judge import judge_constants
from scenelift.benchmarks.experiments.mgm_forecast import forecast
from scenelift.benchmarks.experiments.mgm_judged import (
    distances,
    judge_generator,
    judge_run,
    see_real,
)
from scenelift.benchmarks.experiments.mgm_plan import GAN, METHODS, Plan, Wanted, make_plan
from scenelift.benchmarks.experiments.mgm_report import Made, Outcome, Row, write_outcome
from scenelift.benchmarks.experiments.runs import FAULTS, Run, is_done, train_all
from scenelift.benchmarks.network import RANDOM
from scenelift.benchmarks.picture_features import PictureFeatures, open_features
from scenelift.datasets.dense import DenseSource, DenseSplit, open_dense
from scenelift.datasets.dense_frames import NYU40_CLASSES, DenseError
from scenelift.datasets.dense_nyud import open_nyud_layout
from scenelift.datasets.dense_prepared import is_prepared, write_prepared
from scenelift.datasets.scene_labels import read_scene_labels

_TASKS = ("segmentation", "depth", "normal")
_SPLITS: tuple[DenseSplit, ...] = ("train", "test")
_MAX_REAL = 795
_PREPARING_S = 200.0
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class MgmTable:
    """What is compared, on what, how often."""

    data: Path
    """NYU Depth v2, or a folder of frames that an earlier table prepared."""
    out: Path
    """Where frames, runs and table go."""
    scene_labels: Path | None = None
    """Scene classes of the frames: what `python -m scenelift.benchmarks.experiments.scene_labels` wrote."""
    synthetic: tuple[Path, ...] = ()
    """Files of `render-scenes`; without them the rows of rendered frames are left out."""
    methods: tuple[str, ...] = ()
    """Rows; none: all that the data allow."""
    shares: tuple[float, ...] = (0.25, 1.0)
    """Of the labels."""
    seeds: int = 3
    """Runs of each row and share."""
    minutes: float = 75.0
    """What the steps are chosen for, on one idle core."""
    steps: int | None = None
    """Of each run; None: as `minutes` allow."""
    gan_steps: int | None = None
    """Of each pre-training of generator and discriminator, one for all rows of a share and seed; None: as many."""
    batch_size: int = 8
    """Pictures of each kind in a step."""
    inception: Path | None = None
    """Weights of torch-fidelity's Inception, for KID and FID."""
    features: str = RANDOM
    """Without them: the network that pictures are compared by, a run folder or a file of weights; `random`: alexnet-small as it is drawn."""
    plan: bool = False
    """Print what would be done and how long it takes, and end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How long runs are."""

    steps: int
    gan_steps: int
    """Of pre-training."""


def main(config: MgmTable) -> int:
    """Do what is left, and write the table.

    Returns:
        0 done, 1 if the input cannot be used, 130 stopped by Ctrl-C.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        return _run(config)
    except FAULTS as error:
        print(f"mgm_table: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("mgm_table: stopped; the same command goes on", file=sys.stderr)
        return 130


def _run(config: MgmTable) -> int:
    by = open_features(config.inception, network=config.features, device=torch.device("cpu"))
    plan, pace = make_paced_plan(config)
    if config.plan:
        return 0
    frames = _frames(config)
    prepare_frames(config, frames)
    train, test = (open_dense(frames, split=split) for split in _SPLITS)
    constants = judge_constants(
        train, test, num_classes=len(train.semantic_classes), tasks=_TASKS, resize_px=_side_px()
    )
    _judge_all(plan, train, test, by=by, config=config, pace=pace, constants=constants)
    return 0


def make_paced_plan(config: MgmTable) -> tuple[Plan, Pace]:
    """List the runs, choose their steps and print both; what was chosen once stays so in the folder.

    Raises:
        ExperimentError: if a method is unknown or lacks its data, or too few steps fit.
        ValueError: if the data cannot be used.
    """
    kept = config.out / "pace.json"
    if kept.is_file() and config.steps is None:
        chosen = json.loads(kept.read_text(encoding="utf-8"))
        pace = Pace(steps=int(chosen["steps"]), gan_steps=int(chosen["gan_steps"]))
        plan = make_plan(_wanted(config, pace))
        print(f"{len(plan.runs)} runs of {pace.steps} steps; {_num_left(plan)} to do")
        return plan, pace
    first = make_plan(_wanted(config, Pace(steps=100, gan_steps=100)))
    costs = forecast(first, num_scenes=_num_scenes(config), num_classes=len(NYU40_CLASSES))
    steps = config.steps or costs.steps_within(60 * config.minutes - _PREPARING_S)
    pace = Pace(steps=steps, gan_steps=config.gan_steps or steps)
    plan = make_plan(_wanted(config, pace))
    for name, count in costs.counts.items():
        each = pace.gan_steps if name == GAN else pace.steps
        print(f"{name:28s} {count:3d} x {each} steps of {costs.step_s[name]:.3f} s")
    total_s = costs.total_s(steps=pace.steps, gan_steps=pace.gan_steps) + _PREPARING_S
    print(
        f"{len(plan.runs)} runs ({len(plan.gans)} of them pre-train generators), {_num_left(plan)} to do; {config.seeds} seeds, "
        f"labels {', '.join(f'{100 * share:g} %' for share in config.shares)}\n"
        f"all together about {total_s / 60:.0f} min of one idle core"
    )
    if not config.plan:
        config.out.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(asdict(pace)), encoding="utf-8")
    return plan, pace


def _frames(config: MgmTable) -> Path:
    return config.data if is_prepared(config.data) else config.out / "frames"


def _side_px() -> int:
    return recipe(GAN).geometry.crop_px


def _num_left(plan: Plan) -> int:
    return sum(not is_done(run) for run in plan.runs)


def _wanted(config: MgmTable, pace: Pace) -> Wanted:
    return Wanted(
        labelled=_frames(config),
        out=config.out / "runs",
        synthetic=config.synthetic,
        methods=config.methods,
        shares=config.shares,
        seeds=config.seeds,
        steps=pace.steps,
        gan_steps=pace.gan_steps,
        batch_size=config.batch_size,
    )


def prepare_frames(config: MgmTable, folder: Path) -> None:
    """Bring both splits to the size of training, once.

    Raises:
        DenseError: if frames lack scene labels.
        ValueError: if a frame cannot be read.
        OSError: if the disk is full.
    """
    resize_px = recipe(GAN).geometry.resize_px
    for split in _SPLITS:
        if (folder / split / "frames.json").is_file():
            continue
        if config.scene_labels is None:
            raise DenseError(
                "no scene labels: give --scene-labels FILE (`python -m scenelift.benchmarks.experiments.scene_labels` makes one)"
            )
        layout = open_nyud_layout(config.data, split=split, scene_labels=config.scene_labels)

        def progress(done: int, split: str = split, count: int = len(layout.frames)) -> None:
            if done % 100 == 0 or done == count:
                _logger.info("preparing %s: %d of %d frames", split, done, count)

        write_prepared(folder, layout, split=split, resize_px=resize_px, progress=progress)


def _num_scenes(config: MgmTable) -> int:
    if is_prepared(config.data):
        return len(open_dense(config.data, split="train").scenes)
    if config.scene_labels is None:
        return 14
    return len(read_scene_labels(config.scene_labels).classes)


def _judge_all(
    plan: Plan,
    train: DenseSource,
    test: DenseSource,
    *,
    by: PictureFeatures,
    config: MgmTable,
    pace: Pace,
    constants: dict[str, float],
) -> None:
    """Train and judge one seed after the other, and write what is known after each."""
    geometry = recipe(GAN).geometry
    sight = see_real(train, geometry=geometry, by=by, count=min(_MAX_REAL, len(train)))
    held_out = see_real(test, geometry=geometry, by=by, count=min(_MAX_REAL, len(test)))
    noise = torch.randint(
        256, tuple(sight.real.shape), generator=torch.Generator().manual_seed(0), dtype=torch.uint8
    )
    generators: list[Made] = []
    outcome = Outcome(
        rows=[],
        constants=constants,
        generators=generators,
        floor=distances(held_out.real_features, sight.real_features, by=by),
        noise=distances(by.of(noise), sight.real_features, by=by),
        pseudo_scenes=train.pseudo_scenes,
        num_test=len(test),
        steps=pace.steps,
        gan_steps=pace.gan_steps,
    )
    rows = {
        (method, share): Row(
            method=method, title=METHODS[method].title, share=share, values={}, runs=[]
        )
        for method, share, _ in plan.rows
    }
    for seed in range(config.seeds):
        train_all([run for run in plan.runs if run.content.seed == seed], device="cpu")
        for (method, share, of_seed), runs in plan.rows.items():
            if of_seed == seed:
                row = rows[method, share]
                row.runs.extend(run.folder for run in runs)
                for run in runs:
                    for figure, value in judge_run(run, test).items():
                        row.values.setdefault(figure, {})[seed] = value
        for (share, of_seed), run in plan.gans.items():
            if of_seed == seed:
                generators.extend(
                    Made(
                        title=title,
                        share=share,
                        seed=seed,
                        folder=made.folder,
                        figures=judge_generator(made, sight),
                    )
                    for title, made in _generators(plan, run, share=share, seed=seed)
                )
        outcome.rows[:] = [row for row in rows.values() if row.values]
        write_outcome(config.out, outcome)
    print((config.out / "table.md").read_text(encoding="utf-8"))
    print(f"{config.out / 'report.html'}")


def _generators(plan: Plan, gan: Run, *, share: float, seed: int) -> list[tuple[str, Run]]:
    """List the runs of a share and seed whose generator learnt: the pre-trained one, and that which MGM went on with."""
    joint = plan.rows.get(("mgm", share, seed), ())
    return [("pre-trained", gan), *(("MGM", run) for run in joint)]


if __name__ == "__main__":
    sys.exit(main(tyro.cli(MgmTable)))
