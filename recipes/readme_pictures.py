"""Shrink the pictures of `make demo` to those that README.md shows.

make demo
python recipes/readme_pictures.py
"""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

WIDTH = 1200
"""Pixels. All colours are kept: a palette of 256 has no red left for the metal."""


def main() -> None:
    for name in ("chest_port.png", "hips.png"):
        with Image.open(ROOT / "demo-out" / name) as picture:
            size = (WIDTH, round(picture.height * WIDTH / picture.width))
            small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        small.save(ROOT / "docs" / "images" / name, optimize=True)


if __name__ == "__main__":
    main()
