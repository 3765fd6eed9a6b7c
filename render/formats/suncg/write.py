"""Any scene as a SUNCG data root that every loader of that format accepts.

Floors, ceilings and walls of rooms become room meshes, one node a part; everything else becomes an object with a model
of its own, shared between nodes of equal mesh and class. Lights hang on the nearest object of their room, lamps first.
One more key of `house.json` keeps names, order and rooms (`suncg_identity`). The same scene gives the same bytes.
"""

import csv
import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Float

from scenelift.datasets.nyu40 import NYU40_NAMES, nyu40_id
from scenelift.render.formats.bake import baked
from scenelift.render.formats.suncg import identity as suncg_identity
from scenelift.render.formats.suncg.build import PARTS
from scenelift.render.formats.suncg.lights import light_entry
from scenelift.render.formats.write_obj import MaterialWriter, mtl_text, obj_text
from scenelift.render.formats.written import Written, new_folder
from scenelift.render.scene import Light, Mesh, Node, Scene, Sky

_FOLDERS = ("house", "room", "object", "texture", "metadata")
_STRUCTURE = frozenset(nyu40_id(name) for name in ("wall", "floor", "ceiling", "otherstructure"))
_LAMP = nyu40_id("lamp")
_USUAL_RADIUS_M = Light(kind="point", intensity=(1.0, 1.0, 1.0)).radius_m
"""What every light has that is read."""

Json = dict[str, object]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Plan:
    """Which node goes where."""

    parts: dict[tuple[int, str], int]
    """Node of each room's floor, ceiling and wall, by room and part."""
    objects: tuple[int, ...]
    models: dict[int, str]
    """Model id of each object node."""
    lights: dict[int, list[Light]]
    """By the node that they hang on."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Tree:
    """The folder that is being filled."""

    root: Path
    house: str
    scene: Scene
    plan: _Plan
    materials: MaterialWriter
    file_names: dict[int, str] = field(default_factory=dict)


def write_suncg(scene: Scene, root: Path, *, overwrite: bool = False) -> Written:
    """Write a scene as a SUNCG data root.

    Args:
        scene: Any scene.
        root: The data root, a folder that does not exist yet.
        overwrite: Replace a data root that is there already.

    Returns:
        The path of `house.json`, and what the format cannot hold.

    Raises:
        FileExistsError: if the folder exists and may not be overwritten.
    """
    house = hashlib.md5(scene.name.encode(), usedforsecurity=False).hexdigest()
    plan = _plan(scene)
    with new_folder(root, overwrite=overwrite, known=frozenset(_FOLDERS)) as content:
        for name in _FOLDERS:
            (content / name).mkdir()
        materials = MaterialWriter(texture_folder=content / "texture", reference="../../texture")
        tree = _Tree(root=content, house=house, scene=scene, plan=plan, materials=materials)
        document = _house(tree)
        _write_models(tree)
        _write_metadata(tree)
        folder = content / "house" / house
        folder.mkdir()
        (folder / "house.json").write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return Written(path=root / "house" / house / "house.json", losses=_losses(tree))


def _plan(scene: Scene) -> _Plan:
    parts: dict[tuple[int, str], int] = {}
    for index, node in enumerate(scene.nodes):
        part = NYU40_NAMES[node.semantic]
        if (
            node.room is None
            or part not in ("floor", "ceiling", "wall")
            or not len(node.mesh.faces)
        ):
            continue
        best = parts.get((node.room, part))
        if best is None or _prominence(node) > _prominence(scene.nodes[best]):
            parts[node.room, part] = index
    taken = set(parts.values())
    objects = tuple(
        index
        for index, node in enumerate(scene.nodes)
        if index not in taken and len(node.mesh.faces)
    )
    lights = _hang_lights(scene, objects)
    models: dict[int, str] = {}
    shared: dict[tuple[int, str, int], str] = {}
    for index in objects:
        node = scene.nodes[index]
        key = (id(node.mesh), node.category, node.semantic)
        new = str(len(set(models.values())) + 1) if index in lights or key not in shared else ""
        models[index] = new or shared[key]
        if new and index not in lights:
            shared[key] = new
    return _Plan(parts=parts, objects=objects, models=models, lights=lights)


def _prominence(node: Node) -> tuple[bool, float]:
    """Rank the candidates for a room's part: the one that is called so, then the largest."""
    low, high = _box(node)
    x, y, z = np.sort(high - low).tolist()
    return node.category in ("", NYU40_NAMES[node.semantic]), round(y * z + 1e-3 * x, 6)


