"""Who made the things in a room, and under which licence."""

from collections.abc import Iterable

from scenelift.render.rooms.place import Placed

OWN = "Apache-2.0"


def licences_of(placed: Iterable[Placed], *, first: str = OWN) -> str:
    """Return all licences of placed objects, each with the creators that it asks to name.

    Args:
        placed: The objects.
        first: Licence of the room itself.
    """
    creators: dict[str, list[str]] = {first: []}
    for item in placed:
        thing = item.furniture
        names = creators.setdefault(" ".join(thing.licence.split()), [])
        if thing.creator and thing.creator not in names:
            names.append(thing.creator)
    return "; ".join(
        f"{licence} ({', '.join(sorted(names))})" if names else licence
        for licence, names in creators.items()
        if licence
    )
