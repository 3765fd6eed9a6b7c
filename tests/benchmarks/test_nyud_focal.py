"""The size at which a run sees NYU Depth v2: its focal length there is that of the rendered views."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from store_files import noise_shards

from scenelift.adapt.config import RunError
from scenelift.benchmarks.nyud_focal import choose_view
from scenelift.datasets.nyud_normals import Pinhole
from scenelift.datasets.store import Reader, StoreError

PINHOLE = Pinhole(fx_px=260.0, fy_px=260.0, cx_px=160.0, cy_px=120.0)


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    (tmp_path / "views.h5.parts").mkdir()
    return noise_shards(tmp_path / "views.h5.parts", counts=(3,))[0]


def run_of(folder: Path, *, synthetic: object, resize_px: object = 128) -> Path:
    folder.mkdir(exist_ok=True)
    content = {"geometry": {"resize_px": resize_px}, "synthetic": synthetic}
    (folder / "config.json").write_text(json.dumps({"content": content}))
    return folder


def test_a_thing_covers_as_many_pixels_as_in_training(tmp_path: Path, shard: Path) -> None:
    reader = Reader(shard)
    focal = float(np.median(reader.cameras()[0][:, 0, 0]))
    side = min(reader.header.width, reader.header.height)
    reader.close()
    view = choose_view(run_of(tmp_path / "run", synthetic=[str(shard)]), pinhole=PINHOLE)
    # A thing a metre wide, a metre away.
    in_training, here = focal * 128 / side, 260.0 * view.resize_px / 224
    assert math.isclose(in_training, here, rel_tol=0.5 / view.resize_px)
    assert "focal length" in view.reason


def test_files_may_be_gone_merged_or_named_anew(tmp_path: Path, shard: Path) -> None:
    known = choose_view(run_of(tmp_path / "run", synthetic=[str(shard)]), pinhole=PINHOLE)
    gone = run_of(tmp_path / "gone", synthetic=[str(tmp_path / "gone.h5.parts" / "shard-0.h5")])
    fallen = choose_view(gone, pinhole=PINHOLE)
    assert fallen.resize_px == 128
    assert "--synthetic" in fallen.reason
    assert choose_view(gone, pinhole=PINHOLE, synthetic=[shard]) == known
    (tmp_path / "gone.h5").write_bytes(shard.read_bytes())
    assert choose_view(gone, pinhole=PINHOLE) == known
    for odd in (None, 3, ["a\0b"], [7], str(tmp_path)):
        assert choose_view(run_of(gone, synthetic=odd), pinhole=PINHOLE) == fallen


def test_a_named_file_must_be_sound_and_the_size_a_size(tmp_path: Path, shard: Path) -> None:
    run = run_of(tmp_path / "run", synthetic=[str(shard)])
    with pytest.raises(StoreError):
        choose_view(run, pinhole=PINHOLE, synthetic=[run / "config.json"])
    shard.write_bytes(b"no file")
    assert "--synthetic" in choose_view(run, pinhole=PINHOLE).reason
    for size in (1, "128", None, 10**9):
        with pytest.raises(RunError, match="resize_px"):
            choose_view(run_of(run, synthetic=[], resize_px=size), pinhole=PINHOLE)
