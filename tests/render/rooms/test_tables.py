from scenelift.render.furniture.builders import KINDS
from scenelift.render.furniture.sweethome3d_classes import classify
from scenelift.render.rooms.clutter import FLOOR_THINGS, THINGS
from scenelift.render.rooms.outline import ROOM_KINDS
from scenelift.render.rooms.tables import ROOMS

ONLY_IN_LIBRARIES = frozenset(
    [
        "round table",
        "chest",
        "suitcase",
        "hat",
        "food",
        "jar",
        "mixer",
        "newspaper",
        "radio",
        "tablet",
        "headphones",
        "remote",
        "alarm clock",
        "wall hooks",
        "doormat",
        "bath mat",
        "bidet",
        "filing cabinet",
    ]
)
"""Words of the tables for which there is no builder; libraries of models may have them."""


def test_every_kind_of_room_has_its_tables() -> None:
    assert set(ROOMS) == set(FLOOR_THINGS) == set(ROOM_KINDS)


def test_tables_speak_the_words_of_the_builders() -> None:
    words = {kind for groups in ROOMS.values() for group in groups for kind in group.main}
    words |= {
        kind
        for groups in ROOMS.values()
        for group in groups
        for part in group.parts
        for kind in part.kinds
    }
    words |= {kind for things in THINGS.values() for thing in things for kind in thing.kinds}
    words |= {kind for kinds in FLOOR_THINGS.values() for kind in kinds}
    words |= set(THINGS) - {"window"}
    assert words - set(KINDS) <= ONLY_IN_LIBRARIES


def test_names_of_catalogues_are_understood() -> None:
    size = (0.5, 0.8, 0.5)

    def kind(name: str, category: str = "Living room") -> str | None:
        meaning = classify(name, category=category, size_m=size, elevation_m=0.0)
        return None if meaning is None else meaning.kind

    assert kind("Chair") == "dining chair"
    assert kind("Chair", "Office") == "office chair"
    assert kind("Sofa 2 seats") == ""  # half a metre is no sofa
    assert kind("Female", "Characters") is None
    assert kind("A thing nobody knows") == ""
