"""Materials, textures and texture coordinates of glTF."""

import numpy as np
from jaxtyping import Float

from scenelift.render.formats.files import MissingFileError
from scenelift.render.formats.gltf.file import GltfFile, Json
from scenelift.render.formats.textures import TextureCache
from scenelift.render.scene import Color, Material, SceneError, Texture

MEAN_SIDE_PX = 64
"""Size at which pictures are decoded of which only the mean is used."""
MAX_EMISSION = 1e6
"""W / (sr m^2)."""


class MaterialReader:
    """Reads each material of a file once."""

    def __init__(self, file: GltfFile, warnings: list[str], *, is_ours: bool) -> None:
        """Take a file; what is missing or damaged is added to `warnings`.

        `is_ours` says that BLEND means opacity, not thin glass.
        """
        self._file, self._warnings, self._is_ours = file, warnings, is_ours
        self._pictures, self._means = TextureCache(), TextureCache(max_side_px=MEAN_SIDE_PX)
        self._materials: dict[int | None, Material] = {None: Material(name="default")}
        self._cut: dict[tuple[int, float, float], Texture] = {}

    def material(self, index: int | None) -> Material:
        """Return a material; None is glTF's default, taken as a plain grey.

        Raises:
            SceneError: if its entry is malformed.
        """
        if index not in self._materials:
            self._materials[index] = self._read(self._file.top("materials")[index or 0], index or 0)
        return self._materials[index]

    def _read(self, table: Json, index: int) -> Material:
        file, where = self._file, f"materials[{index}]"
        extensions = file.table(table.get("extensions"), f"{where}.extensions")
        surface = file.table(table.get("pbrMetallicRoughness"), where)
        color, roughness, metallic, picture = self._surface(surface, where)
        gloss = extensions.get("KHR_materials_pbrSpecularGlossiness")
        if gloss is not None:
            gloss = file.table(gloss, where)
            color = file.numbers(gloss, "diffuseFactor", where, default=(1.0, 1.0, 1.0, 1.0))
            roughness = 1 - file.number(gloss, "glossinessFactor", where, default=1.0)
            metallic, picture = 0.0, gloss.get("diffuseTexture")
        texture = self._texture(picture, where)
        transmission = self._transmission(extensions, where)
        opacity = 1.0
        mode = file.text(table, "alphaMode") or "OPAQUE"
        if mode == "MASK":
            cutoff = file.number(table, "alphaCutoff", where, default=0.5)
            if texture is None:
                opacity = 1.0 if color[3] >= cutoff else 0.0
            else:
                texture = self._with_alpha(texture, factor=float(color[3]), cutoff=cutoff)
        elif mode == "BLEND":
            if self._is_ours or (texture is not None and (texture.pixels[..., 3] < 255).any()):
                opacity = float(color[3])
            elif color[3] < 1:
                transmission = max(transmission, 1 - float(color[3]))
        elif texture is not None:
            texture = self._with_alpha(texture, factor=1.0, cutoff=0.0)
        return Material(
            name=file.text(table, "name") or f"material_{index}",
            base_color=_color(color.clip(0, 1)),
            texture=texture,
            opacity=min(1.0, max(0.0, opacity)),
            metallic=min(1.0, max(0.0, metallic)),
            roughness=min(1.0, max(0.0, roughness)),
            transmission=min(1.0, max(0.0, transmission)),
            emission=self._emission(table, extensions, where),
        )

    def _surface(
        self, surface: Json, where: str
    ) -> tuple[Float[np.ndarray, "4"], float, float, object]:
        """Read base colour, roughness and metalness; of the last two's texture, the mean."""
        file = self._file
        color = file.numbers(surface, "baseColorFactor", where, default=(1.0, 1.0, 1.0, 1.0))
        roughness = file.number(surface, "roughnessFactor", where, default=1.0)
        metallic = file.number(surface, "metallicFactor", where, default=1.0)
        mean = self._mean(surface.get("metallicRoughnessTexture"), where)
        if mean is not None:
            roughness, metallic = roughness * float(mean[1]), metallic * float(mean[2])
        elif not surface:
            metallic = 0.0
        return color, roughness, metallic, surface.get("baseColorTexture")

    def _transmission(self, extensions: Json, where: str) -> float:
        table = self._file.table(extensions.get("KHR_materials_transmission"), where)
        return self._file.number(table, "transmissionFactor", where, default=0.0)

    def _emission(self, table: Json, extensions: Json, where: str) -> Color:
        factor = self._file.numbers(table, "emissiveFactor", where, default=(0.0, 0.0, 0.0))
        strength = self._file.table(extensions.get("KHR_materials_emissive_strength"), where)
        factor = factor * self._file.number(strength, "emissiveStrength", where, default=1.0)
        if factor.max() > 0:
            mean = self._mean(table.get("emissiveTexture"), where)
            if mean is not None:
                factor = factor * _linear(mean)
        return _color(factor.clip(0, MAX_EMISSION))

    def _with_alpha(self, texture: Texture, *, factor: float, cutoff: float) -> Texture:
        """Make alpha 0 or 255 by a cutoff, or wholly opaque for the cutoff 0; equal requests give one texture."""
        key = (id(texture), factor, cutoff)
        if key not in self._cut:
            alpha = texture.pixels[..., 3] / 255 * factor >= cutoff
            if alpha.all() and (texture.pixels[..., 3] == 255).all():
                self._cut[key] = texture
            else:
                pixels = texture.pixels.copy()
                pixels[..., 3] = np.where(alpha, 255, 0)
                self._cut[key] = Texture(pixels=pixels)
        return self._cut[key]

    def _texture(self, info: object, where: str) -> Texture | None:
        return self._decoded(info, where, cache=self._pictures)

    def _mean(self, info: object, where: str) -> Float[np.ndarray, "3"] | None:
        """Mean of a picture's stored values, in [0, 1]."""
        texture = self._decoded(info, where, cache=self._means)
        if texture is None:
            return None
        return np.asarray(texture.pixels[..., :3].reshape(-1, 3).mean(axis=0) / 255)

    def _decoded(self, info: object, where: str, *, cache: TextureCache) -> Texture | None:
        """Decode the picture that a texture info names; None, with a warning, where that fails."""
        if info is None:
            return None
        file = self._file
        index = file.index(file.table(info, where), "index", where, of="textures")
        if index is None:
            return None
        table = file.top("textures")[index]
        webp = file.table(file.table(table.get("extensions"), where).get("EXT_texture_webp"), where)
        place = f"textures[{index}]"
        image = file.index(webp or table, "source", place, of="images")
        if image is None:
            self._warn(f"{place} has no picture of a known format")
            return None
        label = f"{file.path}: images[{image}]"
        entry = file.top("images")[image]
        view = file.index(entry, "bufferView", label, of="bufferViews")
        try:
            data = file.fetch(entry.get("uri"), label) if view is None else bytes(file.view(view))
        except MissingFileError as error:
            self._warn(str(error))
            return None
        try:
            return cache.decode(data, name=label)
        except SceneError as error:
            self._warn(str(error))
            return None

    def _warn(self, text: str) -> None:
        if text not in self._warnings:
            self._warnings.append(text)


