import numpy as np
import pytest

from scenelift.render.rooms.drafting import MeshDraft
from scenelift.render.rooms.footprints import rectangle
from scenelift.render.rooms.supports import FREE_M, find_supports
from scenelift.render.rooms.surfaces import Finish
from scenelift.render.scene import Material

PLAIN = Finish(material=Material(name="plain"))


def shelf() -> MeshDraft:
    """Three boards 2 cm thick at 0.3 m steps between two sides, with a back, open to +z."""
    draft = MeshDraft()
    for y in (0.0, 0.3, 0.6):
        draft.box((-0.5, y, -0.15), (0.5, y + 0.02, 0.15), finish=PLAIN)
    for x in (-0.52, 0.5):
        draft.box((x, 0.0, -0.15), (x + 0.02, 0.62, 0.15), finish=PLAIN)
    draft.box((-0.5, 0.0, -0.16), (0.5, 0.62, -0.151), finish=PLAIN)
    return draft


def test_a_shelf_has_its_boards_and_their_free_heights() -> None:
    supports = find_supports(shelf().mesh())
    assert [s.y_m for s in supports] == pytest.approx([0.02, 0.32, 0.62])
    for support in supports[:2]:
        middle = support.clear_m[support.clear_m.shape[0] // 2, support.clear_m.shape[1] // 2]
        assert middle == pytest.approx(0.28)
    assert supports[2].clear_m[supports[2].solid].max() == FREE_M


def test_a_shelf_carries_what_fits_and_nothing_else() -> None:
    board = find_supports(shelf().mesh())[0]
    book = rectangle(centre_xz=(0.1, 0.0), width_m=0.2, depth_m=0.15)
    assert board.carries(book, height_m=0.25)
    assert not board.carries(book, height_m=0.28)
    assert not board.carries(book + np.array([0.35, 0.0]), height_m=0.1)
    assert not board.carries(book + 3.0, height_m=0.1)


def test_a_closed_cabinet_carries_only_on_its_top() -> None:
    draft = shelf()
    draft.box((-0.52, 0.0, 0.151), (0.52, 0.62, 0.16), finish=PLAIN)
    assert [s.y_m for s in find_supports(draft.mesh())] == pytest.approx([0.62])


def test_slanted_and_tiny_surfaces_carry_nothing() -> None:
    draft = MeshDraft()
    draft.quad(
        np.array([(0, 0, 0.5), (1, 0, 0.5), (1, 0.1, -0.5), (0, 0.1, -0.5)], dtype=float),
        finish=PLAIN,
    )
    draft.box((2.0, 0.0, 0.0), (2.05, 0.3, 0.05), finish=PLAIN)
    assert find_supports(draft.mesh()) == ()
