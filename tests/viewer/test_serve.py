"""`unmetal view` as a process: what it prints, how it ends, what it leaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
from viewing import SECRETS, View, until, write_phantom

from unmetal.__main__ import main

pytestmark = pytest.mark.recipe

Start = Callable[..., View]


def gone(processes: set[int]) -> bool:
    """Whether none of them runs any more; a zombie does not."""
    for pid in processes:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0]
        except OSError:
            continue
        if state != "Z":
            return False
    return True


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere", "there is no such file or folder"),
        ("notes.txt", "not a format that is read here"),
        ("empty", "no CT series in it"),
        ("broken.nii", "damaged or truncated"),
    ],
)
def test_a_bad_path_is_told_in_a_line(tmp_path: Path, view: Start, path: str, said: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "broken.nii").write_bytes(bytes(500))
    one = view(tmp_path / path)
    assert one.process.wait(60) == 1
    assert one.process.stdout is not None
    assert one.process.stdout.read() == "", "no address"
    (line,) = one.errors().splitlines()
    assert line.startswith("unmetal view: ")
    assert said in line
    assert not one.data()


def test_a_port_that_is_taken_and_one_that_is_none(capsys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["view", "--port", port, "--no-browser"]) == 1
        assert f"--port {port}: " in capsys.readouterr().err
    assert main(["view", "--port", "70000", "--no-browser"]) == 1
    assert "give a port up to 65535" in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it() -> None:
    program = (
        "import sys; sys.modules['uvicorn'] = None; from unmetal.__main__ import main; "
        "sys.exit(main(['view']))"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "pip install '.[viewer]'" in done.stderr


def test_it_prints_nothing_but_the_address_and_listens_on_loopback_only(
    view: Start, phantom: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    one = view(phantom, "--port", port).opened()
    assert one.address.startswith(f"http://127.0.0.1:{port}/")
    assert [series["title"] for series in one.state()["series"]] == ["CT 96 × 96 × 4"]
    for address in others():
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, port), timeout=2)
    code, _ = one.end(signal.SIGINT)
    assert code == 0
    assert one.process.stdout is not None
    assert one.process.stdout.read() == ""
    assert one.errors() == ""


def others() -> Iterator[str]:
    """Addresses of this machine that are not loopback's."""
    try:
        known = socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)
    except OSError:
        known = []
    yield from {str(one[4][0]) for one in known} - {"127.0.0.1"}


