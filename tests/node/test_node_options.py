"""Options of a node: those that cannot work are refused in one line."""

import sys
from dataclasses import replace

import pytest
from conftest import config

from unmetal.__main__ import main
from unmetal.errors import InputError
from unmetal.node.config import Config
from unmetal.node.fetcher import Search
from unmetal.sending.destination import Entity, parse_destination


def test_a_destination_is_a_title_at_an_address_or_a_url() -> None:
    assert parse_destination("PACS@10.1.2.3:104") == Entity("PACS", "10.1.2.3", 104)
    assert parse_destination("MY PACS@pacs.local:104") == Entity("MY PACS", "pacs.local", 104)
    assert parse_destination("PACS@[::1]:104") == Entity("PACS", "::1", 104)
    assert parse_destination("https://pacs/dicom-web/") == "https://pacs/dicom-web"
    for text in ("PACS@10.1.2.3:104", "PACS@[::1]:104", "https://pacs/dicom-web"):
        assert str(parse_destination(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "PACS",
        "PACS@host",
        "PACS@host:0",
        "PACS@host:70000",
        "@host:104",
        "A TITLE THAT IS TOO LONG@host:104",
        "B\\S@host:104",
        "ftp://host/x",
        "http://",
        "http://[::1",
        "https://user:hunter2@host/dicom-web",
    ],
)
def test_other_destinations_are_refused(text) -> None:
    with pytest.raises(InputError) as refusal:
        parse_destination(text)
    assert "hunter2" not in str(refusal.value)


def test_a_search_is_a_study_a_series_or_has_a_filter() -> None:
    base = "http://h:8042/dicom-web"
    assert Search.parse(f"{base}/studies/1.2") == Search(base, "1.2", {})
    assert Search.parse(f"{base}/studies/1.2/series") == Search(base, "1.2", {})
    one = Search.parse(f"{base}/studies/1.2/series/1.3")
    assert one == Search(base, "1.2", {"SeriesInstanceUID": "1.3"})
    some = Search.parse(f"{base}/series?StudyDate=20240101-&StationName=CT%201")
    assert some == Search(base, None, {"StudyDate": "20240101-", "StationName": "CT 1"})
    for url in (f"{base}/series", f"{base}/studies", base, "ftp://h/studies/1.2"):
        with pytest.raises(InputError):
            Search.parse(url)


def test_what_can_be_reached_from_outside_must_say_who_may_send() -> None:
    with pytest.raises(InputError, match="--allow-aet or --allow-ip"):
        config(None, to=("A@h:1",), host="0.0.0.0")
    config(None, to=("A@h:1",), host="0.0.0.0", allow_aet=("CT1",))
    config(None, to=("A@h:1",), host="::", allow_ip=("10.0.0.0/8", "fd00::/8"))
    with pytest.raises(InputError, match="--allow-ip"):
        config(None, to=("A@h:1",), allow_ip=("10.0.0.1/8",))


def test_the_default_spool_is_of_this_title_and_stays_in_its_folder() -> None:
    given = config(None, to=("A@h:1",), spool=None, aet="../../X Y")
    assert given.spool.name == ".._.._X_Y"
    assert given.spool.parent.name == "unmetal"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--aet", "UNMETAL", "--port", "0", "--to", "nonsense"],
        ["--aet", "", "--port", "0", "--to", "A@h:1"],
        ["--aet", "UNMETAL", "--port", "0", "--to"],
        ["--aet", "UNMETAL", "--port", "0", "--to", "A@h:1", "--from", "http://h/dicom-web"],
        ["--aet", "UNMETAL", "--port", "0", "--to", "A@h:1", "--tls-cert", "no.pem"],
        ["--aet", "U", "--port", "0", "--to", "A@h:1", "--tls-cert", "a", "--tls-key", "b"],
        ["--aet", "UNMETAL", "--port", "99999", "--to", "A@h:1"],
    ],
    ids=" ".join,
)
def test_the_command_says_in_one_line_what_is_wrong(arguments, tmp_path, capsys) -> None:
    spool = ["--spool", str(tmp_path / "spool"), "--status-port", "0", "--min-free", "0"]
    assert main(["node", *arguments, *spool]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith("unmetal node: ")


def test_arguments_that_are_missing_are_wrong_arguments(capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["node", "--aet", "UNMETAL"])
    assert ended.value.code == 2
    assert "--to" in capsys.readouterr().err


def test_a_missing_library_is_named(monkeypatch, tmp_path, capsys) -> None:
    monkeypatch.setitem(sys.modules, "unmetal.node.node", None)
    monkeypatch.delitem(sys.modules, "unmetal.node.node")
    monkeypatch.delitem(sys.modules, "unmetal.node.receiver", raising=False)
    monkeypatch.delitem(sys.modules, "unmetal.sending.c_store", raising=False)
    monkeypatch.setitem(sys.modules, "pynetdicom", None)
    options = ["--aet", "U", "--port", "0", "--to", "A@h:1", "--spool", str(tmp_path)]
    assert main(["node", *options]) == 1
    assert "pip install '.[dicom]'" in capsys.readouterr().err


def test_a_config_is_checked_again_when_it_is_changed() -> None:
    given = config(None, to=("A@h:1",))
    assert isinstance(given, Config)
    with pytest.raises(InputError, match="AE title"):
        replace(given, receive=replace(given.receive, aet="x" * 17))
