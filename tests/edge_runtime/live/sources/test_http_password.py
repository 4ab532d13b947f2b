"""Passwords of HTTP cameras: Basic and Digest."""

import time

import pytest
from http_camera import LONG, md5, read
from live_servers import HEADER, Connection, jpeg, network_camera, part, serve

from edgeclf.edge_runtime.live.sources.capture import RefusedError
from edgeclf.edge_runtime.live.sources.http_digest import digest_answer
from edgeclf.edge_runtime.live.sources.http_mjpeg import HttpMjpeg


def test_a_password_is_sent_only_to_a_camera_that_asks_and_the_query_always() -> None:
    requests = []

    def answer(client: Connection) -> None:
        requests.append(client.request.decode())
        if "Authorization: Basic bWU6cEBzcw==" in requests[-1]:
            client.send(HEADER + part(jpeg(1)))
        else:
            client.send(b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=x\r\n\r\n")

    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://me:p%40ss@127.0.0.1:{port}/video?channel=1"))
        capture.open(time.monotonic() + LONG)
        assert read(capture) == 1
        capture.close()
    assert "Authorization" not in requests[0]
    assert [request.split("\r\n")[0] for request in requests] == [
        "GET /video?channel=1 HTTP/1.1"
    ] * 2


CHALLENGE = (
    'Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm={}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_digests_are_those_of_the_standard(algorithm: str, response: str) -> None:
    """The example of RFC 7616, 3.9.1."""
    answer = digest_answer(
        CHALLENGE.format(algorithm),
        path="/dir/index.html",
        user="Mufasa",
        password="Circle of Life",
        nonce_of_ours="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
    )
    assert answer is not None
    assert f'response="{response}"' in answer
    assert 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"' in answer


@pytest.mark.parametrize(
    "challenge",
    ["", "Basic realm=x", "Digest", 'Digest realm="x"', CHALLENGE.format("SHA-512-256"),
     CHALLENGE.format("MD5").replace("auth, auth-int", "auth-int")],
)  # fmt: skip
def test_what_we_cannot_answer_is_not_answered(challenge: str) -> None:
    assert digest_answer(challenge, path="/", user="me", password="secret") is None


@pytest.mark.parametrize("password", ["right", "wrong"])
def test_a_camera_that_wants_a_digest_gets_it(password: str) -> None:
    def answer(client: Connection) -> None:
        asked = client.request.decode()
        expected = 'Digest username="me", realm="cam", nonce="n", uri="/v?a=1"'
        proof = md5(f"{md5('me:cam:right')}:n:{md5('GET:/v?a=1')}")
        if expected in asked and f'response="{proof}"' in asked:
            client.send(HEADER + part(jpeg(3)))
        else:
            client.send(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n"
                b'WWW-Authenticate: Digest realm="cam", nonce="n"\r\n\r\n'
            )

    with serve(answer) as port:
        capture = HttpMjpeg(network_camera(f"http://me:{password}@127.0.0.1:{port}/v?a=1"))
        if password == "right":
            capture.open(time.monotonic() + LONG)
            assert read(capture) == 3
        else:
            with pytest.raises(RefusedError, match="check user and password"):
                capture.open(time.monotonic() + LONG)
        capture.close()
