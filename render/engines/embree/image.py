"""Whole images by the path tracer: anti-aliased radiance with the guides that a denoiser wants."""

import typing

import numpy as np

from scenelift.render.engines.embree.kernels import kernel
from scenelift.render.engines.embree.packets import (
    DX,
    DY,
    DZ,
    HIT_U,
    HIT_V,
    OX,
    OY,
    OZ,
    TFAR,
    TNEAR,
    face_of,
    intersect_packet,
)
from scenelift.render.engines.embree.path import HIT, THR, trace_paths
from scenelift.render.engines.embree.sampling import morton, pair, reverse_bits

TILE = 32


@kernel
@typing.no_type_check
def trace_image(
    bvh,
    coherent,
    incoherent,
    tables,
    lights,
    memory,
    eye,
    rotation,
    focal,
    samples,
    spacing,
    seed,
    bounces,
    soften,
    radiance,
    albedo,
    normal,
):
    """Average `samples` paths a pixel through points spread over each pixel (a box filter).

    Writes radiance, and the averages of reflectance and of world normals where paths first scatter.
    """
    h, w = radiance.shape[0], radiance.shape[1]
    packet, bits, lanes = memory.packet.rows, memory.packet.bits, memory.packet.lanes
    paths, faces, indices, pixels = memory.paths, memory.faces, memory.indices, memory.pixels
    out, guides = memory.out, memory.guides
    share = 1.0 / samples
    for top in range(0, h, TILE):
        for left in range(0, w, TILE):
            count = 0
            for by in range(top, min(top + TILE, h), 4):
                for bx in range(left, min(left + TILE, w), 4):
                    for i in range(16):
                        y, x = by + i // 4, bx + i % 4
                        if y < h and x < w:
                            pixels[count, 0], pixels[count, 1] = x, y
                            count += 1
            for sample in range(samples):
                for first in range(0, count, 16):
                    many = min(16, count - first)
                    for i in range(16):
                        lanes[i] = -1 if i < many else 0
                        if i >= many:
                            continue
                        k = first + i
                        x, y = pixels[k, 0], pixels[k, 1]
                        number = np.uint32(
                            np.uint32(morton(x, y) * np.uint32(spacing)) + np.uint32(sample)
                        )
                        indices[k] = reverse_bits(number)
                        a, b = pair(indices[k], seed, 0, 7)
                        cx, cy = (x + a - 0.5 * w) / focal, (0.5 * h - y - b) / focal
                        dx = rotation[0, 0] * cx + rotation[0, 1] * cy - rotation[0, 2]
                        dy = rotation[1, 0] * cx + rotation[1, 1] * cy - rotation[1, 2]
                        dz = rotation[2, 0] * cx + rotation[2, 1] * cy - rotation[2, 2]
                        scale = 1.0 / np.sqrt(dx * dx + dy * dy + dz * dz)
                        p = paths[k]
                        p[:] = 0.0
                        p[0], p[1], p[2] = eye[0], eye[1], eye[2]
                        p[3], p[4], p[5] = dx * scale, dy * scale, dz * scale
                        p[THR], p[THR + 1], p[THR + 2] = 1.0, 1.0, 1.0
                        packet[OX, i], packet[OY, i], packet[OZ, i] = p[0], p[1], p[2]
                        packet[DX, i], packet[DY, i], packet[DZ, i] = p[3], p[4], p[5]
                        packet[TNEAR, i] = 0.0
                    intersect_packet(bvh, coherent, packet, bits, lanes, tables)
                    for i in range(many):
                        k = first + i
                        faces[k] = face_of(bits, i, tables.num_opaque)
                        paths[k, HIT] = packet[HIT_U, i]
                        paths[k, HIT + 1] = packet[HIT_V, i]
                        paths[k, HIT + 2] = packet[TFAR, i]
                out[:] = 0.0
                guides[:] = 0.0
                trace_paths(
                    bvh,
                    incoherent,
                    tables,
                    lights,
                    memory,
                    count,
                    seed,
                    bounces,
                    soften,
                    False,
                    0.0,
                )
                for k in range(count):
                    x, y = pixels[k, 0], pixels[k, 1]
                    for c in range(3):
                        value = out[k, c]
                        if value >= 0.0 and value < 1e30:
                            radiance[y, x, c] += share * value
                        albedo[y, x, c] += share * guides[k, c]
                        normal[y, x, c] += share * guides[k, 3 + c]
