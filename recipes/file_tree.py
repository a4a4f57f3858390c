"""Write the file tree at the end of docs/files.md anew, from what each file says first.

    python recipes/file_tree.py

A Python file explains itself by the first paragraph of its docstring, a package by that of its
`__init__.py`, TypeScript by its first comment; what cannot is named here.
"""

import ast
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

BEGIN, END = "```text tree\n", "```\n"
"""What encloses the tree in docs/files.md."""

PAGE = ROOT / "docs" / "files.md"

LISTED = ("src", "recipes", "benchmarks", "examples", "docs", "frontend")
"""Folders whose files are named one by one. Tests are named by folder, as they mirror src."""

NOTES = {
    ".ci/run": "What continuous integration runs: `make test`.",
    ".gitignore": "What git does not keep.",
    "CHANGELOG.md": "What changed, release by release.",
    "CITATION.cff": "How to cite this software and the papers it stands on.",
    "LICENSE": "Apache-2.0.",
    "constraints.txt": "The newest releases that `make` installs; the package has no such caps.",
    "Makefile": "`make demo`, `make test`, `make benchmarks`: set-up included.",
    "README.md": "What it is, and how to begin.",
    "CONTRIBUTING.md": "How this house is built: rules, and how to add to it.",
    "SECURITY.md": "How to report a weakness, and what the node defends against.",
    "pyproject.toml": "Dependencies, and the rules of the linters and of the layers.",
    "benchmarks": "Each prints one table.",
    "docs": "What does not fit into a docstring.",
    "docs/adn.md": "How ADN is built, trained and used at other sizes.",
    "docs/adn_experiments.md": "What was tried in training ADN on a CPU, and what it did.",
    "docs/add-a-method.md": "One file and one line: a method of your own, trained and evaluated.",
    "docs/clinical.md": "The paper's claim put to numbers: the same methods on other scanners.",
    "docs/conformance.md": "DICOM conformance statement of the node.",
    "docs/derived.md": "What comes out of a reduction as DICOM, and when to distrust it.",
    "docs/export.md": "A network for other programs: `unmetal export`, and what runs it.",
    "docs/images": "Pictures that the demo and the recipes made.",
    "docs/viewer.md": "The viewer: opening, keys, what it defends against, routes.",
    "frontend": "Source of the viewer's page; `make viewer` builds it, which alone needs Node.",
    "frontend/build.mjs": "Bundles the page into the package, the same bytes each time.",
    "frontend/eslint.config.mjs": "Rules of ESLint: strict, with types.",
    "frontend/package-lock.json": "The releases of what checks and bundles it.",
    "frontend/package.json": "What checks and bundles it; nothing of others goes into the page.",
    "frontend/src": "Small modules, each with one concern.",
    "frontend/src/panels": "What stands around the pictures: a file for each panel.",
    "frontend/src/static": "The page's markup and style, and the licence of what is in it.",
    "frontend/tsconfig.json": "Rules of TypeScript: strict.",
    "src/unmetal/viewer/page": "The built page, so that an installation needs no Node.",
    "docs/node.md": "The DICOM node: set up, routing from Orthanc, what survives a crash.",
    "docs/prepare.md": "Cohorts from archives: four kinds, rules, split, and training on them.",
    "docs/files.md": "This page.",
    "docs/measures.md": "What a clinician trusts, measured: definitions, sources, blind spots.",
    "docs/priornet.md": "PriorNet: what it learned from, what it reaches, how to train it again.",
    "docs/results.md": "The classical methods on the paper's test and on another scanner.",
    "docs/table1.md": "Every system of the paper's Table 1 on the same data, as far as CPUs went.",
    "docs/physics.md": "Conventions of geometry and units; the ADN protocol step by step.",
    "examples": "Small real data, each with its licence.",
    "examples/chest_port": "12 DICOM slices with an implanted port, and their licence.",
    "examples/pelvis.LICENSE.txt": "Where the pelvis comes from.",
    "examples/pelvis.nii.gz": "A slice at the height of the femoral heads, without metal.",
    "recipes": "Whole reproductions, and what made the files that come with the package.",
    "recipes/QUEUE.md": "What is trained, what is next.",
    "recipes/adn-ablation.sh": "The paper's ablation, from data to table.",
    "recipes/adn-syn.sh": "ADN from data to weights to table.",
    "recipes/clinical.sh": "What is left of every method on other scanners than SYN's.",
    "recipes/classical-tables.sh": "The tables of docs/results.md.",
    "recipes/table1.sh": "The paper's Table 1: trains what has no weights, evaluates all, draws.",
    "src/unmetal/physics/beam/tables": "The only data in the package.",
    "src/unmetal/physics/beam/tables/attenuation.csv": "Mass attenuation, 20 to 140 keV.",
    "src/unmetal/physics/beam/tables/spectra.csv": "Spectra of the tube, 80 to 140 kVp.",
    "src/unmetal/py.typed": "The package has type hints.",
    "src/unmetal/reduction/report/templates": "The pages that the report is filled into.",
    "src/unmetal/reduction/report/templates/index.html": "The page over the reports of an archive.",
    "src/unmetal/reduction/report/templates/page.css": "How the pages look: on screen and paper.",
    "src/unmetal/reduction/report/templates/page.html": "The report of one series.",
    "src/unmetal/reduction/report/templates/page_pictures.js": "Its pictures in any window.",
    "src/unmetal/reduction/report/templates/page_viewer.js": "One slice large, before and after.",
    "src/unmetal/weights": "Released weights, each with its card.",
    "src/unmetal/weights/adn-syn": "ADN on simulated titanium, from a CPU.",
    "src/unmetal/weights/adn-syn/adn-syn.safetensors": "The generator, in half precision.",
    "src/unmetal/weights/adn-syn/card.md": "What made it, and what it reaches.",
    "src/unmetal/weights/cyclegan-syn": "CycleGAN on simulated titanium, from a CPU.",
    "src/unmetal/weights/cyclegan-syn/card.md": "What made it, and what it reaches.",
    "src/unmetal/weights/cyclegan-syn/cyclegan-syn.safetensors": "Both generators.",
    "src/unmetal/weights/priornet": "PriorNet on broad simulation, from a CPU.",
    "src/unmetal/weights/priornet/card.md": "What made it, and what it reaches.",
    "src/unmetal/weights/priornet/priornet.safetensors": "All three networks, in half precision.",
    "src/unmetal/weights/unet-syn": "The U-Net on simulated titanium, from a CPU.",
    "src/unmetal/weights/unet-syn/card.md": "What made it, and what it reaches.",
    "src/unmetal/weights/unet-syn/unet-syn.safetensors": "The network, in half precision.",
    "tests": "Mirrors src/unmetal.",
    "tests/commands": "The commands as a user types them.",
    "tests/export": "Exported networks against PyTorch, by each runtime.",
    "tests/files": "Every format both ways, and every way a file can be wrong.",
    "tests/viewer": "The viewer's server: who is let in, what is opened, how it ends.",
    "tests/node": "The node: killed, starved, lied to; and a real archive, where there is one.",
    "tests/cohorts": "Archives to cohorts: rules, splits, names that tell nobody.",
    "tests/display": "Pictures of a change.",
    "tests/reduction": "Series in and out, the report, an archive of many.",
    "tests/simulation": "Metal put into volumes.",
    "tests/weights": "Weights, cards, and methods with them.",
    "tests/evaluation": "Test sets, rows, tables and figures.",
    "tests/methods": "Each method on a small phantom, and the order among them.",
    "tests/metrics": "Against scikit-image, and against published scores.",
    "tests/nets": "Counts, shapes, arithmetic and behaviour of the networks.",
    "tests/physics": "Theorems: exact integrals, transposes, tables, interpolation.",
    "tests/recipes": "What recipes must not take.",
    "tests/released_layout.py": "The released checkpoints' 130 entries, filled by a rule.",
    "tests/training": "The loop, run folders, presets.",
}
"""What a docstring cannot say: folders, and files that are not Python."""

