"""The page in the package is what frontend/ gives."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "frontend"
PAGE = ROOT / "src" / "unmetal" / "viewer" / "page"

pytestmark = [
    pytest.mark.recipe,
    pytest.mark.skipif(shutil.which("npm") is None, reason="no npm on the PATH"),
]


def run(*command: str, folder: Path, seconds: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
    )


@pytest.fixture(scope="module")
def frontend(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with its tools, those of `make viewer` where there are any."""
    folder = tmp_path_factory.mktemp("work") / "frontend"
    shutil.copytree(SOURCE, folder, ignore=shutil.ignore_patterns("node_modules"))
    if (SOURCE / "node_modules").is_dir():
        (folder / "node_modules").symlink_to(SOURCE / "node_modules")
    elif run("npm", "ci", "--silent", folder=folder).returncode:
        pytest.skip("npm reaches no registry")
    return folder


def test_the_bundle_is_what_its_source_gives(frontend: Path, tmp_path: Path) -> None:
    done = run("node", "build.mjs", str(tmp_path / "page"), folder=frontend)
    assert done.returncode == 0, done.stderr
    built = {path.name: path.read_bytes() for path in (tmp_path / "page").iterdir()}
    committed = {path.name: path.read_bytes() for path in PAGE.iterdir()}
    assert committed.keys() == built.keys()
    stale = [name for name in built if built[name] != committed[name]]
    assert not stale, "run `make viewer`"


def test_types_and_lint(frontend: Path) -> None:
    done = run("npm", "run", "--silent", "check", folder=frontend)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_of_others_is_in_the_page() -> None:
    script = (PAGE / "viewer.js").read_text()
    assert "://" not in script.replace("http://www.w3.org/2000/svg", "")
    page = (PAGE / "index.html").read_text()
    assert "://" not in page
    assert "<style" not in page
    assert " style=" not in page
