"""Which runs the comparison of multi-task oriented generative modelling needs, in an order in which every run finds what it builds on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from scenelift.adapt.config import TrainContent
from scenelift.adapt.mgm.settings import MgmSettings
from scenelift.adapt.recipes import recipe
from scenelift.benchmarks.experiments.runs import ExperimentError, Run

GAN = "mgm-gan"
"""The recipe whose runs pre-train generator and discriminator, one for each share and seed, shared by all methods."""
ANNOTATOR = "mgm-st-segmentation"
"""The recipe whose run on all labels annotates generated pictures (ST_G)."""


_recipe = cache(recipe)


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """A method, as a row of the table."""

    title: str
    recipes: tuple[str, ...]
    """Its runs; several where each task has a network of its own."""


METHODS: Mapping[str, Compared] = {
    "st": Compared(title="ST", recipes=("mgm-st-segmentation", "mgm-st-depth", "mgm-st-normal")),
    "mt": Compared(title="MT", recipes=("mgm-mt",)),
    "st-g": Compared(title="ST with generated, annotated pictures (ST_G)", recipes=("mgm-st-g",)),
    "st-refine": Compared(title="ST + Refine", recipes=("mgm-st-refine",)),
    "st-self": Compared(title="ST + Self", recipes=("mgm-st-self",)),
    "mgm": Compared(title="MGM", recipes=("mgm",)),
    "rendered": Compared(title="MT + rendered frames with labels", recipes=("mgm-rendered",)),
    "rendered-align": Compared(
        title="MT + rendered frames with labels, aligned", recipes=("mgm-rendered-align",)
    ),
    "rendered-weak": Compared(
        title="MGM with rendered frames, labels withheld", recipes=("mgm-rendered-weak",)
    ),
    "rendered-weak-align": Compared(
        title="MGM with rendered frames, labels withheld, aligned",
        recipes=("mgm-rendered-weak-align",),
    ),
}
"""Rows by the name that `--methods` takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is compared, on what, how often."""

    labelled: Path
    """Frames with dense labels."""
    out: Path
    """Where runs go."""
    synthetic: tuple[Path, ...]
    """Rendered frames; none: the methods that need them are left out."""
    methods: tuple[str, ...]
    """Names of `METHODS`; none: all that the data allow."""
    shares: tuple[float, ...]
    """Of the labels."""
    seeds: int
    steps: int
    """Of each run."""
    gan_steps: int
    """Of each pre-training."""
    batch_size: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """All runs, each after those it builds on, one seed after the other."""

    runs: tuple[Run, ...]
    rows: Mapping[tuple[str, float, int], tuple[Run, ...]]
    """Runs by method, share and seed."""
    gans: Mapping[tuple[float, int], Run]
    """Pre-trainings by share and seed."""


def make_plan(wanted: Wanted) -> Plan:
    """List the runs.

    Raises:
        ExperimentError: if a method is unknown or lacks its data.
    """
    methods = _methods(wanted)
    runs: dict[Path, Run] = {}
    rows: dict[tuple[str, float, int], tuple[Run, ...]] = {}
    gans: dict[tuple[float, int], Run] = {}
    for seed in range(wanted.seeds):
        # The full share first: its network annotates for the smaller ones.
        for share in sorted(wanted.shares, reverse=True):
            for method in methods:
                of_row = [
                    _run(wanted, name, share=share, seed=seed) for name in METHODS[method].recipes
                ]
                for run in of_row:
                    settings = _settings(run.content)
                    if settings.further == "gan":
                        gans[share, seed] = _run(wanted, GAN, share=share, seed=seed)
                        runs.setdefault(gans[share, seed].folder, gans[share, seed])
                    if settings.annotator is not None:
                        oracle = _run(wanted, ANNOTATOR, share=1.0, seed=seed)
                        runs.setdefault(oracle.folder, oracle)
                    runs.setdefault(run.folder, run)
                rows[method, share, seed] = tuple(of_row)
    return Plan(runs=tuple(runs.values()), rows=rows, gans=gans)


def _methods(wanted: Wanted) -> Sequence[str]:
    strange = [name for name in wanted.methods if name not in METHODS]
    if strange:
        raise ExperimentError(f"no method {strange[0]!r}; there are {', '.join(METHODS)}")
    asked = wanted.methods or tuple(
        name for name in METHODS if wanted.synthetic or not name.startswith("rendered")
    )
    needing = [name for name in asked if name.startswith("rendered")]
    if needing and not wanted.synthetic:
        raise ExperimentError(
            f"{needing[0]} needs rendered frames: give --synthetic FILE (`render-scenes --out synth.h5` makes one)"
        )
    if not wanted.shares or not all(0 < share <= 1 for share in wanted.shares):
        raise ExperimentError(f"shares must be above 0 and at most 1, got {wanted.shares}")
    if min(wanted.seeds, wanted.steps, wanted.gan_steps, wanted.batch_size) < 1:
        raise ExperimentError("seeds, steps, gan_steps and batch_size must be at least 1")
    return asked


def _run(wanted: Wanted, name: str, *, share: float, seed: int) -> Run:
    """Make a recipe's run: same steps and batches for all, and the pre-trained generator of its share and seed."""
    content = _recipe(name)
    settings = _settings(content)
    steps = wanted.gan_steps if name == GAN else wanted.steps
    if name != GAN and settings.further == "gan":
        settings = replace(
            settings, gan_steps=0, gan_from=_folder(wanted, GAN, share=share, seed=seed)
        )
    if settings.further_labels == "annotator":
        oracle = _folder(wanted, ANNOTATOR, share=1.0, seed=seed)
        settings = replace(settings, annotator=oracle)
    content = replace(
        content,
        labelled=wanted.labelled,
        label_share=share,
        images=wanted.synthetic if "images" in settings.sources else (),
        steps=steps,
        batch_size=wanted.batch_size,
        seed=seed,
        precision="fp32",
        validate_every=max(1, steps // 4),
        method=settings,
    )
    folder = _folder(wanted, name, share=share, seed=seed)
    return Run(folder=folder, content=content, moments=6 if name == GAN else 2)


def _folder(wanted: Wanted, name: str, *, share: float, seed: int) -> Path:
    return wanted.out / name / f"share-{100 * share:g}-seed-{seed}"


def _settings(content: TrainContent) -> MgmSettings:
    if not isinstance(content.method, MgmSettings):
        raise TypeError(f"{content.recipe} is no recipe of this method")
    return content.method
