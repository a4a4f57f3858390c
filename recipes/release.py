"""Put a run's weights into the package.

    python recipes/release.py RUN NAME [--table TABLE.md] [--note "..."] [--caution "one line"]

Only the generator is kept, in half precision, in parts under 16 MiB; the card says what made it.
A note stands in the card; a caution is also logged whenever the weights are used.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from unmetal.weights import checkpoint
from unmetal.weights.released import folder_of

CARD = """# {name}

`{method}` for metal artifact reduction in CT. **Research use only.**

| | |
|---|---|
| configuration | {method_config_line} |
| data | {data_line} |
| training | {training_line} |
| samples seen | {samples} |
| input on validation patients | {before[psnr]:.2f} dB, SSIM {before[ssim]:.3f} |
| output on validation patients | {validation[psnr]:.2f} dB, SSIM {validation[ssim]:.3f} |
| patients | {patients_line} |
| hardware | {hardware} |
| commit | {commit} |

The numbers are the ADN paper's metrics (window 0 to 0.5 per cm) on simulated titanium in slices of
{held} patients that took no part in the training{coarse}. {learned}
Do not read the integrity of hardware, bone density or dose from its output.
"""

UNPAIRED = """Learned from simulated affected slices of one half of the patients and clean slices
of the other."""
PAIRED = "Learned from pairs, simulated on the slices of all training patients."


def in_a_line(values: dict[str, Any]) -> str:
    """`width 16, downs 2, ...`; what is nested is taken apart."""
    flat = [
        in_a_line(value) if isinstance(value, dict) else f"{name.replace('_', ' ')} {value}"
        for name, value in values.items()
        if value != {}
    ]
    return ", ".join(flat)


def main(run: Path, name: str, table: Path | None, note: str, caution: str) -> None:
    state, card = checkpoint.load(run / "weights")
    config = json.loads((run / "config.json").read_text())
    half = {key: value.half() for key, value in state.items() if key.startswith("generator.")}
    card |= {"name": name, "patients": config["data"], "caution": caution}
    folder = folder_of(name)
    for path in checkpoint.save(folder / name, half, card):
        print(path, f"{path.stat().st_size / 2**20:.1f} MiB")
    text = CARD.format(
        **card,
        **{f"{part}_line": in_a_line(card[part]) for part in ("method_config", "data", "training")},
        held=len(card["patients"]["validation"]),
        patients_line=", ".join(f"{len(who)} {role}" for role, who in card["patients"].items()),
        hardware=f"{config['device']}, PyTorch {config['versions']['torch']}",
        coarse=", at half the resolution" if card["data"]["downsample"] == 2 else "",
        learned=UNPAIRED if card["data"].get("disjoint_patients", True) else PAIRED,
    )
    text += f"\n{note}\n" if note else ""
    text += f"\n**Caution**: {caution}\n" if caution else ""
    text += f"\n{table.read_text()}" if table else ""
    (folder / "card.md").write_text(text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("run", type=Path)
    parser.add_argument("name")
    parser.add_argument("--table", type=Path)
    parser.add_argument("--note", default="")
    parser.add_argument("--caution", default="")
    main(**vars(parser.parse_args()))
