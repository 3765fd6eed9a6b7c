"""Meshes as OBJ and MTL in SUNCG's manner: `material_<n>`, display colours, textures in a folder by their content.

Nine digits are written, 5e-8 m at 50 m. MTL has no metallic-roughness terms: roughness goes into Ks and Ns so that
`material_from_mtl` finds it again as well as it can, mirrors into illum 3, opacity into a texture's alpha.
"""

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from scenelift.render.formats.mtl import MtlMaterial, material_from_mtl
from scenelift.render.scene import Color, Material, Mesh, Texture

_HIGHEST_NS = 1e5
_LEAST_D = 1e-3
"""Readers take a library in which everything has d = 0 for opaque."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MaterialWriter:
    """Turns materials into MTL blocks and remembers what that loses."""

    texture_folder: Path
    reference: str
    """How MTL files name that folder, e.g. "../../texture"."""
    losses: dict[str, set[str]] = field(default_factory=dict)
    """Names of the materials that lose a property, by its name."""
    _names: dict[int, tuple[Texture, str]] = field(default_factory=dict)

    def texture_name(self, texture: Texture) -> str:
        """Write a texture once, under a name that follows from its pixels; returns the name with its suffix."""
        key = id(texture)
        if key not in self._names:
            digest = hashlib.sha256(repr(texture.pixels.shape).encode() + texture.pixels.tobytes())
            name = f"t_{digest.hexdigest()[:20]}.png"
            path = self.texture_folder / name
            if not path.exists():
                path.write_bytes(png_bytes(texture))
            self._names[key] = (texture, name)  # holds the texture, so that its id stays taken
        return self._names[key][1]

    def block(self, material: Material, *, name: str) -> str:
        """Return the `newmtl` block of a material."""
        texture = _with_opacity(material)
        roughness = min(max(material.roughness, 0.0), 1.0)
        mirror = material.is_mirror and texture is None
        strength = math.sqrt(1 - roughness)
        shine = 1 - strength
        color = _display(material.base_color)
        if texture is not None and max(color) == 0:
            color = (1e-9, 1e-9, 1e-9)  # exactly black beside a texture is read as white
        mtl = MtlMaterial(
            name=name,
            Kd=(0.0, 0.0, 0.0) if mirror else color,
            Ks=color if mirror else _grey(_display_value(strength)),
            Ke=material.emission,
            Ns=min(_HIGHEST_NS, 2 / max(shine, 1e-9) ** 4 - 2) if strength > 0 else 0.0,
            d=max(_LEAST_D, 1 - material.transmission),
            illum=3 if mirror else 2,
            map_Kd=None if texture is None else f"{self.reference}/{self.texture_name(texture)}",
        )
        self._compare(material, mtl, texture)
        return _mtl_text(mtl)

    def _compare(self, material: Material, mtl: MtlMaterial, texture: Texture | None) -> None:
        back = material_from_mtl(mtl, texture=lambda _: texture, display_colors=True)
        for key, before, after in (
            ("base colour", material.base_color, back.base_color),
            ("metallic", material.metallic, back.metallic),
            ("roughness", material.roughness, back.roughness),
            ("transmission", material.transmission, back.transmission),
            ("emission", material.emission, back.emission),
        ):
            if not np.allclose(before, after, rtol=1e-4, atol=2e-3):
                self.losses.setdefault(key, set()).add(material.name)


def obj_text(mesh: Mesh, *, library: str, name: str) -> str:
    """Return the text of an OBJ file; the mesh's materials are `material_<position>`."""
    lines = [f"mtllib {library}", f"o {name}"]
    rows = mesh.vertices.tolist()
    if mesh.vertex_colors is not None:
        rows = np.concatenate((mesh.vertices, mesh.vertex_colors), axis=1).tolist()
    lines += ["v " + " ".join([f"{x:.9g}" for x in row]) for row in rows]
    uvs, uv_index = _distinct(mesh.corner_uvs)
    normals, normal_index = _distinct(mesh.corner_normals)
    lines += [f"vt {u:.9g} {v:.9g}" for u, v in uvs]
    lines += [f"vn {x:.7g} {y:.7g} {z:.7g}" for x, y, z in normals]
    now = -1
    columns = [(mesh.faces + 1).tolist(), mesh.face_materials.tolist()]
    columns += [index.tolist() for index in (uv_index, normal_index) if index is not None]
    form = "/" if uv_index is not None else "//"
    for face, material, *indices in zip(*columns, strict=True):
        if material != now:
            lines.append(f"usemtl material_{material}")
            now = material
        corners = [
            str(vertex) + form * bool(indices) + "/".join(str(index[k] + 1) for index in indices)
            for k, vertex in enumerate(face)
        ]
        lines.append("f " + " ".join(corners))
    return "\n".join(lines) + "\n"


def mtl_text(materials: Sequence[Material], *, writer: MaterialWriter) -> str:
    """Return the text of an MTL file with one block for each material, in their order."""
    return "".join(
        writer.block(material, name=f"material_{index}") for index, material in enumerate(materials)
    )


def png_bytes(texture: Texture) -> bytes:
    """Return a texture as a PNG file, without alpha where it is opaque."""
    opaque = bool((texture.pixels[..., 3] == 255).all())
    pixels = texture.pixels[..., :3] if opaque else texture.pixels
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def _distinct(
    corners: Float[np.ndarray, "f 3 c"] | None,
) -> tuple[list[list[float]], Int[np.ndarray, "f 3"] | None]:
    if corners is None or not len(corners):
        return [], None
    rows, index = np.unique(corners.reshape(-1, corners.shape[2]), axis=0, return_inverse=True)
    return rows.tolist(), index.reshape(-1, 3)


def _with_opacity(material: Material) -> Texture | None:
    """Return the texture with the material's opacity in its alpha."""
    if material.opacity >= 1:
        return material.texture
    pixels = np.full((1, 1, 4), 255, np.uint8)
    if material.texture is not None:
        pixels = material.texture.pixels.copy()
    pixels[..., 3] = np.round(pixels[..., 3] * max(material.opacity, 0.0))
    return replace(material.texture or Texture(pixels=pixels), pixels=pixels)


def _mtl_text(mtl: MtlMaterial) -> str:
    lines = [f"newmtl {mtl.name}", f"illum {mtl.illum}", f"d {mtl.d:.9g}", f"Ns {mtl.Ns:.9g}"]
    for key, color in (("Kd", mtl.Kd), ("Ks", mtl.Ks), ("Ke", mtl.Ke)):
        if key != "Ke" or max(color) > 0:
            lines.append(f"{key} " + " ".join(f"{value:.9g}" for value in color))
    if mtl.map_Kd is not None:
        lines.append(f"map_Kd {mtl.map_Kd}")
    return "\n".join(lines) + "\n\n"


def _display(color: Color) -> Color:
    red, green, blue = (_display_value(value) for value in color)
    return red, green, blue


def _display_value(linear: float) -> float:
    """Encode a linear value as sRGB (IEC 61966-2-1)."""
    value = min(max(linear, 0.0), 1.0)
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _grey(value: float) -> Color:
    return value, value, value
