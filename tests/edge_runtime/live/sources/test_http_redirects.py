"""Redirects of HTTP cameras, and where no password goes."""

import time

import pytest
from http_camera import BASIC_ASKED, DIGEST_ASKED, LONG, md5, read, reading, redirect, refusal
from live_servers import HEADER, Connection, jpeg, network_camera, part, serve

from edgeclf.edge_runtime.live.sources.capture import RefusedError
from edgeclf.edge_runtime.live.sources.http_mjpeg import HttpMjpeg


def asked_path(client: Connection) -> str:
    return client.request.split(b" ")[1].decode()


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See", b"307 Go", b"308 Go"])
def test_a_redirect_is_followed(status: bytes) -> None:
    def answer(client: Connection) -> None:
        if asked_path(client) == "/live?channel=1":
            client.send(HEADER + part(jpeg(4)))
        else:
            client.send(redirect("live?channel=1", status))

    with reading(answer) as capture:
        assert read(capture) == 4


def test_a_digest_behind_a_redirect_is_that_of_the_new_path() -> None:
    proof = md5(f"{md5('me:cam:right')}:n:{md5('GET:/live')}")

    def answer(client: Connection) -> None:
        if asked_path(client) == "/video":
            client.send(redirect("/live"))
        elif f'response="{proof}"' in client.request.decode():
            client.send(HEADER + part(jpeg(5)))
        else:
            client.send(DIGEST_ASKED)

    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://me:right@127.0.0.1:{port}/video"))
        capture.open(time.monotonic() + LONG)
        assert read(capture) == 5
        capture.close()


@pytest.mark.parametrize("asked_first", [False, True], ids=["asked there", "asked here, too"])
@pytest.mark.parametrize("asks", [BASIC_ASKED, DIGEST_ASKED], ids=["Basic", "Digest"])
@pytest.mark.parametrize("location", ["http://localhost:{}/x", "http://me:secret@127.0.0.1:{}/x"])
def test_a_password_does_not_follow_to_another_host(
    asks: bytes, asked_first: bool, location: str
) -> None:
    requests: list[bytes] = []

    def other(client: Connection) -> None:
        requests.append(client.request)
        client.send(asks)

    with serve(other) as other_port:

        def answer(client: Connection) -> None:
            if asked_first and b"Authorization" not in client.request:
                client.send(asks)
            else:
                client.send(redirect(location.format(other_port)))

        with serve(answer) as port:
            capture = HttpMjpeg(network_camera(f"http://me:secret@127.0.0.1:{port}/video"))
            with pytest.raises(RefusedError, match="401"):
                capture.open(time.monotonic() + LONG)
            capture.close()
    assert len(requests) == 1
    assert b"Authorization" not in requests[0]


@pytest.mark.parametrize(
    "target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "rtsp://127.0.0.1/x"]
)
def test_other_schemes_are_not_followed(target: str) -> None:
    error = refusal(redirect(target))
    assert type(error) is RefusedError
    assert "302 Found" in str(error)


def test_redirects_have_an_end() -> None:
    connections: list[str] = []

    def answer(client: Connection) -> None:
        connections.append(asked_path(client))
        client.send(redirect(f"/{client.number}"))

    with pytest.raises(RefusedError, match="302 Found"), reading(answer):
        pass
    assert len(connections) == 5
