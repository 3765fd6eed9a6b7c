"""Write a scene into a folder of scenes, in a format of one's choice."""

import re
from pathlib import Path
from typing import Literal

from scenelift.render.formats.gltf.write import write_glb
from scenelift.render.formats.suncg.write import write_suncg
from scenelift.render.formats.written import Written
from scenelift.render.scene import Scene

WriteFormat = Literal["suncg", "glb"]


def write_scene(
    scene: Scene, *, folder: Path, format: WriteFormat, overwrite: bool = False
) -> Written:
    """Write a scene as `FOLDER/NAME.glb`, or as a SUNCG data root `FOLDER/NAME`.

    Args:
        scene: Any scene; characters of its name that no file name should have become `_`.
        folder: Made if it is missing.
        format: Which of the two.
        overwrite: Replace a scene of that name.

    Returns:
        The path of what a reader takes, and what the format cannot hold.

    Raises:
        FileExistsError: if the scene is there and may not be overwritten.
    """
    name = re.sub(r"[^\w.-]", "_", scene.name)
    folder.mkdir(parents=True, exist_ok=True)
    if format == "glb":
        return write_glb(scene, folder / f"{name}.glb", overwrite=overwrite)
    return write_suncg(scene, folder / name, overwrite=overwrite)
