"""Rows as an evaluation gives them, for the tests of tables and figures."""

ROWS = [
    {"method": method, "group": str(slice_), "slice": slice_, "mask_px": px, "psnr": base + slice_}
    for slice_ in range(4)
    for px in (300, 20)
    for method, base in (("input", 25.0), ("li", 31.0))
]

CASES = [
    {
        "method": method,
        "group": f"{slice_ // 2}",
        "slice": slice_,
        "mask": mask,
        "mask_px": 100 - mask,
        "psnr": base + slice_ + 0.1 * mask,
        "ssim": 0.9,
        "rmse_hu": 90 - base,
    }
    | ({} if method in {"input", "ceiling"} else {"seconds": 0.25})
    for slice_ in range(6)
    for mask in range(2)
    for method, base in (("input", 25.0), ("li", 31.0), ("adn_x", 33.0), ("ceiling", 34.0))
]

FACTS = {
    "li": {"class": "LI", "parameters": 0, "learned": 0, "samples": None, "sha256": None},
    "adn_x": {
        "class": "ADN",
        "parameters": 1_000,
        "learned": 1_500,
        "samples": 60_000,
        "sha256": "f00",
        "evaluated on": "CPU, 1 thread",
        "cost": {"cpu": {"seconds": 1.2345, "mib": 512.3}},
    },
}
