"""Compiled look-ups on a triangle: texture coordinates, texels, reflectance, holes."""

import math
import typing

import numpy as np

from scenelift.render.engines.embree.kernels import inlined, inlined_exact


@inlined
@typing.no_type_check
def uv_at(tables, face, u, v):
    """Texture coordinates at barycentric (u, v)."""
    if tables.uvs.shape[0] == 0:
        return 0.0, 0.0
    w = 1.0 - u - v
    row = tables.uvs[face]
    return w * row[0] + u * row[2] + v * row[4], w * row[1] + u * row[3] + v * row[5]


@inlined_exact
@typing.no_type_check
def _byte(word, shift):
    return np.uint32(np.uint32(word >> np.uint32(shift)) & np.uint32(255))


@inlined
@typing.no_type_check
def texel(tables, texture, level, s, t):
    """Bilinear linear RGB and alpha of a repeating texture; (0, 0) is its lower left corner."""
    row = tables.textures[texture]
    start, w, h = row[0], row[1], row[2]
    for _ in range(level):
        start += w * h
        w, h = max(w // 2, 1), max(h // 2, 1)
    x = (s - math.floor(s)) * w - 0.5
    y = (1.0 - (t - math.floor(t))) * h - 0.5
    x0, y0 = math.floor(x), math.floor(y)
    fx, fy = x - x0, y - y0
    x1 = x0 + 1 if x0 + 1 < w else 0
    y1 = y0 + 1 if y0 + 1 < h else 0
    x0 = min(x0, w - 1) if x0 >= 0 else w - 1
    y0 = min(y0, h - 1) if y0 >= 0 else h - 1
    words, lut = tables.texels, tables.linear_of_srgb
    above, below = start + y0 * w, start + y1 * w
    a, b, c, d = words[above + x0], words[above + x1], words[below + x0], words[below + x1]
    wb, wc, wd = np.float32(fx * (1.0 - fy)), np.float32((1.0 - fx) * fy), np.float32(fx * fy)
    wa = np.float32(1.0) - wb - wc - wd
    red = wa * lut[_byte(a, 0)] + wb * lut[_byte(b, 0)]
    red += wc * lut[_byte(c, 0)] + wd * lut[_byte(d, 0)]
    green = wa * lut[_byte(a, 8)] + wb * lut[_byte(b, 8)]
    green += wc * lut[_byte(c, 8)] + wd * lut[_byte(d, 8)]
    blue = wa * lut[_byte(a, 16)] + wb * lut[_byte(b, 16)]
    blue += wc * lut[_byte(c, 16)] + wd * lut[_byte(d, 16)]
    alpha = wa * _byte(a, 24) + wb * _byte(b, 24) + wc * _byte(c, 24) + wd * _byte(d, 24)
    return red, green, blue, alpha / 255.0


@inlined
@typing.no_type_check
def reflectance(tables, face, u, v, level):
    """Linear base colour at a hit: material times texture times vertex colours."""
    material = tables.face_material[face]
    red = np.float64(tables.materials[material, 0])
    green = np.float64(tables.materials[material, 1])
    blue = np.float64(tables.materials[material, 2])
    texture = tables.material_texture[material]
    if texture >= 0:
        s, t = uv_at(tables, face, u, v)
        tr, tg, tb, _ = texel(tables, texture, level, s, t)
        red, green, blue = red * tr, green * tg, blue * tb
    if tables.colors.shape[0] > 0:
        w = 1.0 - u - v
        row = tables.colors[face]
        red *= w * row[0] + u * row[3] + v * row[6]
        green *= w * row[1] + u * row[4] + v * row[7]
        blue *= w * row[2] + u * row[5] + v * row[8]
    return red, green, blue


@inlined
@typing.no_type_check
def is_hole(tables, face, u, v):
    """Whether opacity times the texture's alpha is below a half."""
    material = tables.face_material[face]
    texture = tables.material_texture[material]
    if texture < 0:
        return False
    s, t = uv_at(tables, face, u, v)
    _, _, _, alpha = texel(tables, texture, 0, s, t)
    return alpha * tables.materials[material, 3] < 0.5


@inlined
@typing.no_type_check
def level_for(tables, face, footprint):
    """The level of a texture's pyramid whose texels are about as large as a footprint in metres."""
    texture = tables.material_texture[tables.face_material[face]]
    if texture < 0 or tables.uv_density.shape[0] == 0:
        return 0
    side = math.sqrt(tables.textures[texture, 1] * tables.textures[texture, 2])
    texels = footprint * tables.uv_density[face] * side
    level = 0
    last = tables.textures[texture, 3] - 1
    while texels > 1.5 and level < last:
        texels *= 0.5
        level += 1
    return level
