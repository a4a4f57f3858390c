"""Who is let in: only our own page, by the secret address."""

from __future__ import annotations

import pytest

from unmetal.viewer.security import HEADERS, new_token


def get(app, path: str = "api/state", **headers: str):
    return app.client.get(path, headers={name.replace("_", "-"): v for name, v in headers.items()})


def test_the_address_lets_in(app) -> None:
    assert get(app).status_code == 200
    assert get(app, origin="http://127.0.0.1:8321").status_code == 200
    assert get(app, host="localhost:8321", origin="http://localhost:8321").status_code == 200
    assert get(app, sec_fetch_site="same-origin").status_code == 200
    assert get(app, sec_fetch_site="none").status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/state", "/wrong/api/state", "/t/", "//", "/../"])
def test_without_the_token_nothing_is_there(app, path: str) -> None:
    refused = app.client.get(f"http://127.0.0.1:8321{path}")
    assert refused.status_code == 404
    assert refused.text == "not found"


def test_a_token_that_begins_right_is_wrong(app) -> None:
    for token in ("t" * 31, "t" * 33, "T" * 32, "%74" * 31):
        assert app.client.get(f"http://127.0.0.1:8321/{token}/api/state").status_code == 404


def test_the_address_without_its_slash_leads_to_the_page(app) -> None:
    moved = app.client.get(f"http://127.0.0.1:8321/{'t' * 32}")
    assert moved.status_code == 307
    assert moved.headers["location"] == f"/{'t' * 32}/"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:80", "[::1]:8321", ""])
def test_another_host_is_misdirected(app, host: str) -> None:
    """A name that its owner makes lead to 127.0.0.1 (DNS rebinding) stands in Host."""
    assert get(app, host=host).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", ""])
def test_a_foreign_origin_is_forbidden(app, origin: str) -> None:
    assert get(app, origin=origin).status_code == 403
    assert app.client.post("api/uploads", headers={"origin": origin}).status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_another_page_asks_for_is_forbidden(app, site: str) -> None:
    assert get(app, sec_fetch_site=site).status_code == 403


def test_every_answer_has_the_headers(app) -> None:
    answers = [
        get(app),
        get(app, "api/nothing"),
        get(app, origin="null"),
        get(app, host="x"),
        app.client.get("http://127.0.0.1:8321/"),
    ]
    for answer in answers:
        assert HEADERS.items() <= dict(answer.headers.multi_items()).items() or all(
            answer.headers[name] == value for name, value in HEADERS.items()
        )
    policy = answers[0].headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy, "nothing comes from elsewhere"
    assert "server" not in answers[0].headers


def test_tokens_are_long_and_never_the_same() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert len(new_token()) == 32


def test_a_bug_is_told_without_what_it_was_about(app, monkeypatch, caplog) -> None:
    def broken() -> None:
        raise ValueError("Nobody^Known")

    monkeypatch.setattr(app.session, "public", broken)
    answer = get(app)
    assert answer.status_code == 500
    assert "ValueError" in answer.json()["error"]
    assert "Nobody" not in answer.text + caplog.text
    assert "ValueError" in caplog.text
