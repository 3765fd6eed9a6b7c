"""Compiled calls of Embree's packet functions: sixteen rays at a time.

A packet is RTCRayHit16: 21 rows of 16 lanes, named below; `bits` is the same memory as integers.
"""

import typing
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int32, UInt32
from numba import types

from scenelift.render.engines.embree.kernels import inlined, inlined_exact, kernel
from scenelift.render.engines.embree.library import PACKET_LANES, PACKET_ROWS, aligned_zeros
from scenelift.render.engines.embree.surface import is_hole

OX, OY, OZ, TNEAR, DX, DY, DZ, TIME, TFAR, MASK, RAY_ID, FLAGS = range(12)
NGX, NGY, NGZ, HIT_U, HIT_V, PRIM, GEOM, INST, INST_PRIM = range(12, 21)
NO_HIT = np.uint32(0xFFFFFFFF)
OPAQUE, TRANSPARENT, ALL_SURFACES = np.uint32(1), np.uint32(2), np.uint32(3)
MAX_HOLES = 64
"""A ray that passes more cut-outs than this counts as a miss: stacked foliage ends, a hang does not happen."""

_SIGNATURE = types.void(types.intp, types.intp, types.intp, types.intp)
intersect16 = types.ExternalFunction("rtcIntersect16", _SIGNATURE)
occluded16 = types.ExternalFunction("rtcOccluded16", _SIGNATURE)


class Packet(NamedTuple):
    """Memory for one RTCRayHit16 and its lane switches, all on cache lines."""

    rows: Float32[np.ndarray, "21 16"]
    bits: UInt32[np.ndarray, "21 16"]
    """The same memory."""
    lanes: Int32[np.ndarray, "16"]
    """-1 = cast this lane, 0 = leave it."""
    asked: Int32[np.ndarray, "16"]
    """Room for a copy of the switches: casting turns them off."""


def new_packet() -> Packet:
    """Make room for sixteen rays."""
    rows = aligned_zeros(PACKET_ROWS * PACKET_LANES).reshape(PACKET_ROWS, PACKET_LANES)
    switches = aligned_zeros(2 * PACKET_LANES).view(np.int32)
    return Packet(
        rows=rows,
        bits=rows.view(np.uint32),
        lanes=switches[:PACKET_LANES],
        asked=switches[PACKET_LANES:],
    )


@kernel
@typing.no_type_check
def intersect_packet(bvh, arguments, packet, bits, lanes, tables):
    """Find the first hits of the lanes that are on, past holes; afterwards lane i hit `face_of(i)` at TFAR."""
    for i in range(16):
        packet[TFAR, i] = np.inf
        packet[TIME, i] = 0.0
        bits[MASK, i] = ALL_SURFACES
        bits[FLAGS, i] = np.uint32(0)
        bits[GEOM, i] = NO_HIT
    intersect16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
    if not tables.has_cutouts:
        return
    for _ in range(MAX_HOLES):
        again = False
        for i in range(16):
            if lanes[i] == 0:
                continue
            lanes[i] = 0
            if bits[GEOM, i] != np.uint32(1):
                continue
            face = tables.num_opaque + np.int64(bits[PRIM, i])
            if is_hole(tables, face, packet[HIT_U, i], packet[HIT_V, i]):
                lanes[i] = -1
                again = True
                packet[TNEAR, i] = packet[TFAR, i] * np.float32(1.000001) + np.float32(1e-7)
                packet[TFAR, i] = np.inf
                bits[GEOM, i] = NO_HIT
        if not again:
            return
        intersect16(lanes.ctypes.data, bvh, packet.ctypes.data, arguments)
    for i in range(16):
        if lanes[i] != 0:
            bits[GEOM, i] = NO_HIT


@inlined_exact
@typing.no_type_check
def face_of(bits, lane, num_opaque):
    """The face that a lane hit, -1 = none."""
    geometry = bits[GEOM, lane]
    if geometry == NO_HIT:
        return np.int64(-1)
    face = np.int64(bits[PRIM, lane])
    if geometry == np.uint32(1):
        face += num_opaque
    return face


