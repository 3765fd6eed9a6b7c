"""From a parsed SUNCG house or architecture to a `Scene`."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from scenelift.datasets.nyu40 import nyu40_id
from scenelift.render.formats.suncg.arch import Arch, ArchElement
from scenelift.render.formats.suncg.classes import ModelClass, class_of
from scenelift.render.formats.suncg.house import (
    BoxNode,
    GroundNode,
    House,
    Level,
    ObjectNode,
    Part,
    RoomNode,
    count_faults,
)
from scenelift.render.formats.suncg.lights import (
    LAMP_POWER_W,
    GlowingMaterials,
    ModelLight,
    lamp_light,
    place_light,
)
from scenelift.render.formats.suncg.models import ModelLibrary, box_mesh
from scenelift.render.formats.suncg.rooms import make_room, world_triangles
from scenelift.render.scene import MAX_INSTANCES, Light, Mesh, Node, Room, Scene, SceneError

PARTS: tuple[tuple[Part, str], ...] = (("floor", "f"), ("ceiling", "c"), ("wall", "w"))
"""What a room is made of, with the last letter of the files' names."""

_LAMP, _WINDOW = nyu40_id("lamp"), nyu40_id("window")


@dataclass(frozen=True, kw_only=True, slots=True)
class Tables:
    """The metadata of a data root."""

    classes: dict[str, ModelClass] = field(default_factory=dict)
    lights: dict[str, tuple[ModelLight, ...]] | None = None
    """None if there is no table."""
    glowing: dict[str, GlowingMaterials] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Shell:
    """A room's own meshes, in the order in which they become nodes."""

    parts: tuple[tuple[str, str, Mesh], ...]
    """Name of the node, kind ("floor", "ceiling", "wall", "ground"), mesh."""
    room: int | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Draft:
    """A scene in the making."""

    where: str
    library: ModelLibrary
    tables: Tables
    T_world_house: Float[np.ndarray, "4 4"]
    nodes: list[Node] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    lights: list[Light] = field(default_factory=list)
    rooms: list[Room] = field(default_factory=list)

    def add(
        self,
        name: str,
        mesh: Mesh,
        T_world_object: Float[np.ndarray, "4 4"],
        *,
        model_class: ModelClass,
        room: int | None,
    ) -> Node:
        """Append a node under a name of its own."""
        if len(self.nodes) >= MAX_INSTANCES:
            raise SceneError(
                f"{self.where}: more than {MAX_INSTANCES} instances, but ids are 16 bit and allow no more"
            )
        count = self.names[name] = self.names.get(name, 0) + 1
        unique = name if count == 1 else f"{name}#{count}"
        while count > 1 and unique in self.names:
            unique += "'"
        self.names.setdefault(unique, 1)
        try:
            node = Node(
                name=unique,
                mesh=mesh,
                T_world_object=T_world_object,
                category=model_class.category,
                semantic=model_class.semantic,
                room=room,
            )
        except SceneError as error:
            raise SceneError(f"{self.where}: {error}") from error
        self.nodes.append(node)
        return node

    def add_shell(self, shell: _Shell) -> None:
        """Append the parts of a room."""
        for name, kind, mesh in shell.parts:
            semantic = nyu40_id("floor" if kind == "ground" else kind)
            model_class = ModelClass(category=kind, semantic=semantic)
            self.add(name, mesh, self.T_world_house, model_class=model_class, room=shell.room)

    def make_shell(
        self, parts: tuple[tuple[str, str, Mesh], ...], *, name: str, kind: str
    ) -> _Shell:
        """Make a room of its parts, if they have a floor."""

        def of(wanted: str) -> Float[np.ndarray, "f 3 3"]:
            found = [
                world_triangles(mesh, self.T_world_house)
                for _, part, mesh in parts
                if part == wanted
            ]
            return np.concatenate([np.zeros((0, 3, 3)), *found])

        room = make_room(
            name=name, kind=kind, floor=of("floor"), ceiling=of("ceiling"), walls=of("wall")
        )
        if room is None:
            self.library.faults.append(("rooms without a floor are no rooms to stand in", name))
            return _Shell(parts, None)
        self.rooms.append(room)
        return _Shell(parts, len(self.rooms) - 1)

    def scene(
        self, *, name: str, windows: Float[np.ndarray, "p 4 3"], warnings: tuple[str, ...]
    ) -> Scene:
        """Finish the scene.

        Raises:
            SceneError: if nothing is left of it.
        """
        warnings += count_faults(self.library.faults)
        if not any(len(node.mesh.faces) for node in self.nodes):
            causes = f": {'; '.join(warnings)}" if warnings else ""
            raise SceneError(f"{self.where}: nothing is left to be seen{causes}"[:1000])
        portals = [_pane(node) for node in self.nodes if node.semantic == _WINDOW]
        panes = np.concatenate((windows, np.array(portals, dtype=np.float64).reshape(-1, 4, 3)))
        return Scene(
            name=name,
            nodes=tuple(self.nodes),
            lights=tuple(self.lights),
            rooms=tuple(self.rooms),
            portals_world=panes if len(panes) else None,
            source="suncg",
            warnings=warnings,
        )


