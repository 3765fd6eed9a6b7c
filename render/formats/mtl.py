"""MTL material libraries, and their phong terms as the metallic-roughness `Material`."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from scenelift.render.scene import Color, Material, SceneError, Texture

_OPTION_ARGUMENTS = {
    "-blendu": 1, "-blendv": 1, "-boost": 1, "-bm": 1, "-cc": 1, "-clamp": 1, "-imfchan": 1,
    "-mm": 2, "-o": 3, "-s": 3, "-t": 3, "-texres": 1, "-type": 1, "-colorspace": 1,
}  # fmt: skip
"""Options before the file name of a map, and the most arguments each takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MtlMaterial:
    """One `newmtl` block, as written."""

    name: str
    Kd: Color = (0.8, 0.8, 0.8)
    Ks: Color = (0.0, 0.0, 0.0)
    Ke: Color = (0.0, 0.0, 0.0)
    Ns: float = 0.0
    d: float = 1.0
    """1 is opaque; `Tr` is its complement."""
    illum: int = 2
    map_Kd: str | None = None
    """Reference to a file (or, in SceneNet, to a folder), options stripped."""
    map_d: str | None = None
    map_Ke: str | None = None


def parse_mtl(data: bytes, *, name: str) -> tuple[MtlMaterial, ...]:
    r"""Read an MTL file; unknown keywords are passed over, of two blocks of one name the last counts.

    Libraries in which every material is wholly transparent come from exporters that mean the opposite: they are read
    as opaque.

    Args:
        data: The file.
        name: Of the file, for messages.

    Returns:
        Materials in the order of the file.

    Raises:
        SceneError: if a number cannot be read or is not finite; with the line.

    >>> parse_mtl(b"newmtl a\nKd 1 0 0\nmap_Kd -s 2 2 1 red wood.png", name="x.mtl")[0].map_Kd
    'red wood.png'
    """
    text = data.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
    materials: dict[str, MtlMaterial] = {}
    now: MtlMaterial | None = None
    for number, line in enumerate(text.split("\n"), start=1):
        keyword, _, rest = line.strip().replace("\t", " ").partition(" ")
        rest = rest.strip()
        if keyword == "newmtl":
            materials.pop(rest, None)
            now = materials[rest] = MtlMaterial(name=rest)
        elif now is not None:
            try:
                now = materials[now.name] = _with(now, keyword, rest)
            except (ValueError, OverflowError) as error:
                raise SceneError(
                    f"{name}: line {number}: {keyword} cannot be read: {rest[:60]!r}"
                ) from error
    found = tuple(materials.values())
    if found and all(material.d == 0 for material in found):
        found = tuple(replace(material, d=1.0) for material in found)
    return found


def _with(material: MtlMaterial, keyword: str, rest: str) -> MtlMaterial:
    """Return the material with one more line of its block."""
    match keyword:
        case "Kd":
            return replace(material, Kd=_color(rest, material.Kd))
        case "Ks":
            return replace(material, Ks=_color(rest, material.Ks))
        case "Ke":
            return replace(material, Ke=_color(rest, material.Ke))
        case "Ns":
            return replace(material, Ns=max(0.0, _number(rest)))
        case "d":
            return replace(material, d=min(1.0, max(0.0, _number(rest.removeprefix("-halo")))))
        case "Tr":
            return replace(material, d=1 - min(1.0, max(0.0, _number(rest))))
        case "illum":
            return replace(material, illum=int(_number(rest)))
        case "map_Kd":
            return replace(material, map_Kd=_reference(rest))
        case "map_d":
            return replace(material, map_d=_reference(rest))
        case "map_Ke":
            return replace(material, map_Ke=_reference(rest))
        case _:
            return material


def _number(text: str) -> float:
    value = float(text.split("#")[0].split()[0]) if text.split("#")[0].split() else math.nan
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _color(text: str, otherwise: Color) -> Color:
    """Read one or three numbers; spectral curves and XYZ keep what was there."""
    words = text.split("#")[0].split()
    if words and words[0] in ("spectral", "xyz"):
        return otherwise
    values = [max(0.0, _number(word)) for word in words[:3]]
    if len(values) == 1:
        return (values[0], values[0], values[0])
    if len(values) != 3:
        raise ValueError(text)
    return (values[0], values[1], values[2])