@inlined
@typing.no_type_check
def plane_distance(tables, face, ox, oy, oz, dx, dy, dz, t):
    """Sharpen Embree's float32 distance by the triangle's plane in float64; keep it where the ray grazes."""
    n = tables.planes[face]
    slope = n[0] * dx + n[1] * dy + n[2] * dz
    if abs(slope) < 1e-12:
        return np.float64(t)
    exact = (n[3] - n[0] * ox - n[1] * oy - n[2] * oz) / slope
    if not abs(exact - t) < 1e-3 * t + 1e-5:
        return np.float64(t)
    return exact


@kernel
@typing.no_type_check
def cast_camera(bvh, arguments, tables, memory, eye, rotation, focal, face, uvt):
    """Cast one ray through each pixel's centre, in tiles of 4 x 4; t is the depth along the optical axis.

    Writes the face (-1 = none) and (u, v, t) of each pixel.
    """
    h, w = face.shape
    packet, bits, lanes = memory.rows, memory.bits, memory.lanes
    for top in range(0, h, 4):
        for left in range(0, w, 4):
            for i in range(16):
                y, x = top + i // 4, left + i % 4
                lanes[i] = -1 if (y < h and x < w) else 0
                cx, cy = (x + 0.5 - 0.5 * w) / focal, (0.5 * h - y - 0.5) / focal
                packet[OX, i], packet[OY, i], packet[OZ, i] = eye[0], eye[1], eye[2]
                packet[DX, i] = rotation[0, 0] * cx + rotation[0, 1] * cy - rotation[0, 2]
                packet[DY, i] = rotation[1, 0] * cx + rotation[1, 1] * cy - rotation[1, 2]
                packet[DZ, i] = rotation[2, 0] * cx + rotation[2, 1] * cy - rotation[2, 2]
                packet[TNEAR, i] = 0.0
            intersect_packet(bvh, arguments, packet, bits, lanes, tables)
            for i in range(16):
                y, x = top + i // 4, left + i % 4
                if y < h and x < w:
                    face[y, x] = face_of(bits, i, tables.num_opaque)
                    uvt[y, x, 0] = packet[HIT_U, i]
                    uvt[y, x, 1] = packet[HIT_V, i]
                    uvt[y, x, 2] = packet[TFAR, i]


@kernel
@typing.no_type_check
def cast_rays(bvh, arguments, tables, memory, origins, directions, distance, instance):
    """Cast arbitrary rays; writes the distance in units of each direction (inf) and the instance (0)."""
    packet, bits, lanes = memory.rows, memory.bits, memory.lanes
    count = origins.shape[0]
    for first in range(0, count, 16):
        for i in range(16):
            k = min(first + i, count - 1)
            o, d = origins[k], directions[k]
            length = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
            reach = abs(o[0]) + abs(o[1]) + abs(o[2])
            lanes[i] = -1 if (first + i < count and 0 < length < 1e30 and reach < 1e18) else 0
            if lanes[i] == 0:
                continue
            packet[OX, i], packet[OY, i], packet[OZ, i] = o[0], o[1], o[2]
            packet[DX, i], packet[DY, i], packet[DZ, i] = d[0], d[1], d[2]
            packet[TNEAR, i] = 0.0
        for i in range(16):
            memory.asked[i] = lanes[i]
        intersect_packet(bvh, arguments, packet, bits, lanes, tables)
        for i in range(min(16, count - first)):
            k = first + i
            distance[k] = np.inf
            instance[k] = 0
            face = face_of(bits, i, tables.num_opaque)
            if memory.asked[i] == 0 or face < 0:
                continue
            o, d = origins[k], directions[k]
            distance[k] = plane_distance(
                tables, face, o[0], o[1], o[2], d[0], d[1], d[2], packet[TFAR, i]
            )
            instance[k] = tables.face_instance[face]
