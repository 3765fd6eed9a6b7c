"""What tests of meshes ask: areas, volumes, parts, closedness."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components


def corners_of(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Float[np.ndarray, "f 3 3"]:
    """Return the corners of each triangle."""
    return np.asarray(vertices[faces])


def cross_products(triangles: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f 3"]:
    """Return normals whose length is twice the area."""
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])


def signed_volume(triangles: Float[np.ndarray, "f 3 3"]) -> float:
    """Return the enclosed volume of a closed surface, positive if its triangles face outwards."""
    return float(np.einsum("ij,ij->", triangles[:, 0], cross_products(triangles)) / 6)


def welded(vertices: Float[np.ndarray, "v 3"]) -> Int[np.ndarray, " v"]:
    """Return an index that is equal for vertices at the same place, to a tenth of a micrometre."""
    return np.unique(np.round(vertices, 7) + 0.0, axis=0, return_inverse=True)[1].reshape(-1)


def is_closed(vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]) -> bool:
    """Whether every edge is run through once in each direction."""
    corner = welded(vertices)[faces]
    edges = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]], corner[:, [2, 0]]])
    there = {tuple(edge) for edge in edges.tolist()}
    return len(there) == len(edges) and all((b, a) in there for a, b in there)


def parts(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"]
) -> Int[np.ndarray, " v"]:
    """Return the number of the connected part to which each vertex belongs."""
    place = welded(vertices)
    corner = place[faces]
    pairs = np.concatenate([corner[:, [0, 1]], corner[:, [1, 2]]])
    size = int(place.max()) + 1
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(size, size))
    return np.asarray(connected_components(graph, directed=False)[1][place])


def clusters(points: Float[np.ndarray, "n k"], *, distance: float) -> int:
    """Count groups of points; points nearer than `distance` are in one group."""
    gaps = np.linalg.norm(points[:, None] - points[None], axis=2)
    return int(connected_components(gaps < distance, directed=False)[0])


def on_bounding_box(
    triangles: Float[np.ndarray, "f 3 3"], *, tolerance: float
) -> Bool[np.ndarray, " f"]:
    """Return which triangles lie flat on a side of the bounding box."""
    low, high = triangles.min(axis=(0, 1)), triangles.max(axis=(0, 1))
    near = (np.abs(triangles - low) < tolerance).all(axis=1)
    far = (np.abs(triangles - high) < tolerance).all(axis=1)
    return np.asarray((near | far).any(axis=1))
