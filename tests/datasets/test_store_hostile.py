"""Files that are damaged, foreign or hostile: one line, no traceback, nothing unpacked without bound."""

import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from store_files import make_header, make_record, noise_row, noise_shards, raw_file

from scenelift.datasets.store import Reader, StoreError, merge_shards, verify, write_shard
from scenelift.datasets.store_chunk import zstd_content_bytes
from scenelift.datasets.store_merge import _writing

THOROUGH = os.environ.get("SCENELIFT_THOROUGH") == "1"


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return noise_shards(tmp_path, counts=[2])[0]


def read_everything(path: Path) -> None:
    reader = Reader(path)
    try:
        for index in range(len(reader)):
            reader.read(index)
        for column in reader.columns:
            reader.views(column)
        reader.cameras()
        for index in range(reader.num_scenes):
            reader.scene(index)
    finally:
        reader.close()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not an HDF5 file"),
        (b"hello", "not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n", "cut off"),
        (b"\x89HDF\r\n\x1a\n" + bytes(2000), "cut off"),
    ],
)
def test_what_is_no_such_file(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.h5"
    path.write_bytes(content)
    for use in (Reader, verify):
        with pytest.raises(StoreError, match=message) as caught:
            use(path)
        assert "\n" not in str(caught.value)
        assert str(path) in str(caught.value)


def test_missing_files_and_folders(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist"):
        Reader(tmp_path / "none.h5")
    with pytest.raises(StoreError, match="folder"):
        Reader(tmp_path)
    with pytest.raises(StoreError, match="no file"):
        Reader([])
    with pytest.raises(StoreError, match="nothing to merge"):
        merge_shards([], tmp_path / "a.h5")


def test_another_hdf5_file(tmp_path: Path) -> None:
    with raw_file(tmp_path / "a.h5", "w") as file:
        file["colors"] = np.zeros((2, 2))
    with pytest.raises(StoreError, match="not one that render-scenes wrote"):
        Reader(tmp_path / "a.h5")


def _newer(file: Any) -> None:
    file.attrs["schema_version"] = 99


def _no_depth(file: Any) -> None:
    del file["depth"]


def _depth_group(file: Any) -> None:
    del file["depth"]
    file.create_group("depth")


def _wrong_dtype(file: Any) -> None:
    del file["edge"]
    file.create_dataset("edge", shape=(2, 6, 8), dtype="f8", chunks=(1, 6, 8))


def _large_chunks(file: Any) -> None:
    del file["edge"]
    file.create_dataset(
        "edge", shape=(2, 6, 8), dtype="u1", chunks=(2, 6, 8), maxshape=(None, 6, 8)
    )


def _huge_image(file: Any) -> None:
    file.attrs["width"] = 10**9


def _huge_count(file: Any) -> None:
    file.attrs["frames"] = 10**12
    for name in ("image", "depth", "normal", "edge", "instance", "semantic"):
        file[name].resize(10**12, axis=0)


def _negative_count(file: Any) -> None:
    file.attrs["instances"] = -1


def _no_json(file: Any) -> None:
    file.attrs["content"] = "{"


def _deep_json(file: Any) -> None:
    file.attrs["content"] = "[" * 100_000


def _list_json(file: Any) -> None:
    file.attrs["versions"] = "[]"


def _text_seed(file: Any) -> None:
    file.attrs["seed"] = "many"


def _vector_width(file: Any) -> None:
    file.attrs["width"] = np.arange(5)


def _no_header(file: Any) -> None:
    del file.attrs["content_hash"]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_newer, "install a newer scenelift"),
        (_no_depth, "depth is missing"),
        (_depth_group, "depth is missing"),
        (_wrong_dtype, "edge is float64"),
        (_large_chunks, "chunks of one frame"),
        (_huge_image, "pixels a side"),
        (_huge_count, "promises"),
        (_negative_count, "promises"),
        (_no_json, "not JSON"),
        (_deep_json, "not JSON"),
        (_list_json, "JSON object"),
        (_text_seed, "whole number"),
        (_vector_width, "whole number"),
        (_no_header, "content_hash"),
    ],
)
def test_spoilt_roots_are_refused(sound: Path, spoil: Callable[[Any], None], message: str) -> None:
    with raw_file(sound, "r+") as file:
        spoil(file)
    with pytest.raises(StoreError, match=message) as caught:
        Reader(sound)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(sound: Path) -> None:
    """A chunk that declares a gigabyte is refused before any of it is made."""
    frame = b"\x28\xb5\x2f\xfd\xa0" + (10**9).to_bytes(4, "little") + b"\x01\x00\x00"
    assert zstd_content_bytes(frame) == 10**9
    with raw_file(sound, "r+") as file:
        file["image"].id.write_direct_chunk((1, 0, 0, 0), frame)
    reader = Reader(sound)
    reader.read(0)
    with pytest.raises(StoreError, match=r"view 1: image unpacks to 1000000000 bytes"):
        reader.read(1)


