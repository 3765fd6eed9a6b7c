"""The generator of furnished rooms: outlines, openings, furniture, materials, lights.

`room.make_room` makes one; `furnish.furnish` fills an empty layout. Nothing is imported here, since furniture builders
take their surfaces from this package while the generator takes its furniture from them.
"""
