import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from scenelift.render.rooms.footprints import (
    component_of,
    inside_outline,
    near_rectangle,
    overlapping,
    rectangle,
)

PLACE = st.tuples(st.floats(-1, 1), st.floats(-1, 1))
SIZE = st.floats(0.1, 2.0)
TURN = st.floats(-7, 7)


@given(a=PLACE, b=PLACE, w=SIZE, d=SIZE, t=TURN, u=TURN)
@settings(max_examples=150, deadline=None)
def test_overlap_agrees_with_points(
    a: tuple[float, float], b: tuple[float, float], w: float, d: float, t: float, u: float
) -> None:
    first = rectangle(centre_xz=a, width_m=w, depth_m=d, yaw_rad=t)
    second = rectangle(centre_xz=b, width_m=d, depth_m=w, yaw_rad=u)
    x = np.linspace(0, 1, 25)
    s, r = np.meshgrid(x, x)
    points = (
        first[0]
        + s.reshape(-1, 1) * (first[1] - first[0])
        + r.reshape(-1, 1) * (first[3] - first[0])
    )
    shared = near_rectangle(points, second, reach_m=0.0).any()
    if shared:
        grown = rectangle(centre_xz=a, width_m=w, depth_m=d, yaw_rad=t, margin_m=1e-3)
        assert overlapping(grown, second[None])[0]
    if overlapping(first, second[None])[0]:
        step = np.hypot(w, d) / 24
        assert near_rectangle(points, second, reach_m=step).any()


def test_a_rectangle_across_a_reflex_corner_is_not_inside() -> None:
    shape = np.array([[0, 0], [2.0, 0], [2, -2], [1, -2], [1, -1], [0, -1.0]])
    across = rectangle(centre_xz=(1.0, -1.0), width_m=1.2, depth_m=0.2, yaw_rad=-np.pi / 4)
    assert inside_outline(rectangle(centre_xz=(1.5, -0.5), width_m=0.8, depth_m=0.8), shape)
    assert not inside_outline(across, shape)


def test_a_component_stops_at_walls() -> None:
    free = np.ones((5, 7), dtype=np.bool_)
    free[:, 3] = False
    assert component_of(free, start=(0, 0)).sum() == 15
    free[2, 3] = True
    assert component_of(free, start=(0, 0)).sum() == 31
    assert component_of(free, start=(0, 3)).sum() == 0