WHOLE = ("examples/chest_port", "docs/images", "frontend/src/static", "src/unmetal/viewer/page")
"""Folders that stand for their files."""


def main() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}{tree(tracked())}{END}{after}")


def tracked() -> list[str]:
    """Paths of the project's files from its root: what git tracks, or all where there is no git.

    Untracked files do not count: a log beside the checkout is nobody's but its owner's.
    """
    try:
        command = ["git", "ls-files", "--cached"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return sorted(path for path in listed.stdout.splitlines() if (ROOT / path).is_file())
    except (OSError, subprocess.CalledProcessError):
        found = (path for top in LISTED for path in (ROOT / top).rglob("*") if path.is_file())
        paths = (path.relative_to(ROOT).as_posix() for path in found)
        return sorted(path for path in paths if "__pycache__" not in path)


def shown(paths: list[str]) -> list[str]:
    """What the tree must name, of the project's files: each file in `LISTED`, packages, folders in
    `WHOLE` and of tests, files at the root."""
    names = set()
    for path in paths:
        parts = path.split("/")
        whole = next((folder for folder in WHOLE if path.startswith(folder + "/")), None)
        if whole:
            names.add(whole)
        elif parts[-1] == "__init__.py":
            names.add("/".join(parts[:-1]))
        elif parts[0] == "tests":
            names.add("/".join(parts[: min(2, len(parts) - 1)]))
        elif parts[0] in LISTED or len(parts) == 1 or path in NOTES:
            names.add(path)
    return sorted(names)


def tree(paths: list[str]) -> str:
    """The commented tree as text."""
    names = shown(paths)
    folders = {parent for name in names for parent in parents(name)}
    is_folder = folders | {name for name in names if (ROOT / name).is_dir()}
    names = sorted({*names, *folders}, key=lambda name: sort_key(name, is_folder))
    rows = []
    for name in names:
        indent = "    " * name.count("/")
        label = name.rsplit("/", 1)[-1] + ("/" if name in is_folder else "")
        rows.append((indent + label, note(name)))
    width = max(len(label) for label, _ in rows) + 2
    return "".join(f"{label:<{width}}{text}".rstrip() + "\n" for label, text in rows)


def sort_key(name: str, folders: set[str]) -> list[tuple[bool, str]]:
    """Folders before files, at every depth."""
    parts = name.split("/")
    steps = ("/".join(parts[: depth + 1]) for depth in range(len(parts)))
    return [(step not in folders, step) for step in steps]


def parents(name: str) -> list[str]:
    """`a/b/c` -> `a`, `a/b`."""
    parts = name.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def note(name: str) -> str:
    """One line about a file or folder."""
    if name in NOTES:
        return NOTES[name]
    path = ROOT / name
    path = path / "__init__.py" if path.is_dir() else path
    if path.suffix == ".py" and path.is_file() and path.read_text().strip():
        summary = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n\n")[0]
        return " ".join(summary.split())
    if path.suffix == ".ts":
        remark = path.read_text().partition("/**")[2].partition("*/")[0]
        return " ".join(remark.replace("\n *", " ").split())
    return ""


if __name__ == "__main__":
    main()
