"""Which pictures of a VOC layout a detector learns from and which it is judged on."""

from dataclasses import dataclass

from scenelift.benchmarks.card import DataFingerprint
from scenelift.benchmarks.detection.pictures import Pictures, choose
from scenelift.benchmarks.splits import assign_roles, hold_out
from scenelift.benchmarks.task import BenchError, Job
from scenelift.datasets.voc import VocError, VocImages, fingerprint, open_voc, splits


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Both, and what they come from."""

    learn: Pictures
    judge: Pictures
    year: int | None
    data: DataFingerprint
    layout_sha256: str
    """Fingerprint of all splits of the layout, whatever part they play: what proposals are kept by."""


def open_parts(
    job: Job, *, year: int | None, learn_limit: int | None, judge_limit: int | None
) -> Parts:
    """Choose the pictures.

    Args:
        job: Whose data; `final` judges the locked test split after learning from all the rest.
        year: Of the layout, where there are several.
        learn_limit: At most so many, drawn by the job's seed.
        judge_limit: Likewise.

    Raises:
        BenchError: if the data cannot be used.
        OSError: if they cannot be read.
    """
    try:
        there = splits(job.data, year=year)
        roles = assign_roles(set(there) - {"trainval"})
        known = {name: open_voc(job.data, split=name, year=year) for name in there}
    except VocError as error:
        raise BenchError(str(error)) from error
    train, test = known[roles.train], known[roles.test]
    learn_names: list[str] | None = None
    judge_names: list[str] | None = None
    if job.final:
        learnt = [train] if roles.selection is None else [train, known[roles.selection]]
        judged = test
    elif roles.selection is not None:
        learnt, judged = [train], known[roles.selection]
    else:
        learnt, judged = [train], train
        learn_names, judge_names = hold_out(sorted(train.names), seed=job.seed)
    learn = choose(learnt, names=learn_names, limit=learn_limit, seed=job.seed)
    judge = choose([judged], names=judge_names, limit=judge_limit, seed=job.seed)
    _refuse_shared(learn, judge, source=str(job.data))
    return Parts(
        learn=learn,
        judge=judge,
        year=train.year,
        data=DataFingerprint(
            name=f"VOC{train.year or ''}",
            splits={"train": len(learn), "test" if job.final else "selection": len(judge)},
            sha256=fingerprint([*learnt, judged]),
            note=roles.note,
        ),
        layout_sha256=_layout(known),
    )


def _layout(known: dict[str, VocImages]) -> str:
    return fingerprint(known.values())


def _refuse_shared(learn: Pictures, judge: Pictures, *, source: str) -> None:
    shared = sorted(set(learn.names) & set(judge.names))
    if shared:
        raise BenchError(
            f"{source}: {len(shared)} pictures are both learnt from and judged, {shared[0]} first; mend the lists in ImageSets/Main"
        )