def _reference(text: str) -> str | None:
    """Strip options such as `-s 2 2 1`; what is left, blanks included, is the file's name."""
    words = text.split(" ")
    while words and (not words[0] or words[0] in _OPTION_ARGUMENTS):
        option = words.pop(0)
        for _ in range(_OPTION_ARGUMENTS.get(option, 0)):
            if option in ("-o", "-s", "-t", "-mm") and not (
                len(words) > 1 and _is_number(words[0])
            ):
                break
            if len(words) > 1:
                words.pop(0)
    return " ".join(words).strip().strip('"') or None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def material_from_mtl(
    mtl: MtlMaterial, *, texture: Callable[[str], Texture | None], display_colors: bool = False
) -> Material:
    """Turn an MTL block into a material.

    The texture is multiplied by Kd, unless Kd is exactly black: exporters write that beside a texture and mean white.
    d < 1 is thin glass that lets 1 - d pass. Ns gives the roughness, Beckmann's (2 / (Ns + 2))^(1/4) (Walter et al.,
    EGSR 2007), faded out as Ks falls; illum 3 and 5 (ray-traced mirrors) with a dark Kd and a bright Ks become metal.

    Args:
        mtl: The block.
        texture: Finds the texture of a reference, or None where there is none; called for `map_Kd`, `map_d`, `map_Ke`.
        display_colors: Kd and Ks are display values (sRGB), as in files of programs without colour management;
            else they are linear, as Blender writes them.
    """
    image = texture(mtl.map_Kd) if mtl.map_Kd else None
    diffuse = _linear(mtl.Kd) if display_colors else mtl.Kd
    specular = _linear(mtl.Ks) if display_colors else mtl.Ks
    if image is not None and max(mtl.Kd) == 0:
        diffuse = (1.0, 1.0, 1.0)
    transmission = 1 - mtl.d
    if mtl.map_d:
        mask = image if mtl.map_d == mtl.map_Kd else texture(mtl.map_d)
        if mask is not None:
            image, transmission = _masked(image, mask), 0.0
    strength = min(1.0, max(specular))
    roughness = 1 - strength * (1 - (2 / (mtl.Ns + 2)) ** 0.25)
    metallic = 0.0
    if mtl.illum in (3, 5) and strength > 0:
        if max(diffuse) < 0.2 < strength and image is None:
            diffuse, metallic, roughness = specular, 1.0, min(roughness, 0.05)
        else:
            roughness = min(roughness, 0.3)
    if transmission > 0:
        roughness = min(roughness, 0.1)
    return Material(
        name=mtl.name,
        base_color=_unit(diffuse),
        texture=image,
        metallic=metallic,
        roughness=roughness,
        transmission=transmission,
        emission=mtl.Ke,
    )


def _unit(color: Color) -> Color:
    red, green, blue = (min(1.0, max(0.0, value)) for value in color)
    return (red, green, blue)


def _linear(color: Color) -> Color:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in _unit(color)
    )
    return (red, green, blue)


def _masked(image: Texture | None, mask: Texture) -> Texture:
    """Put a mask into the alpha of an image, at the image's size; its own alpha counts, else its brightness."""
    own = mask.pixels[..., 3]
    alpha = own if (own < 255).any() else mask.pixels[..., :3].max(axis=2)
    if image is None:
        pixels = np.full((*alpha.shape, 4), 255, np.uint8)
    else:
        pixels = image.pixels.copy()
        rows = np.arange(pixels.shape[0]) * alpha.shape[0] // pixels.shape[0]
        columns = np.arange(pixels.shape[1]) * alpha.shape[1] // pixels.shape[1]
        alpha = alpha[rows][:, columns]
    pixels[..., 3] = alpha
    return Texture(pixels=pixels)
