"""Draw one scene with Cycles: runs in Blender's own Python, with nothing but bpy and NumPy.

`python cycles_render.py JOB.json`: the job names a scene (`.npz`), the image's size, and pictures to make; each picture
is written as `.npy` (linear, top row first), and `.json` beside it says how much CPU time its render took.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import bpy  # type: ignore[import-not-found]  # pyright: ignore[reportMissingImports]
import numpy as np


def build(scene: Any) -> None:
    """Make every part of the file an object of diffuse or glowing material."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    world = bpy.data.worlds.new("dark")
    world.color = (0, 0, 0)
    bpy.context.scene.world = world
    for part in range(len(scene["first_face"]) - 1):
        faces = slice(scene["first_face"][part], scene["first_face"][part + 1])
        corners = scene["corners"][faces].reshape(-1, 3)
        mesh = bpy.data.meshes.new(f"part{part}")
        mesh.from_pydata(corners.tolist(), [], np.arange(len(corners)).reshape(-1, 3).tolist())
        mesh.materials.append(_material(scene["base_color"][part], scene["emission"][part]))
        bpy.context.scene.collection.objects.link(bpy.data.objects.new(mesh.name, mesh))


def _material(base_color: np.ndarray, emission: np.ndarray) -> Any:
    material = bpy.data.materials.new("material")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    output = nodes.new("ShaderNodeOutputMaterial")
    diffuse = nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (*base_color.tolist(), 1)
    surface = diffuse.outputs[0]
    if emission.any():
        glow = nodes.new("ShaderNodeEmission")
        glow.inputs["Color"].default_value = (*(emission / emission.max()).tolist(), 1)
        glow.inputs["Strength"].default_value = float(emission.max())
        both = nodes.new("ShaderNodeAddShader")
        material.node_tree.links.new(surface, both.inputs[0])
        material.node_tree.links.new(glow.outputs[0], both.inputs[1])
        surface = both.outputs[0]
    material.node_tree.links.new(surface, output.inputs["Surface"])
    return material


def look(scene: Any, *, width: int, height: int) -> None:
    """Set the camera: our axes are Blender's camera axes, and the world's turn does not matter."""
    lens = bpy.data.cameras.new("camera")
    lens.sensor_fit = "HORIZONTAL"
    lens.lens = float(scene["focal_px"]) / width * lens.sensor_width
    lens.clip_start = 0.01
    camera = bpy.data.objects.new("camera", lens)
    camera.matrix_world = scene["T_world_camera"].T.tolist()
    settings = bpy.context.scene
    settings.collection.objects.link(camera)
    settings.camera = camera
    settings.render.resolution_x, settings.render.resolution_y = width, height
    settings.render.engine = "CYCLES"
    settings.render.use_persistent_data = True
    settings.render.image_settings.file_format = "OPEN_EXR"
    settings.render.image_settings.color_depth = "32"
    settings.cycles.device = "CPU"
    settings.cycles.use_adaptive_sampling = False


def draw(*, samples: int, seed: int, denoise: bool) -> float:
    """Render and return the CPU seconds that it took, all threads together."""
    cycles = bpy.context.scene.cycles
    cycles.samples, cycles.seed, cycles.use_denoising = samples, seed, denoise
    start = time.process_time()
    bpy.ops.render.render(write_still=False)
    return time.process_time() - start


def fetch(path: Path) -> np.ndarray:
    """Return the picture just rendered, through a file, since its pixels cannot be read otherwise."""
    exr = str(path.with_suffix(".exr"))
    bpy.data.images["Render Result"].save_render(exr)
    image = bpy.data.images.load(exr)
    image.colorspace_settings.name = "Non-Color"
    flat = np.zeros(image.size[0] * image.size[1] * 4, np.float32)
    image.pixels.foreach_get(flat)
    bpy.data.images.remove(image)
    Path(exr).unlink()
    pixels = flat.reshape(bpy.context.scene.render.resolution_y, -1, 4)[::-1, :, :3]
    return np.ascontiguousarray(pixels)


def main() -> None:
    """Do the job that the command line names."""
    job = json.loads(Path(sys.argv[-1]).read_text())
    with np.load(job["scene"]) as scene:
        build(scene)
        look(scene, width=job["width"], height=job["height"])
    draw(samples=1, seed=0, denoise=any(picture["denoise"] for picture in job["pictures"]))
    for picture in job["pictures"]:
        path = Path(picture["path"])
        cpu_s = draw(samples=picture["samples"], seed=picture["seed"], denoise=picture["denoise"])
        np.save(path, fetch(path))
        facts = {"cpu_s": cpu_s, "blender": bpy.app.version_string}
        path.with_suffix(".json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main()
