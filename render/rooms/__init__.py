"""The generator of furnished rooms: outlines, openings, furniture, materials, lights."""