def _hang_lights(scene: Scene, objects: Sequence[int]) -> dict[int, list[Light]]:
    lights: dict[int, list[Light]] = {}
    if not objects:
        return lights
    nodes = [scene.nodes[index] for index in objects]
    middles = np.array([np.mean(_box(node), axis=0) for node in nodes])
    lamps = np.array([node.semantic != _LAMP for node in nodes])
    for light in scene.lights:
        if light.kind == "sun":
            continue
        distance = np.linalg.norm(middles - light.position_world, axis=1)
        elsewhere = np.array([node.room != light.room for node in nodes])
        nearest = int(np.lexsort((distance, lamps, elsewhere))[0])
        lights.setdefault(objects[nearest], []).append(light)
    return lights


def _house(tree: _Tree) -> Json:
    scene, plan = tree.scene, tree.plan
    position = {index: len(scene.rooms) + k for k, index in enumerate(plan.objects)}
    nodes = [_room_node(tree, room, position) for room in range(len(scene.rooms))]
    for index in plan.objects:
        tree.file_names[index] = f"0_{position[index]}"
        nodes.append(_object_node(scene.nodes[index], f"0_{position[index]}", plan.models[index]))
    boxes = np.array([_box(node) for node in scene.nodes if len(node.mesh.vertices)])
    bounds = _bbox(boxes[:, 0].min(axis=0), boxes[:, 1].max(axis=0))
    return {
        "version": "suncg@1.0.0",
        "id": tree.house,
        "up": [0, 1, 0],
        "front": [0, 0, 1],
        "scaleToMeters": 1,
        "bbox": bounds,
        "levels": [{"id": "0", "bbox": bounds, "nodes": nodes}],
        suncg_identity.KEY: suncg_identity.identity(scene, file_names=tree.file_names),
    }


def _room_node(tree: _Tree, index: int, position: dict[int, int]) -> Json:
    scene = tree.scene
    room = scene.rooms[index]
    model = f"fr_0rm_{index}"
    low = np.append(room.outline_xz.min(axis=0), room.floor_y_m)[[0, 2, 1]]
    high = np.append(room.outline_xz.max(axis=0), room.ceiling_y_m)[[0, 2, 1]]
    for part, letter in PARTS:
        node_index = tree.plan.parts.get((index, part))
        if node_index is None:
            continue
        mesh = baked(scene.nodes[node_index].mesh, scene.nodes[node_index].T_world_object)
        _write_obj(tree, Path("room") / tree.house, f"{model}{letter}", mesh)
        tree.file_names[node_index] = f"0_{index} {part}"
        low = np.minimum(low, mesh.vertices.min(axis=0))
        high = np.maximum(high, mesh.vertices.max(axis=0))
    return {
        "id": f"0_{index}",
        "type": "Room",
        "valid": 1,
        "modelId": model,
        "nodeIndices": [position[k] for k in tree.plan.objects if scene.nodes[k].room == index],
        "roomTypes": [room.kind.title().replace(" ", "_")] if room.kind else [],
        "hideCeiling": 0,
        "hideFloor": 0,
        "hideWalls": 0,
        "bbox": _bbox(low, high),
    }


def _object_node(node: Node, node_id: str, model: str) -> Json:
    written: Json = {
        "id": node_id,
        "type": "Object",
        "valid": 1,
        "modelId": model,
        "transform": node.T_world_object.T.ravel().tolist(),
        "materials": [],
        "state": 0,
        "bbox": _bbox(*_box(node)),
    }
    if np.linalg.det(node.T_world_object[:3, :3]) < 0:
        written["isMirrored"] = 1
    return written


def _write_models(tree: _Tree) -> None:
    done: set[str] = set()
    for index, model in tree.plan.models.items():
        if model not in done:
            done.add(model)
            _write_obj(tree, Path("object") / model, model, tree.scene.nodes[index].mesh)


def _write_obj(tree: _Tree, folder: Path, name: str, mesh: Mesh) -> None:
    place = tree.root / folder
    place.mkdir(parents=True, exist_ok=True)
    text = obj_text(mesh, library=f"{name}.mtl", name=name)
    (place / f"{name}.obj").write_text(text, encoding="utf-8")
    library = mtl_text(mesh.materials, writer=tree.materials)
    (place / f"{name}.mtl").write_text(library, encoding="utf-8")