def test_the_browser_is_led_to_the_address_once(tmp_path: Path, phantom: Path) -> None:
    note = tmp_path / "note"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {note}\n')
    browser.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-m", "unmetal", "view", str(phantom)],
        env=os.environ | {"BROWSER": str(browser), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            until(lambda: note.exists() and note.read_text().endswith("/\n"), 60)
            ticket = note.read_text().strip()
            assert ticket != address, "others can read the arguments of the browser"
            led = httpx.get(ticket)
            assert led.status_code == 303
            assert address.endswith(led.headers["location"])
            assert httpx.get(ticket).status_code == 404
        finally:
            process.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_at_once_with_open_streams_and_a_running_job(
    view: Start, phantom: Path, number: int
) -> None:
    one = view(phantom).opened()
    series = one.state()["series"][0]["id"]
    job = one.reduce(series, "dip")["id"]
    until(lambda: one.job(job)["status"] == "running")
    processes = one.processes()
    assert len(processes) >= 2, "reading and reducing"
    heard, ended = threading.Semaphore(0), threading.Semaphore(0)

    def listen() -> None:
        with (
            suppress(httpx.HTTPError),
            httpx.Client(timeout=120) as client,
            client.stream("GET", f"{one.address}api/events") as stream,
        ):
            lines = stream.iter_lines()
            next(lines)
            heard.release()
            for _ in lines:
                pass
        ended.release()

    tabs = [threading.Thread(target=listen) for _ in range(3)]
    for tab in tabs:
        tab.start()
    assert all(heard.acquire(timeout=60) for _ in tabs)
    assert one.data()
    code, seconds = one.end(number)
    assert code == 0
    assert seconds < 10, "a busy machine takes its time; a stream would never end"
    assert not one.data()
    assert one.errors() == ""
    assert all(ended.acquire(timeout=30) for _ in tabs)
    for tab in tabs:
        tab.join()
    until(lambda: gone(processes), 30)


def test_killed_in_the_middle_of_a_job_and_started_again(view: Start, phantom: Path) -> None:
    first = view(phantom).opened()
    series = first.state()["series"][0]["id"]
    job = first.reduce(series, "dip")["id"]
    until(lambda: first.job(job)["status"] == "running")
    processes = first.processes()
    first.process.kill()
    first.process.wait()
    until(lambda: gone(processes), 60)
    (left,) = first.data()
    second = view(phantom).opened()
    assert not left.exists(), "what the killed one left is swept"
    assert len(second.data()) == 1
    assert second.address != first.address
    state = second.state()
    assert len(state["series"]) == 1
    assert not state["jobs"]
    assert not state["results"]
    assert second.ended(second.reduce(state["series"][0]["id"])["id"])["status"] == "done"
    assert httpx.get(f"{second.address.rsplit('/', 2)[0]}/old/api/state").status_code == 404


def test_without_any_image_it_waits_for_one(view: Start, tmp_path: Path, phantom: Path) -> None:
    one = view().opened()
    assert one.state()["series"] == []
    upload = one.client.post("api/uploads").json()["id"]
    for path in phantom.iterdir():
        where = {"path": f"{SECRETS[0]}/{path.name}"}
        content = path.read_bytes()
        assert one.client.put(f"api/uploads/{upload}/files", params=where, content=content)
    opened = one.client.post(f"api/uploads/{upload}/open").json()
    assert [series["shape"] for series in opened["series"]] == [[4, 96, 96]]
    assert one.client.get(f"api/series/{opened['series'][0]['id']}/original.nii").is_success
    assert one.client.get("api/nothing").status_code == 404
    assert one.end()[0] == 0
    assert one.errors() == "", "no log of requests, nothing that names anybody"


def test_a_bad_path_beside_a_good_one_is_listed(view: Start, tmp_path: Path) -> None:
    write_phantom(tmp_path / "good", slices=2)
    (tmp_path / "bad.npy").write_bytes(b"nothing")
    one = view(tmp_path / "bad.npy", tmp_path / "good").opened()
    until(lambda: not one.state()["opening"])
    (line,) = one.state()["left_out"]
    assert line["what"] == "bad.npy"
    assert str(tmp_path) not in line["why"]


@pytest.mark.slow
def test_two_gib_are_streamed_with_little_memory_and_more_are_refused(view: Start) -> None:
    """The whole cap, in a file whose content is no image."""
    one = view().opened()
    upload = one.client.post("api/uploads").json()["id"]
    limit = one.state()["upload_limit_bytes"]
    chunk = np.random.default_rng(0).bytes(2**20)

    def content(size: int) -> Iterator[bytes]:
        for _ in range(size // len(chunk)):
            yield chunk

    path = f"api/uploads/{upload}/files"
    assert one.client.put(path, params={"path": "a"}, content=content(limit)).is_success
    assert peak_mib(one.process.pid) < 300
    refused = one.client.put(path, params={"path": "b"}, content=content(2**20))
    assert refused.status_code == 413
    assert "2 GiB in all" in refused.json()["error"]
    folder = one.data()[0]
    assert not list(folder.glob("upload-*"))
    # One that comes without its size, and exceeds the cap on the way.
    upload = one.client.post("api/uploads").json()["id"]
    path = f"api/uploads/{upload}/files"
    refused = one.client.put(path, params={"path": "a"}, content=content(limit + 2**20))
    assert refused.status_code == 413
    assert not list(folder.glob("upload-*"))
    assert peak_mib(one.process.pid) < 300
    assert one.end()[0] == 0


def peak_mib(pid: int) -> float:
    """Peak resident memory of a process."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
