"""README.md names every folder, docs/files.md every file, and both are true."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
FILES = (ROOT / "docs" / "files.md").read_text()


@pytest.fixture(scope="module")
def recipe() -> ModuleType:
    """`recipes/file_tree.py`, which writes the tree."""
    spec = spec_from_file_location("file_tree", ROOT / "recipes" / "file_tree.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def names_in(tree: str) -> dict[str, str]:
    """Path from the root -> its line, of what a tree names."""
    folders: list[str] = []
    lines = {}
    for line in tree.splitlines():
        depth = (len(line) - len(line.lstrip())) // 4
        name, _, note = line.strip().partition(" ")
        folders[depth:] = [name.rstrip("/")]
        lines["/".join(folders)] = note.strip()
    return lines


@pytest.fixture(scope="module")
def named(recipe) -> dict[str, str]:
    """What docs/files.md names."""
    return names_in(FILES.partition(recipe.BEGIN)[2].removesuffix(recipe.END))


def test_the_tree_is_the_end_of_its_page(recipe) -> None:
    assert FILES.count(recipe.BEGIN) == 1
    assert FILES.endswith(recipe.END)
    assert recipe.END not in FILES.partition(recipe.BEGIN)[2].removesuffix(recipe.END)


def test_every_tracked_file_is_in_the_tree(recipe, named) -> None:
    missing = [path for path in recipe.shown(recipe.tracked()) if path not in named]
    assert not missing, "run python recipes/file_tree.py"


def test_a_file_that_git_does_not_track_is_nobodys(recipe) -> None:
    stray = ROOT / "docs" / "stray.log"
    stray.write_text("left by somebody")
    try:
        assert "docs/stray.log" not in recipe.tracked()
    finally:
        stray.unlink()


def test_the_tree_names_nothing_that_is_not_there(named) -> None:
    assert not [path for path in named if not (ROOT / path).exists()]


def test_every_line_says_what_it_is_for(named) -> None:
    assert not [path for path, note in named.items() if not note and path not in {"src", ".ci"}]
    assert all(len(note) <= 250 for note in named.values())


def test_the_readme_is_short_and_names_every_room_and_no_other(recipe) -> None:
    assert len(README.splitlines()) <= 200
    tree = README.partition(recipe.BEGIN)[2].partition(recipe.END)[0]
    listed = {path for path, _ in names_in(tree).items() if path.startswith("src/unmetal/")}
    tracked = {"/".join(path.split("/")[:3]) for path in recipe.tracked() if path.count("/") > 2}
    assert listed == {path for path in tracked if path.startswith("src/unmetal/")}


def test_pictures_and_links_of_the_pages_lead_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        targets = [part.partition(")")[0] for part in page.read_text().split("](")[1:]]
        files = [target for target in targets if not target.startswith(("http", "#"))]
        assert not [target for target in files if not leads_somewhere(page.parent, target)]


def leads_somewhere(folder: Path, target: str) -> bool:
    """Whether a file is there, and has the heading that follows #."""
    name, _, heading = target.partition("#")
    if not (folder / name).exists():
        return False
    lines = (folder / name).read_text().splitlines() if heading else []
    titles = [line.lstrip("# ").lower() for line in lines if line.startswith("#")]
    anchors = [re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles]
    return not heading or heading in anchors
