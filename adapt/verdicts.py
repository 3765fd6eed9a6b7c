"""Verdicts on a run in plain words: what its numbers say, and what to do.

Pure functions of what was logged; a verdict is made from the run's later half unless it says otherwise, since ramps and warm-up
fill the first.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from scenelift.adapt.health import ADistance
from scenelift.adapt.log import Columns, Metrics, Series

State = Literal["good", "watch", "bad", "unknown"]
_LEAST_POINTS = 5
JUDGED, BASELINES = ("accuracy", "error", "quality"), ("chance", "baseline")
"""First parts of the names of a figure on held-out pictures, and of what it is held against: `accuracy/x` and `chance/x`."""
_TASK_LOSSES_APART = ("loss/align", "loss/critic", "loss/task")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """One thing that was looked at."""

    subject: str
    """What was looked at."""
    state: State
    """`unknown` if the run tells nothing of it."""
    finding: str
    """What was found, in a sentence."""
    advice: str = ""
    """What to do; empty if nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerDistance:
    """The A-distance at one layer before and after training."""

    layer: str
    """Name of the layer."""
    before: ADistance | None
    """Of the untrained backbone."""
    after: ADistance | None
    """Of the trained one."""
    aligned: bool = False
    """Whether alignment works here."""


def judge_run(metrics: Metrics, *, layers: Sequence[LayerDistance] = ()) -> tuple[Verdict, ...]:
    """Judge a run by everything that is known of it, in the order in which to read it.

    >>> judge_run(Metrics())[0].state
    'unknown'
    """
    train = metrics.train
    aligned = any(name.startswith(("critic/", "align/")) or name == "loss/align" for name in train)
    verdicts = [judge_finite(train, val=metrics.val), *judge_losses(train, val=metrics.val)]
    if aligned:
        verdicts += [judge_discriminator(train), judge_gradient_ratio(train)]
    verdicts += judge_baselines(metrics.val)
    if aligned or any(name.startswith("gradient/cosine_") for name in train):
        verdicts.append(judge_conflicts(train))
    if aligned or layers:
        verdicts += judge_distances(layers)
    if "rate/wait_share" in train:
        verdicts.append(judge_waiting(train))
    return tuple(verdicts)


def judge_finite(train: Columns, *, val: Columns) -> Verdict:
    """Say whether numbers were finite."""
    subject = "Finite numbers"
    series = {**{f"validation {n}": s for n, s in val.items()}, **train}
    if not series:
        return Verdict(subject=subject, state="unknown", finding="Nothing has been logged yet.")
    broken = {name: int(np.isnan(s.value).sum()) for name, s in series.items()}
    broken = {name: count for name, count in broken.items() if count}
    if not broken:
        return Verdict(subject=subject, state="good", finding="Every logged number is finite.")
    first = min(int(series[name].step[np.isnan(series[name].value)][0]) for name in broken)
    worst = sorted(broken, key=lambda name: -broken[name])[:3]
    last_too = any(np.isnan(series[name].value[-1]) for name in broken if "loss/" in name)
    return Verdict(
        subject=subject,
        state="bad" if last_too else "watch",
        finding=f"{sum(broken.values())} logged numbers are not finite, the first at step {first:,} "
        f"(most: {', '.join(worst)})." + (" The run ended so." if last_too else " It recovered."),
        advice="Resume from a checkpoint before that step with a lower learning rate, clip gradients, or train in "
        "float32; look for bad labels in the batch.",
    )


def judge_losses(train: Columns, *, val: Columns) -> list[Verdict]:
    """Say of each task whether its loss fell, in training and on held-out data."""
    tasks = [n for n in train if n.startswith("loss/") and n not in _TASK_LOSSES_APART]
    tasks = tasks or [n for n in train if n == "loss/task"]
    if not tasks:
        return [
            Verdict(subject="Task losses", state="unknown", finding="No task loss has been logged.")
        ]
    return [judge_loss(train[n], held_out=val.get(n), task=n.removeprefix("loss/")) for n in tasks]


def judge_loss(series: Series, *, held_out: Series | None, task: str) -> Verdict:
    """Say whether one task's loss fell."""
    subject = f"Loss: {task}"
    value = _finite(series)
    if len(value) < _LEAST_POINTS:
        return Verdict(subject=subject, state="unknown", finding="Too few points to tell.")
    start, end, spread = _ends(value)
    fell = start - end
    if fell <= 2 * spread:
        rose = -fell > 2 * spread
        return Verdict(
            subject=subject,
            state="bad" if rose else "watch",
            finding=f"{'Rose' if rose else 'Did not clearly fall'}: from {start:.3g} to {end:.3g}.",
            advice="Train longer, raise this task's weight or try another learning rate; check its labels in the "
            "pictures.",
        )
    finding = f"Fell from {start:.3g} to {end:.3g}"
    held = _finite(held_out) if held_out is not None else np.zeros(0)
    if len(held) < _LEAST_POINTS:
        return Verdict(subject=subject, state="good", finding=finding + ".")
    best, last = float(held.min()), float(np.median(held[-3:]))
    if last > best + max(0.1 * abs(best), 2 * _scatter(held)):
        return Verdict(
            subject=subject,
            state="watch",
            finding=f"{finding}, but on held-out views it turned at {best:.3g} and rose to {last:.3g}.",
            advice="Overfitting: use the checkpoint from the turn, more frames or stronger augmentation.",
        )
    return Verdict(subject=subject, state="good", finding=f"{finding}; held-out {last:.3g}.")


