"""Which pictures of a VOC layout a detector learns from and which it is judged on."""

from dataclasses import dataclass

from scenelift.benchmarks.card import DataFingerprint
from scenelift.benchmarks.detection.pictures import Pictures, choose
from scenelift.benchmarks.task import BenchError, Job
from scenelift.benchmarks.voc_parts import find_parts
from scenelift.datasets.voc import VocError, fingerprint, open_voc, splits


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
    found = find_parts(job, year=year)
    try:
        whole = [open_voc(job.data, split=name, year=year) for name in splits(job.data, year=year)]
    except VocError as error:
        raise BenchError(str(error)) from error
    learn = choose(found.learn, limit=learn_limit, seed=job.seed)
    judge = choose(found.judge, limit=judge_limit, seed=job.seed)
    known_year = found.opened[0].year
    return Parts(
        learn=learn,
        judge=judge,
        year=known_year,
        data=DataFingerprint(
            name=f"VOC{known_year or ''}",
            splits={"train": len(learn), "test" if job.final else "selection": len(judge)},
            sha256=fingerprint(found.opened),
            note=found.note,
        ),
        layout_sha256=fingerprint(whole),
    )
