"""SUNCG houses: `house.json` with the rooms, objects and textures of its data root, or an architecture file alone.

    ROOT/house/<id>/house.json
    ROOT/room/<id>/fr_<L>rm_<R>{f,c,w}.obj    floor, ceiling and walls, in the house frame
    ROOT/wall/<id>/<id>.arch.json             or parametric walls, in the second release
    ROOT/object/<model>/<model>.obj           and <model>_0.obj for its first variant
    ROOT/texture/<name>.png|jpg
    ROOT/metadata/ModelCategoryMapping.csv, suncgModelLights.json, light_geometry_compact.txt

Node names are the ids of the file, "#2" added to the second of equal ids; a room's parts are "<id> floor" and so on.
"""

import re
from dataclasses import replace
from pathlib import Path

from scenelift.render.formats.files import DataRoot, MissingFileError, load_json, read_bytes
from scenelift.render.formats.suncg.arch import Arch, parse_arch
from scenelift.render.formats.suncg.build import Tables, build_arch, build_house
from scenelift.render.formats.suncg.classes import ModelClass, parse_classes
from scenelift.render.formats.suncg.house import House, parse_house
from scenelift.render.formats.suncg.identity import restore_identity
from scenelift.render.formats.suncg.lights import parse_glowing, parse_model_lights
from scenelift.render.formats.suncg.models import ModelLibrary
from scenelift.render.formats.textures import TextureCache
from scenelift.render.scene import Scene

MAX_METADATA_BYTES = 64 << 20
_VERSION = re.compile(rb'"version"\s*:\s*"(suncg|arch)@')


def recognises(head: bytes) -> bool:
    """Tell from the first bytes of a file whether it is a SUNCG house or an architecture.

    >>> recognises(b'{"version": "suncg@1.0.0", "id": "0"'), recognises(b'{"asset": {}}')
    (True, False)
    """
    if not head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return False
    if _VERSION.search(head):
        return True
    return b'"levels"' in head and (b'"nodes"' in head or b'"scaleToMeters"' in head)


def read_scene(path: Path, *, data_root: Path | None = None, seed: int = 0) -> Scene:
    """Read a house or an architecture.

    Args:
        path: Of `house.json` or an architecture file.
        data_root: Holds `object/`, `texture/` and so on; by default three levels above the file.
        seed: Not used: nothing in this format is left to chance.

    Raises:
        SceneError: if the house or a file it needs is damaged, a name leads out of the data root, or nothing is left
            to be seen. What can be done without is left out and counted in the scene's warnings.
    """
    del seed
    where = str(path)
    document = load_json(read_bytes(path), name=where)
    root = DataRoot(data_root or default_root(path))
    library = ModelLibrary(root=root, textures=TextureCache(), faults=[])
    if isinstance(document, dict) and "elements" in document and "levels" not in document:
        arch = parse_arch(document, library=library, where=where)
        scene = build_arch(arch, library=library, where=where)
        return scene if scene.name else replace(scene, name=path.stem)
    house = parse_house(document, where=where)
    found = _arch_file(house, folder=path.parent, root=root)
    scene = build_house(
        house,
        arch=None if found is None else _load_arch(found, library=library),
        library=library,
        tables=_tables(library),
        where=where,
    )
    scene = restore_identity(scene, document, where=where)
    return scene if scene.name else replace(scene, name=path.parent.name)


def default_root(path: Path) -> Path:
    """Return the data root of `ROOT/house/<id>/house.json`, also where a link leads to the file or its folder."""
    written = path.absolute()
    for place in (written, written.parent.resolve() / written.name, written.resolve()):
        root = place.parent.parent.parent
        if any((root / name).is_dir() for name in ("object", "room", "texture", "wall")):
            return root
    root = written.parent.parent.parent
    return root if root != Path(root.anchor) else written.parent


def _arch_file(house: House, *, folder: Path, root: DataRoot) -> Path | None:
    """Return the architecture of a house that has no room meshes."""
    if not house.id:
        return None
    try:
        root.resolve(root.root, f"room/{house.id}")
    except MissingFileError:
        pass
    else:
        return None
    for name in (f"wall/{house.id}/{house.id}.arch.json", f"arch/{house.id}.arch.json"):
        try:
            return root.resolve(root.root, name)
        except MissingFileError:
            continue
    beside = (folder / f"{house.id}.arch.json", folder / "arch.json")
    return next((path for path in beside if path.is_file()), None)


def _load_arch(path: Path, *, library: ModelLibrary) -> Arch:
    document = load_json(read_bytes(path), name=str(path))
    return parse_arch(document, library=library, where=str(path))


def _tables(library: ModelLibrary) -> Tables:
    def read(name: str) -> tuple[bytes, str] | None:
        try:
            path = library.root.resolve(library.root.root, f"metadata/{name}")
        except MissingFileError:
            return None
        return read_bytes(path, limit=MAX_METADATA_BYTES), str(path)

    classes: dict[str, ModelClass] = {}
    lights = glowing = None
    if (found := read("ModelCategoryMapping.csv")) is not None:
        classes, warnings = parse_classes(found[0], where=found[1])
        library.faults.extend(("classes that NYU40 lacks are unknown", line) for line in warnings)
    else:
        library.faults.append(
            ("tables are missing, so classes are unknown", "metadata/ModelCategoryMapping.csv")
        )
    if (found := read("suncgModelLights.json")) is not None:
        lights = parse_model_lights(load_json(found[0], name=found[1]), where=found[1])
    if (found := read("light_geometry_compact.txt")) is not None:
        glowing = parse_glowing(found[0], where=found[1])
    return Tables(classes=classes, lights=lights, glowing=glowing)
