"""Choose the surfaces of a room's shell: floors, walls, ceilings, skirting, joinery."""

import numpy as np

from scenelift.render.furniture.builders import Palette
from scenelift.render.rooms.openings import Joinery
from scenelift.render.rooms.shell import RoomPlan, Surfaces
from scenelift.render.rooms.surfaces import Family, Finish, make_finish

_FLOORS: dict[str, dict[Family, float]] = {
    "kitchen": {"tile": 0.55, "stone": 0.1, "laminate": 0.2, "parquet": 0.15},
    "bathroom": {"tile": 0.8, "stone": 0.12, "marble": 0.08},
    "hallway": {"tile": 0.3, "parquet": 0.35, "laminate": 0.25, "carpet": 0.1},
    "": {"parquet": 0.4, "laminate": 0.25, "carpet": 0.27, "tile": 0.08},
}
_WALLS: dict[Family, float] = {"paint": 0.55, "plaster": 0.22, "wallpaper": 0.23}


def _pick(shares: dict[Family, float], *, rng: np.random.Generator) -> Family:
    families = list(shares)
    weights = np.array([shares[family] for family in families])
    return families[int(rng.choice(len(families), p=weights / weights.sum()))]


def sample_surfaces(plan: RoomPlan, *, palette: Palette, rng: np.random.Generator) -> Surfaces:
    """Draw what floor, walls, ceiling and joinery are made of."""
    wet = plan.kind in ("bathroom", "kitchen")
    wall = make_finish("paint" if wet else _pick(_WALLS, rng=rng), rng=rng)
    walls = [wall] * len(plan.walls)
    if not wet and rng.random() < 0.3:
        special = make_finish(
            _pick({"paint": 0.4, "wallpaper": 0.45, "brick": 0.15}, rng=rng), rng=rng
        )
        walls[int(np.argmax([line.length_m + rng.uniform(0, 2) for line in plan.walls]))] = special
    lower, lower_m = _lower(plan, rng=rng)
    crown = 0.0 if rng.random() < 0.7 else float(rng.uniform(0.05, 0.1))
    trim = palette.white if rng.random() < 0.65 else palette.wood
    bare = plan.kind == "kitchen" or (lower is not None and plan.kind == "bathroom")
    return Surfaces(
        floor=make_finish(_pick(_FLOORS.get(plan.kind, _FLOORS[""]), rng=rng), rng=rng),
        ceiling=make_finish("paint", rng=rng, color=_white(rng)),
        walls=tuple(walls),
        lower=lower,
        lower_m=lower_m,
        skirting=None if bare else trim,
        skirting_m=(0.0, 0.0) if bare else (rng.uniform(0.05, 0.13), rng.uniform(0.01, 0.018)),
        cornice_m=(crown, crown),
        joinery=_joinery(palette, trim=trim, curtained=0.2 if wet else 0.65, rng=rng),
    )


def _white(rng: np.random.Generator) -> tuple[float, float, float]:
    level = float(rng.uniform(0.74, 0.84))
    return level, level * float(rng.uniform(0.97, 1.0)), level * float(rng.uniform(0.92, 0.99))


def _lower(plan: RoomPlan, *, rng: np.random.Generator) -> tuple[Finish | None, float]:
    if plan.kind == "bathroom":
        full = rng.random() < 0.35
        return make_finish("tile", rng=rng), plan.height_m if full else float(rng.uniform(1.2, 2.1))
    if plan.kind == "kitchen" and rng.random() < 0.5:
        return make_finish("tile", rng=rng), float(rng.uniform(1.45, 1.6))
    if plan.kind in ("hallway", "dining room", "child room") and rng.random() < 0.2:
        family: Family = "lacquer" if rng.random() < 0.5 else "wood"
        return make_finish(family, rng=rng), float(rng.uniform(0.8, 1.1))
    return None, 0.0


def _joinery(
    palette: Palette, *, trim: Finish, curtained: float, rng: np.random.Generator
) -> Joinery:
    frame = trim if rng.random() < 0.7 else palette.white
    return Joinery(
        frame=frame,
        leaf=frame if rng.random() < 0.7 else palette.wood_second,
        metal=palette.chrome if rng.random() < 0.6 else palette.black,
        glass=palette.glass,
        sill=palette.white if rng.random() < 0.6 else palette.counter,
        panels=int(rng.integers(0, 4)),
        sill_out_m=0.03 if rng.random() < curtained else float(rng.uniform(0.04, 0.14)),
    )
