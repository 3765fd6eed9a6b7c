"""What a rendering run is asked for.

Two parts: `Content` decides every byte of the file and is stored in it; `Execution` says where and how fast, and is not.
"""

from dataclasses import dataclass, field
from pathlib import Path

from scenelift.render.engines import EngineName
from scenelift.render.formats import FormatName
from scenelift.render.formats.write import WriteFormat
from scenelift.render.photograph import PhotoSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What is in the file."""

    scenes: tuple[Path, ...] = ()
    """Scene files or folders of them, of any format; none = rooms are made."""
    format: FormatName | None = None
    """Format of all of them; by default told by their content."""
    furniture: tuple[Path, ...] = ()
    """Sweet Home 3D libraries (.sh3f), or folders of them, that furnish rooms and empty layouts."""
    frames: int = 100
    """Frames in all."""
    views_per_scene: int = 16
    """Views that a scene gives at most in one go (a made room in all): fewer show more rooms, and take longer to make."""
    seed: int = 0
    """The same seed, settings and scenes give the same bytes."""
    engine: EngineName = "embree"
    """What casts the rays; the others are for comparison and need the extra `engines`."""
    val_share: float = 0.1
    """Share of the scenes in the validation split."""
    test_share: float = 0.1
    """Share of the scenes in the test split."""
    photo: PhotoSettings = field(default_factory=PhotoSettings)

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise ValueError(f"frames must be at least 1, got {self.frames}")
        if not 1 <= self.views_per_scene <= 4096:
            raise ValueError(f"views_per_scene must be from 1 to 4096, got {self.views_per_scene}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"seed must lie between 0 and 2^63 - 1, got {self.seed}")
        shares = (self.val_share, self.test_share)
        if min(shares) < 0 or sum(shares) > 1:
            raise ValueError(f"val_share and test_share must be shares of 1, got {shares}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Execution:
    """How the work is done; changes no byte of the file."""

    out: Path
    """The file to write; its shards lie in OUT.parts until it is done."""
    workers: int | None = None
    """Processes, one thread each; by default one for each processor."""
    resume: bool = False
    """Go on with the shards that an interrupted run left."""
    overwrite: bool = False
    """Replace an existing file and the shards of another run."""
    skip_bad_scenes: bool = False
    """End with success even if some scenes could not be used."""
    merge: bool = True
    """Join the shards into one file; otherwise they stay in OUT.parts, which the readers take as they are."""
    write_scenes: Path | None = None
    """Folder in which to write the scenes themselves as well."""
    scene_format: WriteFormat = "glb"
    """Format of the scenes written."""

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers must be at least 1, got {self.workers}")
        if self.resume and self.overwrite:
            raise ValueError("resume and overwrite exclude each other")


@dataclass(frozen=True, kw_only=True, slots=True)
class RenderConfig:
    """A rendering run."""

    content: Content = field(default_factory=Content)
    execution: Execution
