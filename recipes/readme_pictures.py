"""Shrink the pictures of `make demo` to those that README.md shows.

    make demo
    python recipes/readme_pictures.py
"""

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).resolve().parent.parent

WIDTH = 1400
"""Pixels; a page shows no more."""


def main() -> None:
    for name in ("chest_port.png", "hips.png"):
        with Image.open(ROOT / "demo-out" / name) as picture:
            size = (WIDTH, round(picture.height * WIDTH / picture.width))
            small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
        # 256 colours make a third of the bytes, and no difference to the eye.
        palette = small.quantize(256, dither=Image.Dither.NONE)
        palette.save(ROOT / "docs" / "images" / name, optimize=True)


if __name__ == "__main__":
    main()
