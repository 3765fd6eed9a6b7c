"""Meshes of SUNCG: models with their materials replaced, room parts and boxes. Each file is parsed once."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float

from scenelift.render.formats.files import DataRoot, MissingFileError
from scenelift.render.formats.mtl import material_from_mtl
from scenelift.render.formats.obj import load_obj, mesh_from_obj
from scenelift.render.formats.suncg.house import Override
from scenelift.render.formats.suncg.lights import (
    LAMP_POWER_W,
    GlowingMaterials,
    linear_color,
    with_glow,
)
from scenelift.render.formats.textures import TextureCache, texture_finder
from scenelift.render.scene import Material, Mesh, SceneError, Texture

MAX_COORDINATE = 1e7
"""Beyond it areas lose their meaning."""

_NUMBERED = re.compile(r"material_(\d{1,6})")
_PLAIN = Material(name="default")


@dataclass(frozen=True, slots=True, eq=False)
class _Model:
    """A parsed file: its mesh, and the position that overrides count for each of the mesh's materials."""

    mesh: Mesh
    positions: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ModelLibrary:
    """The models and textures below one data root, as one house uses them."""

    root: DataRoot
    textures: TextureCache
    faults: list[tuple[str, str]]
    """Gets a (fault, where) pair for each thing done without."""
    _models: dict[str, _Model | None] = field(default_factory=dict)
    _meshes: dict[tuple[str, tuple[Override, ...]], Mesh | None] = field(default_factory=dict)
    _named: dict[str, Texture | None] = field(default_factory=dict)

    def model(
        self,
        model: str,
        *,
        state: int = 0,
        overrides: tuple[Override, ...] = (),
        glowing: GlowingMaterials | None = None,
        power_w: float = LAMP_POWER_W,
    ) -> Mesh | None:
        """Return a model's mesh, the same for equal arguments; None, with a fault, if there is no such model.

        Args:
            model: Its id.
            state: 0 is the model as such, 1 its first variant (`<id>_0.obj`); a missing variant becomes the model.
            overrides: Replace materials by position, as far as both lists go.
            glowing: Materials that emit light.
            power_w: What they emit together.

        Raises:
            SceneError: if a file is damaged, or a name leads out of the data root.
        """
        reference = f"object/{model}/{model}"
        parsed = self._load(f"{reference}_{state - 1}.obj") if state > 0 else None
        if parsed is None and state > 0:
            self.faults.append(
                (
                    "models without the state asked for stand in their first state",
                    f"{model} ({state})",
                )
            )
        else:
            reference = f"{reference}_{state - 1}" if state > 0 else reference
        parsed = parsed or self._load(f"{reference}.obj")
        if parsed is None:
            return None
        key = (reference, overrides)
        if key not in self._meshes:
            mesh = self._overridden(parsed, overrides)
            self._meshes[key] = with_glow(mesh, glowing, power_w=power_w) if glowing else mesh
        return self._meshes[key]

    def room_part(self, reference: str) -> Mesh | None:
        """Return the mesh of a room part below the root, without its suffix; None if there is none, which is common."""
        try:
            self.root.resolve(self.root.root, f"{reference}.obj")
        except MissingFileError:
            return None
        parsed = self._load(f"{reference}.obj")
        return parsed.mesh if parsed else None

    def texture(self, name: str) -> Texture | None:
        """Return a texture by its bare name; None, with a fault, if it is missing or damaged.

        Raises:
            SceneError: if the name leads out of the data root.
        """
        if name not in self._named:
            self._named[name] = self._find_texture(name)
        return self._named[name]

    def override(self, material: Material, override: Override) -> Material:
        """Replace what an override names; colour and texture multiply each other."""
        if override.texture is not None:
            texture = self.texture(override.texture)
            color = linear_color(override.diffuse) if override.diffuse else material.base_color
            if max(color) == 0 and texture is not None:
                color = (1.0, 1.0, 1.0)
            return replace(material, texture=texture, base_color=color)
        if override.diffuse is not None:
            return replace(material, texture=None, base_color=linear_color(override.diffuse))
        return material

    def _find_texture(self, name: str) -> Texture | None:
        for suffix in (".png", ".jpg", ""):
            try:
                path = self.root.resolve(self.root.root, f"texture/{name}{suffix}")
            except MissingFileError:
                continue
            if path.is_dir():
                continue
            try:
                return self.textures.load(path)
            except SceneError as error:
                self.faults.append(("damaged textures are left out", str(error)))
                return None
        self.faults.append(("textures are missing", name[:80]))
        return None

    def _load(self, reference: str) -> _Model | None:
        if reference not in self._models:
            self._models[reference] = self._parse(reference)
        return self._models[reference]

    def _parse(self, reference: str) -> _Model | None:
        try:
            path = self.root.resolve(self.root.root, reference)
        except MissingFileError:
            self.faults.append(("models are missing", reference))
            return None
        if _is_empty(path):
            self.faults.append(("models without a face are left out", reference))
            return None
        model, blocks, warnings = load_obj(path, root=self.root)
        if np.abs(model.vertices).max() > MAX_COORDINATE:
            raise SceneError(
                f"{path}: has a vertex further than {MAX_COORDINATE:g} from the origin"
            )
        find = self._finder(path.parent)
        materials = {
            block.name: material_from_mtl(block, texture=find, display_colors=True)
            for block in blocks
        }
        self.faults.extend((_generic(line), reference) for line in warnings)
        mesh = mesh_from_obj(model, materials=materials)
        order = {name: index for index, name in enumerate(materials)}
        positions = tuple(
            order.get(material.name, _numbered(material.name, otherwise=index))
            for index, material in enumerate(mesh.materials)
        )
        return _Model(mesh, positions)

    def _finder(self, folder: Path) -> Callable[[str], Texture | None]:
        """Find textures as MTL files name them, and count what is missing."""
        lines: list[str] = []
        find = texture_finder(folder, root=self.root, cache=self.textures, warnings=lines)

        def texture(reference: str) -> Texture | None:
            found = find(reference)
            while lines:
                missing = "is missing" in lines.pop()
                fault = "textures are missing" if missing else "damaged textures are left out"
                self.faults.append((fault, reference[:80]))
            return found

        return texture

    def _overridden(self, model: _Model, overrides: tuple[Override, ...]) -> Mesh:
        if not overrides:
            return model.mesh
        materials = tuple(
            self.override(material, overrides[position]) if position < len(overrides) else material
            for material, position in zip(model.mesh.materials, model.positions, strict=True)
        )
        return replace(model.mesh, materials=materials)