def uv_transform(
    file: GltfFile, material: Json, where: str
) -> tuple[int, Float[np.ndarray, "3 3"]]:
    """Find which texture coordinates a material uses, and their KHR_texture_transform.

    Args:
        file: The file, for errors.
        material: Its entry.
        where: For errors.

    Returns:
        The set's number, and an affine map that also turns glTF's v, from the top, into ours, from the bottom.
    """
    surface = file.table(material.get("pbrMetallicRoughness"), where)
    extensions = file.table(material.get("extensions"), where)
    gloss = file.table(extensions.get("KHR_materials_pbrSpecularGlossiness"), where)
    info = file.table(gloss.get("diffuseTexture") or surface.get("baseColorTexture"), where)
    number = file.whole(info, "texCoord", where, default=0)
    change = file.table(
        file.table(info.get("extensions"), where).get("KHR_texture_transform"), where
    )
    number = file.whole(change, "texCoord", where, default=number)
    offset = file.numbers(change, "offset", where, default=(0.0, 0.0))
    scale = file.numbers(change, "scale", where, default=(1.0, 1.0))
    angle = file.number(change, "rotation", where, default=0.0)
    cos, sin = np.cos(angle), np.sin(angle)
    turned = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1.0]])
    moved = np.array([[1, 0, offset[0]], [0, 1, offset[1]], [0, 0, 1.0]])
    flipped = np.array([[1, 0, 0], [0, -1, 1], [0, 0, 1.0]])
    return number, flipped @ moved @ turned @ np.diag([scale[0], scale[1], 1.0])


def _color(values: Float[np.ndarray, " n"]) -> Color:
    return (float(values[0]), float(values[1]), float(values[2]))


def _linear(values: Float[np.ndarray, "3"]) -> Float[np.ndarray, "3"]:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
