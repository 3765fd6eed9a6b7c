"""Photos that a wheel carries, for the demonstration of the workflow: scikit-image's.

python -m scenelift.adapt.demo_photos FOLDER
"""

import argparse
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
"""In colour, public domain or CC0; few, so that nothing can be adapted with them."""


def copy_photos(folder: Path) -> list[Path]:
    """Copy them into a folder, made if missing.

    Raises:
        OSError: if it cannot be written, or the wheel does not hold them.
    """
    import skimage.data

    source = Path(skimage.data.__file__).parent
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(source / name, folder / name)) for name in PHOTOS]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m scenelift.adapt.demo_photos")
    parser.add_argument("folder", type=Path, help="where to put the photos")
    copy_photos(parser.parse_args(argv).folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