def box_mesh(
    size: Float[np.ndarray, "3"], *, overrides: tuple[Override, ...], library: ModelLibrary
) -> Mesh:
    """Make a box about the origin; its faces are +y, -y, -x, +x, +z, -z, each with the material at its position.

    Textures repeat every metre, and the lower left corner of a face, seen from outside, has (0, 0). With fewer
    materials than faces the last one serves the rest.
    """
    corners, faces, uvs = [], [], []
    for index, (right, up) in enumerate(_FACES):
        normal = np.cross(right, up)
        width, height = abs(right) @ size, abs(up) @ size
        middle = normal * size / 2
        for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)):
            corners.append(middle + (u - 0.5) * right * size + (v - 0.5) * up * size)
        a = 4 * index
        faces += [(a, a + 1, a + 2), (a, a + 2, a + 3)]
        quad = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float64)
        uvs += [quad[[0, 1, 2]], quad[[0, 2, 3]]]
    materials = [
        library.override(replace(_PLAIN, name=f"face_{index}"), override)
        for index, override in enumerate(overrides[:6])
    ] or [_PLAIN]
    materials += [materials[-1]] * (6 - len(materials))
    return Mesh(
        vertices=np.array(corners),
        faces=np.array(faces, dtype=np.int64),
        materials=tuple(materials),
        face_materials=np.repeat(np.arange(6), 2),
        corner_uvs=np.array(uvs),
    )


_FACES = tuple(
    (np.array(right, dtype=np.float64), np.array(up, dtype=np.float64))
    for right, up in (
        ((1, 0, 0), (0, 0, -1)), ((1, 0, 0), (0, 0, 1)), ((0, 0, 1), (0, 1, 0)),
        ((0, 0, -1), (0, 1, 0)), ((1, 0, 0), (0, 1, 0)), ((-1, 0, 0), (0, 1, 0)),
    )
)  # fmt: skip
"""The directions of u and v on the faces +y, -y, -x, +x, +z, -z; their cross product points outwards."""


def _is_empty(path: Path) -> bool:
    """Whether a file has no line that starts a face; such room parts exist."""
    with path.open("rb") as file:
        return not any(line.lstrip().startswith((b"f ", b"f\t")) for line in file)


def _numbered(name: str, *, otherwise: int) -> int:
    match = _NUMBERED.fullmatch(name)
    return int(match[1]) if match else otherwise


def _generic(line: str) -> str:
    """Strip a warning of its file, so that equal ones are counted together."""
    return line.split(": ", 1)[-1][:80]