def build_house(
    house: House, *, arch: Arch | None, library: ModelLibrary, tables: Tables, where: str
) -> Scene:
    """Build the scene of a house.

    Args:
        house: The parsed `house.json`.
        arch: Gives the rooms' walls, floors and ceilings in place of files, if there is one.
        library: Finds models and textures, and holds the faults, which become warnings.
        tables: The data root's metadata.
        where: The file, for messages.

    Raises:
        SceneError: if nothing is left to be seen, a model is damaged, or there are too many instances.
    """
    draft = _Draft(
        where=where,
        library=library,
        tables=tables,
        T_world_house=np.diag([house.scale, house.scale, house.scale, 1.0]),
    )
    loose = _by_room(arch.elements if arch else ())
    for level in house.levels:
        _add_level(draft, level, house=house, loose=loose if arch else None)
    for room, elements in loose.items():
        draft.add_shell(
            draft.make_shell(_arch_parts(elements), name=room, kind="")
            if room
            else _Shell(_arch_parts(elements), None)
        )
    windows = arch.windows if arch else np.zeros((0, 4, 3))
    return draft.scene(name=house.id, windows=windows, warnings=house.warnings)


def build_arch(arch: Arch, *, library: ModelLibrary, where: str) -> Scene:
    """Build the scene of an architecture alone; nodes keep the order of its elements.

    Raises:
        SceneError: if nothing is left to be seen, or there are too many elements.
    """
    draft = _Draft(where=where, library=library, tables=Tables(), T_world_house=np.eye(4))
    rooms = {
        room: draft.make_shell(_arch_parts(elements), name=room, kind="").room
        for room, elements in _by_room(arch.elements).items()
        if room
    }
    for element in arch.elements:
        draft.add_shell(_Shell(_arch_parts([element]), rooms.get(element.room or "")))
    return draft.scene(name=arch.id, windows=arch.windows, warnings=())