def test_a_chunk_of_noise_is_damage(sound: Path) -> None:
    with raw_file(sound, "r+") as file:
        _, chunk = file["depth"].id.read_direct_chunk((0, 0, 0))
        file["depth"].id.write_direct_chunk((0, 0, 0), chunk[:9] + bytes(len(chunk) - 9))
    with pytest.raises(StoreError, match="view 0: depth is missing or damaged"):
        Reader(sound).read(0)


def test_gzip_is_refused_because_it_does_not_say_what_it_unpacks_to(sound: Path) -> None:
    with raw_file(sound, "r+") as file:
        data = file["edge"][...]
        del file["edge"]
        file.create_dataset(
            "edge", data=data, chunks=(1, 6, 8), maxshape=(None, 6, 8), compression=4
        )
    with pytest.raises(StoreError, match="filters"):
        Reader(sound).read(0)


def test_a_missing_frame_is_found(tmp_path: Path) -> None:
    path = noise_shards(tmp_path, counts=[1])[0]
    with raw_file(path, "r+") as file:
        file.attrs["frames"] = 2
        for name in ("image", "depth", "normal", "edge", "instance", "semantic"):
            file[name].resize(2, axis=0)
    reader = Reader(path)
    reader.read(0)
    with pytest.raises(StoreError, match="view 1"):
        reader.read(1)
    faults = verify(path)
    assert "image has 1 stored frames of 2" in faults
    with pytest.raises(StoreError):
        merge_shards([path], tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()


def _column(name: str, values: Any) -> Callable[[Any], None]:
    def spoil(file: Any) -> None:
        del file[name]
        file[name] = values

    return spoil


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_column("view/scene", np.array([0, 7])), "view 1 names scene 7"),
        (_column("view/split", np.array([0, 1], np.uint8)), "view 1 is in another split"),
        (_column("view/scene", np.array([0])), "expected 2 rows"),
        (_column("view/scene", np.zeros((2, 3))), "a row"),
        (_column("view/edge_pixels", np.array([b"a", b"b"])), "expected numbers"),
        (_column("scenes/instance_count", np.array([9])), "divide the table"),
        (_column("instances/semantic", np.array([1, 2, 200], np.uint8)), "class 200"),
        (_column("camera/K", np.zeros((2, 3, 4))), "a row"),
        (_column("scenes/rooms", ["{}"]), "rooms is not a JSON list"),
        (_column("scenes/warnings", ["["]), "warnings is not a JSON list"),
    ],
)
def test_verify_finds_each_fault(sound: Path, spoil: Callable[[Any], None], message: str) -> None:
    assert verify(sound) == ()
    with raw_file(sound, "r+") as file:
        spoil(file)
    assert any(message in fault for fault in verify(sound)), verify(sound)


def test_verify_finds_missing_columns_and_changed_attributes(sound: Path) -> None:
    with raw_file(sound, "r+") as file:
        del file["view/valid_pixels"]
        del file["scenes/source"]
        file["depth"].attrs["unit"] = "mm"
    faults = "\n".join(verify(sound))
    for part in ("view/valid_pixels is missing", "scenes/source", "unit = 'mm'"):
        assert part in faults


def test_tables_that_point_astray_are_refused_on_reading(sound: Path) -> None:
    with raw_file(sound, "r+") as file:
        file["scenes/instance_start"][0] = 10**9
    with pytest.raises(StoreError, match="names instances"):
        Reader(sound).scene(0)


