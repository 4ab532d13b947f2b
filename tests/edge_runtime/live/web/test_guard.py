"""Who may ask the web view: names, origins and tokens."""

import re
from collections.abc import Iterator

import pytest
from web_client import TOKEN, Seen, encoded, opened, photograph, request

from edgeclf.edge_runtime.live.web.view import WebView


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:1", "[::1]:80", "LocalHost:", "[::1]"]
)
def test_loopback_is_called_by_its_names(view: WebView, host: str) -> None:
    assert request(view, "/", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example:80", "", "[", "192.0.2.1"),
        *("localhost:x", "localhost:-1", "localhost:999999", "localhost:80:80", "localhost:\xb2"),
        *("[::1]x", "[::1%eth0]:80", "evil@localhost:80", "localhost/x", "localhost#:80"),
    ],
)
def test_a_rebound_name_is_refused(view: WebView, host: str) -> None:
    for path in ("/", "/frame.jpg", "/state", "/healthz"):
        assert request(view, path, Host=host).status == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "http://localhost:1", "Host": "localhost:1"}, 200),
        (
            {
                "Origin": "http://localhost:1",
                "Host": "localhost:1",
                "Sec_Fetch_Site": "same-origin",
            },
            200,
        ),
        ({"Origin": "http://localhost:2", "Host": "localhost:1"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Sec_Fetch_Site": "same-site"}, 403),
    ],
)
def test_only_our_page_may_post(
    view: WebView, seen: Seen, headers: dict[str, str], status: int
) -> None:
    png = encoded(".png", photograph())
    assert request(view, "/classify", method="POST", body=png, **headers).status == status
    assert len(seen.photographs) == (status == 200)


@pytest.fixture
def guarded(seen: Seen) -> Iterator[WebView]:
    with opened(seen, token=TOKEN) as view:
        yield view


PATHS = ("/page.js", "/frame.jpg", "/stream", "/state", "/healthz", "/nowhere")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("given", ["", "?token=", "?token=wrong", "?token=%C3%A4"])
def test_without_the_token_nothing_is_reported(guarded: WebView, path: str, given: str) -> None:
    answer = request(guarded, path + given)
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json == {"error": "the token is missing or wrong"}


def test_without_the_token_nothing_is_classified(guarded: WebView, seen: Seen) -> None:
    png = encoded(".png", photograph())
    assert request(guarded, "/classify", method="POST", body=png).status == 401
    assert seen.photographs == []
    headers = {"Authorization": f"Bearer {TOKEN}"}
    assert request(guarded, "/classify", method="POST", body=png, **headers).status == 200


def test_the_door_asks_for_the_token(guarded: WebView) -> None:
    for path in ("/", "/?token=wrong", "/?token="):
        answer = request(guarded, path)
        assert answer.status == 401
        assert b'name="token"' in answer.body
        assert "set-cookie" not in answer.headers
    assert request(guarded, "/page.css").status == 200


def test_the_token_moves_from_the_address_to_a_cookie(guarded: WebView) -> None:
    answer = request(guarded, f"/?token={TOKEN}")
    assert (answer.status, answer.headers["location"]) == (303, "./")
    cookie, *attributes = answer.headers["set-cookie"].split("; ")
    assert {"httponly", "samesite=lax"} <= {attribute.lower() for attribute in attributes}
    assert request(guarded, "/", Cookie=cookie).status == 200
    assert request(guarded, "/healthz", Cookie=cookie).status == 503
    wrong = cookie[:-1] + "x"
    assert request(guarded, "/healthz", Cookie=wrong).status == 401


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_programs_bring_the_token_along(guarded: WebView, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {TOKEN}"}
    assert request(guarded, "/healthz", **headers).status == 503
    assert request(guarded, f"/healthz?token={TOKEN}").status == 503
    assert request(guarded, "/healthz", Authorization=f"Basic {TOKEN}").status == 401
    assert request(guarded, "/", Host="camera.example", **headers).status == 200


def test_beyond_loopback_a_token_is_made_up(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(seen, host="0.0.0.0") as view:
        captured = capsys.readouterr()
        assert captured.out == ""
        found = re.fullmatch(r"Live on http://([^/]+):(\d+)/\?token=(\S{22,})\n", captured.err)
        assert found is not None
        assert int(found[2]) == view.port
        assert request(view, "/healthz").status == 401
        assert request(view, f"/healthz?token={found[3]}").status == 503
        assert view.url == f"http://{found[1]}:{view.port}/"  # without the token


def test_a_page_for_this_machine_alone_has_no_address_for_others(view: WebView) -> None:
    assert view.url is None


def test_a_token_of_ones_own_is_not_printed(seen: Seen, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(seen, host="0.0.0.0", token=TOKEN) as view:
        assert TOKEN not in capsys.readouterr().err
        assert request(view, f"/healthz?token={TOKEN}").status == 503