def _add_level(
    draft: _Draft, level: Level, *, house: House, loose: dict[str, list[ArchElement]] | None
) -> None:
    shells: dict[int, _Shell] = {}
    room_of: dict[int, int] = {}
    for index, node in enumerate(level.nodes):
        if isinstance(node, RoomNode):
            if loose is not None:
                parts = _arch_parts(loose.pop(node.id, []), hidden=node.hidden)
            else:
                parts = _room_parts(draft.library, node, house=house)
            shells[index] = draft.make_shell(parts, name=node.id, kind=node.kind)
            for member in node.members:
                if not 0 <= member < len(level.nodes):
                    draft.library.faults.append(("rooms name objects that do not exist", node.id))
                elif (room := shells[index].room) is not None:
                    room_of.setdefault(member, room)
    for index, node in enumerate(level.nodes):
        match node:
            case RoomNode():
                draft.add_shell(shells[index])
            case GroundNode():
                mesh = draft.library.room_part(f"room/{house.id}/{node.model}f")
                if mesh is None:
                    draft.library.faults.append(("models are missing", f"{node.model}f"))
                else:
                    draft.add_shell(_Shell(((node.id, "ground", mesh),), None))
            case ObjectNode():
                _add_object(draft, node, room=room_of.get(index))
            case BoxNode():
                draft.add(
                    node.id,
                    box_mesh(node.size, overrides=node.overrides, library=draft.library),
                    draft.T_world_house @ node.T_house_object,
                    model_class=ModelClass(category="box", semantic=0),
                    room=room_of.get(index),
                )


def _room_parts(
    library: ModelLibrary, node: RoomNode, *, house: House
) -> tuple[tuple[str, str, Mesh], ...]:
    parts: list[tuple[str, str, Mesh]] = []
    for part, letter in PARTS:
        if part in node.hidden:
            continue
        mesh = library.room_part(f"room/{house.id}/{node.model}{letter}")
        if mesh is not None:
            parts.append((f"{node.id} {part}", part, mesh))
    if not parts and len(node.hidden) < len(PARTS):
        library.faults.append(("rooms have no meshes", node.id))
    return tuple(parts)


def _by_room(elements: Iterable[ArchElement]) -> dict[str, list[ArchElement]]:
    """Group elements by their room, "" for those without, in the order of their appearance."""
    groups: dict[str, list[ArchElement]] = {}
    for element in elements:
        groups.setdefault(element.room or "", []).append(element)
    return groups


def _arch_parts(
    elements: Iterable[ArchElement], *, hidden: frozenset[Part] = frozenset()
) -> tuple[tuple[str, str, Mesh], ...]:
    return tuple(
        (element.id, element.kind, element.mesh)
        for element in elements
        if element.kind not in hidden
    )


def _add_object(draft: _Draft, node: ObjectNode, *, room: int | None) -> None:
    tables = draft.tables
    lights = (tables.lights or {}).get(node.model, ())
    glowing = (tables.glowing or {}).get(node.model)
    mesh = draft.library.model(
        node.model,
        state=node.state,
        overrides=node.overrides,
        glowing=glowing,
        power_w=sum((light.power_w for light in lights), 0.0) or LAMP_POWER_W,
    )
    if mesh is None:
        return
    model_class = class_of(node.model, tables.classes)
    T_world_object = draft.T_world_house @ node.T_house_object
    placed = draft.add(node.id, mesh, T_world_object, model_class=model_class, room=room)
    if glowing and any(max(material.emission) > 0 for material in mesh.materials):
        return  # its surfaces emit what its lights would
    for light in lights:
        draft.lights.append(
            place_light(light, placed.T_world_object, name=light.name or placed.name, room=room)
        )
    if placed.semantic == _LAMP and tables.lights is None and tables.glowing is None:
        ceiling_y_m = None if room is None else draft.rooms[room].ceiling_y_m
        draft.lights.append(lamp_light(placed, ceiling_y_m=ceiling_y_m))


def _pane(node: Node) -> Float[np.ndarray, "4 3"]:
    """Return the corners of the middle plane of a window's box, across its thinnest side."""
    low, high = node.mesh.vertices.min(axis=0), node.mesh.vertices.max(axis=0)
    linear, origin = node.T_world_object[:3, :3], node.T_world_object[:3, 3]
    thin = int(np.argmin((high - low) * np.linalg.norm(linear, axis=0)))
    u, v = (axis for axis in range(3) if axis != thin)
    corners = np.tile((low + high) / 2, (4, 1))
    corners[:, u] = [low[u], high[u], high[u], low[u]]
    corners[:, v] = [low[v], low[v], high[v], high[v]]
    return np.asarray(corners @ linear.T + origin)
