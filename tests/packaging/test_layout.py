"""The layout that keeps Hugging Face's `datasets` theirs and ours importable, and who may import whom."""

import ast
import importlib.util
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ("render", "adapt", "datasets", "benchmarks")


def sources(part: str) -> list[Path]:
    return sorted((ROOT / part).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Absolute names of all modules that a file imports, wherever in it."""
    names: set[str] = set()
    for item in ast.walk(ast.parse(path.read_text())):
        if isinstance(item, ast.Import):
            names |= {alias.name for alias in item.names}
        elif isinstance(item, ast.ImportFrom):
            assert item.level == 0, f"{path}: relative import"
            names |= {f"{item.module}.{alias.name}" for alias in item.names} | {str(item.module)}
    return names


def imports_any(path: Path, *packages: str) -> set[str]:
    return {
        name
        for name in imported(path)
        if any(name == package or name.startswith(f"{package}.") for package in packages)
    }


def test_the_parts_are_links_and_datasets_has_no_init() -> None:
    for part in PARTS:
        link = ROOT / "src" / "scenelift" / part
        assert link.is_symlink()
        assert link.resolve() == ROOT / part
    assert not (ROOT / "datasets" / "__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))


@pytest.mark.parametrize(
    ("part", "forbidden"),
    [
        ("datasets", ("scenelift.render", "scenelift.adapt", "scenelift.benchmarks")),
        ("render", ("scenelift.adapt", "scenelift.benchmarks", "torch")),
        ("adapt", ("scenelift.render", "scenelift.benchmarks")),
    ],
)
def test_imports_go_one_way(part: str, forbidden: tuple[str, ...]) -> None:
    for path in sources(part):
        assert not imports_any(path, *forbidden), path


def test_the_benchmarks_leave_the_renderer_alone_but_for_speed_and_reliability() -> None:
    for path in sources("benchmarks"):
        if path.relative_to(ROOT / "benchmarks").parts[0] not in ("speed", "reliability"):
            assert not imports_any(path, "scenelift.render"), path


def test_only_the_store_knows_hdf5_and_no_store_knows_torch() -> None:
    for part in PARTS:
        for path in sources(part):
            is_store = part == "datasets" and path.stem.startswith("store")
            is_foreign = path.name == "nyud_mat.py"  # the official release is MATLAB's HDF5
            if not (is_store or is_foreign) and "speed" not in path.parts:
                assert not imports_any(path, "h5py", "hdf5plugin"), path
            if is_store:
                assert not imports_any(path, "torch"), path


def test_only_commands_know_tyro() -> None:
    for part in PARTS:
        for path in sources(part):
            if path.name != "cli.py" and not {"speed", "experiments"} & set(path.parts):
                assert not imports_any(path, "tyro"), path


def run(code: str, *, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_costs_nothing() -> None:
    out = run(
        "import sys, scenelift; print(sorted({'torch', 'numpy', 'numba', 'h5py'} & set(sys.modules)))",
        cwd=ROOT,
    )
    assert out == "[]"


def test_rendering_and_the_store_work_where_torch_is_missing(tmp_path: Path) -> None:
    code = "import sys; sys.modules['torch'] = None; import scenelift.render.cli, scenelift.datasets.store; print('ok')"
    assert run(code, cwd=tmp_path) == "ok"


def test_datasets_stays_free_for_hugging_face_at_the_root(tmp_path: Path) -> None:
    stub = tmp_path / "site" / "datasets"
    stub.mkdir(parents=True)
    (stub / "__init__.py").write_text("owner = 'hugging face'\n")
    code = (
        f"import sys; sys.path.append({str(tmp_path / 'site')!r}); import datasets; print(datasets.owner); "
        "import scenelift.datasets.nyu40 as ours; print(ours.NYU40_NAMES[1])"
    )
    assert run(code, cwd=ROOT) == "hugging face\nwall"


def test_the_wheel_holds_every_module(tmp_path: Path) -> None:
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("setuptools is not installed")
    tree = tmp_path / "tree"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    tree.mkdir()
    for name in listed.stdout.split("\n"):
        source, target = ROOT / name, tree / name
        if not name or not (source.exists() or source.is_symlink()):
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_symlink():
            target.symlink_to(source.readlink())
        else:
            target.write_bytes(source.read_bytes())
    run(
        f"from setuptools import build_meta; build_meta.build_wheel({str(tmp_path)!r})",
        cwd=tree,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = set(archive.namelist())
    expected = {
        f"scenelift/{path.relative_to(ROOT)}" for part in PARTS for path in sources(part)
    } | {"scenelift/__init__.py", "scenelift/py.typed"}
    assert expected <= packed
    assert not {name for name in packed if name.startswith("datasets")}


def test_the_shape_gate_bites() -> None:
    import numpy as np
    from jaxtyping import TypeCheckError

    from scenelift.render.camera import Camera

    with pytest.raises(TypeCheckError):
        Camera(width=4, height=4, focal_px=4.0, T_world_camera=np.eye(3))