def held_against(name: str, known: Container[str]) -> str | None:
    """Name the figure of who knows nothing that a figure is held against: chance for an accuracy, else a baseline.

    >>> held_against("error/colour", ["chance/colour", "baseline/colour"])
    'baseline/colour'
    """
    kind, _, subject = name.partition("/")
    if kind not in JUDGED:
        return None
    order = BASELINES if kind == "accuracy" else tuple(reversed(BASELINES))
    return next((f"{other}/{subject}" for other in order if f"{other}/{subject}" in known), None)


def judge_baselines(val: Columns) -> list[Verdict]:
    """Say of each figure on held-out pictures how it stands to that of who knows nothing."""
    verdicts = []
    for name, series in val.items():
        kind, _, subject = name.partition("/")
        against = held_against(name, val)
        if against is None:
            continue
        found, baseline = float(series.value[-1]), float(val[against].value[-1])
        better = found < baseline if kind == "error" else found > baseline
        clear = abs(found - baseline) > 0.02 * abs(baseline)
        verdicts.append(
            Verdict(
                subject=f"Held-out {kind}: {subject.replace('_', ' ')}",
                state="good" if better and clear else "watch",
                finding=f"{found:.3g}, {against.split('/')[0]} {baseline:.3g}.",
                advice=""
                if better and clear
                else "Nothing is learnt yet that holds on other pictures: train longer.",
            )
        )
    return verdicts