def _write_metadata(tree: _Tree) -> None:
    first: dict[str, Node] = {}
    for index, model in tree.plan.models.items():
        first.setdefault(model, tree.scene.nodes[index])
    folder = tree.root / "metadata"
    (folder / "ModelCategoryMapping.csv").write_text(_class_table(first), encoding="utf-8")
    (folder / "models.csv").write_text(_model_table(first), encoding="utf-8")
    lights = {
        tree.plan.models[index]: [
            light_entry(
                light,
                model=tree.plan.models[index],
                T_world_object=tree.scene.nodes[index].T_world_object,
            )
            for light in hung
        ]
        for index, hung in sorted(tree.plan.lights.items())
    }
    text = json.dumps(lights, indent=1) + "\n"
    (folder / "suncgModelLights.json").write_text(text, encoding="utf-8")


def _class_table(models: dict[str, Node]) -> str:
    header = (
        "index", "model_id", "fine_grained_class", "coarse_grained_class", "empty_struct_obj",
        "nyuv2_40class", "wnsynsetid", "wnsynsetkey",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = [
        (0, "Empty", "empty", "empty", 0, "void", "", ""),
        (1, "Wall", "wall", "wall", 1, "wall", "", ""),
        (2, "Ceiling", "ceiling", "ceiling", 1, "ceiling", "", ""),
        (3, "Floor", "floor", "floor", 1, "floor", "", ""),
        (4, "Box", "box", "box", 2, "void", "", ""),
    ]
    for model, node in models.items():
        name = NYU40_NAMES[node.semantic]
        structure = 1 if node.semantic in _STRUCTURE else 2
        rows.append((len(rows), model, node.category, name, structure, name, "", ""))
    return _csv(header, rows)


def _model_table(models: dict[str, Node]) -> str:
    header = (
        "id", "front", "nmaterials", "minPoint", "maxPoint", "aligned.dims", "index", "variantIds",
    )  # fmt: skip
    rows: list[tuple[object, ...]] = []
    for model, node in models.items():
        low, high = node.mesh.vertices.min(axis=0), node.mesh.vertices.max(axis=0)
        points = [",".join(f"{x:.6g}" for x in point) for point in (low, high, 100 * (high - low))]
        rows.append((model, "0,0,1", len(node.mesh.materials), *points, len(rows), ""))
    return _csv(header, rows)


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(header)
    table.writerows(rows)
    return text.getvalue()


def _box(node: Node) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    if not len(node.mesh.vertices):
        return node.T_world_object[:3, 3], node.T_world_object[:3, 3]
    points = node.mesh.vertices @ node.T_world_object[:3, :3].T + node.T_world_object[:3, 3]
    return points.min(axis=0), points.max(axis=0)


def _bbox(low: Float[np.ndarray, "3"], high: Float[np.ndarray, "3"]) -> Json:
    return {"min": low.tolist(), "max": high.tolist()}


def _losses(tree: _Tree) -> tuple[str, ...]:
    scene = tree.scene
    hung = sum(len(lights) for lights in tree.plan.lights.values())
    suns = sum(light.kind == "sun" for light in scene.lights)
    empty = sum(not len(node.mesh.faces) for node in scene.nodes)
    sizes = sum(light.radius_m != _USUAL_RADIUS_M for light in scene.lights if light.kind != "sun")
    homeless = len(scene.lights) - hung - suns
    names = any(
        material.name != f"material_{index}"
        for node in scene.nodes
        for index, material in enumerate(node.mesh.materials)
    )
    found = (
        (astuple(scene.sky) != astuple(Sky()), "the sky"),
        (suns, f"suns: {suns}"),
        (homeless, f"lights, as there is no object to hang them on: {homeless}"),
        (sizes, f"the sizes of lights: {sizes}"),
        (scene.portals_world is not None, "the portals of daylight, which are found again from windows alone"),
        (empty, f"nodes without triangles, so that later ids change: {empty}"),
        (names, "the names of materials"),
    )  # fmt: skip
    lines = [line for lost, line in found if lost]
    for key, materials in sorted(tree.materials.losses.items()):
        some = ", ".join(sorted(materials)[:3]) + (", ..." if len(materials) > 3 else "")
        lines.append(f"the exact {key} of materials: {len(materials)} ({some})")
    return tuple(lines)