def test_a_packed_or_never_written_column_is_refused(sound: Path) -> None:
    with raw_file(sound, "r+") as file:
        file.create_dataset("view/zip", data=np.zeros(2), compression="gzip")
        file.create_dataset("view/wide", shape=(2, 10**9), dtype="f8")
    reader = Reader(sound)
    with pytest.raises(StoreError, match="filters"):
        reader.views("zip")
    with pytest.raises(StoreError, match="expected numbers"):
        reader.views("wide")


def test_cut_files_never_trace_back(sound: Path) -> None:
    whole = sound.read_bytes()
    rng = np.random.default_rng(0)
    for length in rng.integers(0, len(whole), 400 if THOROUGH else 40):
        sound.write_bytes(whole[:length])
        with pytest.raises(StoreError):
            read_everything(sound)


def test_flipped_bytes_never_trace_back_or_hang(sound: Path) -> None:
    """In a process of its own: HDF5 itself may be hurt by a damaged file."""
    count = 1000 if THOROUGH else 60
    done = subprocess.run(
        [sys.executable, "-c", _FLIPPER, str(sound), str(count)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, done.stderr[-2000:]


_FLIPPER = """
import sys, warnings
from pathlib import Path
import numpy as np
sys.path.insert(0, "tests/datasets")
from scenelift.datasets.store import Reader, StoreError, verify
path, count = Path(sys.argv[1]), int(sys.argv[2])
whole = path.read_bytes()
rng = np.random.default_rng(1)
for _ in range(count):
    damaged = bytearray(whole)
    for place in rng.integers(0, len(whole), 8):
        damaged[place] = rng.integers(256)
    path.write_bytes(damaged)
    try:
        verify(path)
        reader = Reader(path)
        for index in range(len(reader)):
            reader.read(index)
        for column in reader.columns:
            reader.views(column)
        reader.cameras()
        reader.scene(0)
    except StoreError as error:
        assert chr(10) not in str(error)
"""


def _limited(size: int) -> Callable[[], None]:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limit


_WRITER = """
import sys
from pathlib import Path
import numpy as np
from store_files import make_header, make_record, noise_row
from scenelift.datasets.store import merge_shards, write_shard
folder = Path(sys.argv[1])
try:
    if sys.argv[2] == "write":
        header = make_header(width=64, height=64)
        rows = [noise_row(np.random.default_rng(0), width=64, height=64) for _ in range(4)]
        write_shard(folder / "out.h5", header=header, scene=make_record(), rows=rows)
    else:
        merge_shards(sorted(folder.glob("shard-*.h5")), folder / "out.h5")
except OSError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("what", ["write", "merge", "merge at the very end"])
def test_a_full_disk_leaves_no_half_file(tmp_path: Path, what: str) -> None:
    header = make_header(width=64, height=64)
    for number in range(3):
        rng = np.random.default_rng(number)
        write_shard(
            tmp_path / f"shard-{number}.h5",
            header=header,
            scene=make_record(name=f"scene-{number}"),
            rows=[noise_row(rng, width=64, height=64) for _ in range(4)],
        )
    room = 100_000
    if what == "merge at the very end":
        merge_shards(sorted(tmp_path.glob("shard-*.h5")), tmp_path / "out.h5")
        room = (tmp_path / "out.h5").stat().st_size - 100
        (tmp_path / "out.h5").unlink()
    before = sorted(path.name for path in tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, "-c", _WRITER, str(tmp_path), what],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        preexec_fn=_limited(room),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 7, done.stderr[-2000:]
    assert len(done.stdout.strip().splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_what_fails_only_at_closing_is_raised(tmp_path: Path) -> None:
    def write() -> None:
        with _writing(tmp_path / "a.h5") as (file, disk):
            file["a"] = np.zeros(1000)
            disk.error = OSError(28, "No space left on device")
            file["b"] = np.zeros(1000)

    with pytest.raises(OSError, match="No space"):
        write()


def test_too_little_room_is_said_before_merging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards = noise_shards(tmp_path, counts=[2])

    class Usage:
        free = 10

    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage)
    with pytest.raises(OSError, match="make room"):
        merge_shards(shards, tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()