def judge_discriminator(train: Columns) -> Verdict:
    """Say whether the discriminator is near chance, winning, collapsed or dead."""
    subject = "Discriminator"
    names = ("critic/accuracy_synthetic", "critic/accuracy_real")
    if any(n not in train or len(_finite(train[n])) < _LEAST_POINTS for n in names):
        return Verdict(
            subject=subject, state="unknown", finding="Its accuracy was not logged often enough."
        )
    synthetic, real = (_finite(train[name]) for name in names)
    count = min(len(synthetic), len(real))
    whole = (synthetic[-count:] + real[-count:]) / 2
    late = whole[count // 2 :]
    late_synthetic, late_real = (float(np.median(a[len(a) // 2 :])) for a in (synthetic, real))
    accuracies = f"{late_synthetic:.0%} of synthetic and {late_real:.0%} of real patches told right"
    if max(late_synthetic, late_real) > 0.9 and min(late_synthetic, late_real) < 0.1:
        favourite = "synthetic" if late_synthetic > late_real else "real"
        return Verdict(
            subject=subject,
            state="bad",
            finding=f"Collapsed: it calls everything {favourite} ({accuracies}).",
            advice="Lower its learning rate, feed both domains in equal numbers, and leave batch normalisation out of it.",
        )
    if float((late > 0.95).mean()) > 0.5:
        return Verdict(
            subject=subject,
            state="bad",
            finding=f"Winning: above 95 % for most of the later half ({accuracies}), so its gradient says little.",
            advice="Look at the shortcut audit first. Then lower its learning rate, use spectral normalisation, or pause it "
            "while it is above 95 %.",
        )
    if float(np.abs(whole - 0.5).max()) < 0.02:
        return Verdict(
            subject=subject,
            state="bad",
            finding=f"Never left chance in the whole run ({accuracies}): it has not learned, so near chance is no success.",
            advice="Check that it is trained at all: learning rate, labels, and that it sees both domains.",
        )
    level = float(np.median(late))
    if level <= 0.7:
        return Verdict(
            subject=subject,
            state="good",
            finding=f"Near chance after having been at {float(whole.max()):.0%}: {accuracies}. Whether the features agree "
            "is for the A-distance to say.",
        )
    return Verdict(
        subject=subject,
        state="watch",
        finding=f"Ahead, not winning: {accuracies}.",
        advice="Normal early on. If it lasts, raise the alignment weight a little or slow the discriminator.",
    )


def judge_gradient_ratio(train: Columns) -> Verdict:
    """Say whether alignment pulls at the features with a sensible strength, against the tasks."""
    subject = "Gradient ratio"
    value = _late(train, "gradient/ratio")
    if len(value) < _LEAST_POINTS:
        return Verdict(subject=subject, state="unknown", finding="It was not logged often enough.")
    ratio = float(np.median(value))
    told = f"alignment pulls {_times(ratio)} as hard as the tasks"
    if ratio < 1e-6:
        return Verdict(
            subject=subject,
            state="bad",
            finding="Alignment sends no gradient to the features.",
            advice="Its weight is 0, or the features are detached before the discriminator.",
        )
    if ratio < 0.01:
        return Verdict(
            subject=subject,
            state="watch",
            finding=f"Weak: {told}.",
            advice="Raise the alignment weight; a ratio of about 0.1 is usual.",
        )
    if ratio > 1:
        return Verdict(
            subject=subject,
            state="bad",
            finding=f"Too strong: {told}.",
            advice="Lower the alignment weight; a ratio of about 0.1 is usual.",
        )
    return Verdict(subject=subject, state="good", finding=f"In range: {told}.")


def judge_conflicts(train: Columns) -> Verdict:
    """Say whether gradients of the tasks, or of tasks and alignment, point against each other."""
    subject = "Task conflicts"
    prefix = "gradient/cosine_"
    cosines = {
        name.removeprefix(prefix).replace("_", " and "): float(np.median(value))
        for name in train
        if name.startswith(prefix) and len(value := _late(train, name)) >= _LEAST_POINTS
    }
    if not cosines:
        return Verdict(
            subject=subject, state="unknown", finding="Gradient cosines were not logged."
        )
    pair, worst = min(cosines.items(), key=lambda item: item[1])
    if worst >= -0.1:
        return Verdict(
            subject=subject,
            state="good",
            finding=f"None: the least cosine between two gradients is {worst:+.2f} ({pair}).",
        )
    against = ", ".join(f"{p} ({c:+.2f})" for p, c in sorted(cosines.items()) if c < -0.1)
    return Verdict(
        subject=subject,
        state="bad" if worst < -0.5 else "watch",
        finding=f"Gradients pull against each other: {against}.",
        advice="Try a balancing method that resolves conflicts, or lower the weight of one of the two.",
    )


def judge_distances(layers: Sequence[LayerDistance]) -> list[Verdict]:
    """Say what training did to the A-distance: at the aligned layers, or at the deepest if none is."""
    measured = [
        (entry, entry.before, entry.after)
        for entry in layers
        if entry.before is not None and entry.after is not None and entry.after.num_each > 0
    ]
    chosen = [triple for triple in measured if triple[0].aligned] or measured[-1:]
    if not chosen:
        return [
            Verdict(
                subject="A-distance",
                state="unknown",
                finding="Not measured before and after training.",
            )
        ]
    return [_judge_distance(entry, before=before, after=after) for entry, before, after in chosen]


def _judge_distance(entry: LayerDistance, *, before: ADistance, after: ADistance) -> Verdict:
    subject = f"A-distance at {entry.layer}"
    told = f"{before.value:.2f} before and {after.value:.2f} after training (0 alike, 2 apart)"
    if after.high < before.low:
        return Verdict(subject=subject, state="good", finding=f"The domains came closer: {told}.")
    apart = after.low > before.high
    if not entry.aligned:
        return Verdict(
            subject=subject,
            state="watch" if apart else "good",
            finding=f"{'The domains drew apart' if apart else 'Unchanged'} without alignment here: {told}.",
        )
    return Verdict(
        subject=subject,
        state="bad" if apart else "watch",
        finding=f"{'The domains drew apart' if apart else 'No clear change'}: {told}.",
        advice="Alignment does not work at this layer: look at the discriminator, the gradient ratio and the shortcut audit.",
    )


def judge_waiting(train: Columns) -> Verdict:
    """Say whether the device waited for data."""
    value = _late(train, "rate/wait_share")
    if not len(value):
        return Verdict(subject="Data", state="unknown", finding="Not logged.")
    share = float(np.median(value))
    if share > 0.2:
        return Verdict(
            subject="Data",
            state="watch",
            finding=f"Training waited {share:.0%} of the time for data.",
            advice="Use more loader workers, or store the frames at the training size.",
        )
    return Verdict(subject="Data", state="good", finding=f"Waiting took {share:.0%} of the time.")


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times"


def _finite(series: Series) -> Float64[np.ndarray, " n"]:
    return np.asarray(series.value[np.isfinite(series.value)])


def _late(columns: Mapping[str, Series], name: str) -> Float64[np.ndarray, " n"]:
    """Return the finite values of the run's later half."""
    if name not in columns or not len(columns[name].step):
        return np.zeros(0)
    series = columns[name]
    late = series.step >= (series.step[0] + series.step[-1]) / 2
    return np.asarray(series.value[late & np.isfinite(series.value)])


def _ends(value: Float64[np.ndarray, " n"]) -> tuple[float, float, float]:
    """Return the typical value of the first and last tenth, and how far such a value scatters by chance."""
    tenth = max(len(value) // 10, 2)
    scatter = _scatter(value) * float(np.sqrt(2 / tenth))
    return float(np.median(value[:tenth])), float(np.median(value[-tenth:])), scatter


def _scatter(value: Float64[np.ndarray, " n"]) -> float:
    """Return the deviation from point to point, blind to a trend."""
    return float(np.median(np.abs(np.diff(value)))) if len(value) > 1 else 0.0
