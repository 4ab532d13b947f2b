"""The address of a camera: what it becomes, its public name, and secrets that stand elsewhere."""

from pathlib import Path

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sources.address import CameraAddress, without_secrets


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("0", "/dev/video0"),
        ("007", "/dev/video7"),
        ("/dev/video2", "/dev/video2"),
        ("/dev/v4l/by-id/usb-cam", "/dev/v4l/by-id/usb-cam"),
        ("picamera", "picamera"),
        ("secret:CAM_1", "secret:CAM_1"),
        ("rtsp://cam", "rtsp://cam"),
        ("rtsp://cam/", "rtsp://cam"),
        ("rtsp://me:s3cret@cam.lan:8554/live?channel=1", "rtsp://cam.lan:8554/live"),
        ("RTSPS://me:s3cret@Cam.lan/live", "rtsps://cam.lan/live"),
        ("http://me@[fe80::1]:80/video.mjpg", "http://[fe80::1]:80/video.mjpg"),
        ("http://cam/axis-cgi/mjpg/video.cgi?camera=1", "http://cam/axis-cgi/mjpg/video.cgi"),
        ("rtsp://cam/Streaming/Channels/101", "rtsp://cam/Streaming/Channels/101"),
        ("rtsp://cam/h264Preview_01_main", "rtsp://cam/h264Preview_01_main"),
        ("rtsp://cam/live/s3cret", "rtsp://cam"),
        ("rtsp://cam/live/1234", "rtsp://cam"),
        ("rtsp://cam/live/12/34", "rtsp://cam"),
        ("rtsp://cam/user=me&password=s3cret&channel=1", "rtsp://cam"),
        ("rtsp://cam/live;s3cret", "rtsp://cam"),
        ("http://cam/%76ideo", "http://cam"),
        ("http://cam/" + "live" * 20, "http://cam"),
        ("http://cam/" + "mpeg4" * 10_000 + "!", "http://cam"),
    ],
)
def test_the_public_name(source: str, name: str) -> None:
    address = CameraAddress.parse(source)
    assert address is not None
    assert address.name == name
    assert "s3cret" not in repr(address)
    # It names itself: what was shown can be given again.
    assert without_secrets(name) == name


def test_what_a_connection_needs() -> None:
    address = CameraAddress.parse("https://me:p%40s:s@[::1]/a/ü?b=c%20d")
    assert address is not None
    assert (address.kind, address.scheme, address.host, address.port) == (
        "http", "https", "::1", 443,
    )  # fmt: skip
    assert (address.user, address.password) == ("me", "p@s:s")
    assert address.target == "/a/%C3%BC?b=c%20d"
    assert address.url == "https://me:p%40s:s@[::1]:443/a/%C3%BC?b=c%20d"
    assert address.url_without_user == "https://[::1]:443/a/%C3%BC?b=c%20d"
    assert address.holds_secret
    for source, port in (("rtsp://cam", 554), ("rtsps://cam?x", 322), ("http://cam:81", 81)):
        address = CameraAddress.parse(source)
        assert address is not None
        assert (address.port, address.user, address.password) == (port, None, "")
        assert address.target == ("/?x" if "?" in source else "/")


@pytest.mark.parametrize(
    ("source", "expected"),
    [("rtsp://cam", False), ("rtsp://cam/", False), ("rtsp://cam:8554/live/main", False),
     ("rtsp://me@cam/live", True), ("rtsp://cam/live?x=1", True), ("rtsp://cam/x7Kp", True),
     ("secret:CAM", False), ("0", False), ("picamera", False)],
)  # fmt: skip
def test_whether_an_address_may_hold_a_secret(source: str, expected: bool) -> None:
    address = CameraAddress.parse(source)
    assert address is not None
    assert address.holds_secret is expected


@pytest.mark.parametrize(
    ("source", "mend"),
    [
        ("rtsp://cam:" + "9" * 5000, "HOST:PORT"),
        ("http:///video", "names no host"),
        ("http://me:s3cret@/video", "names no host"),
        ("http://:80/", "names no host"),
        ("rtsp://me:s3cret@cam:99999/", "give 1 to 65535"),
        ("rtsp://me:s3cret@cam:0/", "give 1 to 65535"),
        ("rtsp://me:s3cret@cam:port/", "HOST:PORT"),
        ("http://[::1/", "[IPV6]:PORT"),
        ("http://a..b/", "a host that cannot be"),
        ("rtsp://me:s3/cret@cam/live", "%2F for /"),
        ("rtsp://me:s3?cret@cam/live", "%3F for ?"),
        ("rtsp://me:s3#cret@cam/live", "%23 for #"),
        ("rtsp://me:12#s3cret", "%23 for it"),
        ("rtsp://cam/user=me&password=s3#cret", "%23 for it"),
        ("rtsp://me:s3 cret@cam", "%20 for a blank"),
        ("rtsp://me:s3\ncret@cam", "%20 for a blank"),
        ("http:\\\\me:s3cret@cam", "lacks a slash"),
        ("http:/me:s3cret@cam/video", "lacks a slash"),
        ("rtsp:me:s3cret@cam", "lacks a slash"),
        ("ftp://me:s3cret@cam", "give rtsp, rtsps, http, https"),
        ("rtmp://cam/live/s3cret", "give rtsp, rtsps, http, https"),
        ("me:s3cret@cam/live", "an address without its scheme"),
        ("//me:s3cret@cam/live", "an address without its scheme"),
    ],
)
def test_a_malformed_address_is_one_line_that_does_not_repeat_it(source: str, mend: str) -> None:
    with pytest.raises(EdgeclfError) as caught:
        CameraAddress.parse(source)
    text = str(caught.value)
    assert mend in text
    assert "\n" not in text
    for part in ("s3", "cret", "12"):
        assert part not in text.replace("secret:", "")
    assert "s3" not in without_secrets(f"Error: {source!r}: no such file")


def test_a_secret_has_the_name_of_a_variable() -> None:
    with pytest.raises(EdgeclfError, match="such as secret:EDGECLF_CAMERA") as caught:
        CameraAddress.parse("secret:s3cret!")
    assert "s3cret" not in str(caught.value)


def test_an_address_can_stand_in_the_environment_or_in_a_credential(tmp_path: Path) -> None:
    address = CameraAddress.parse("secret:CAM")
    assert address is not None
    url = "rtsp://me:s3cret@cam/live"
    (tmp_path / "CAM").write_text(url + "\n")
    for environment in (
        {"CAM": url},
        {"CREDENTIALS_DIRECTORY": str(tmp_path)},
        {"CREDENTIALS_DIRECTORY": str(tmp_path), "CAM": ""},
        {"CREDENTIALS_DIRECTORY": str(tmp_path / "none"), "CAM": url},
    ):
        assert address.resolved(environment) == CameraAddress.parse(url)
    other = CameraAddress.parse("0")
    assert other is not None
    assert other.resolved({}) is other


@pytest.mark.parametrize(
    ("environment", "mend"),
    [
        ({}, "set the variable CAM, or the systemd credential"),
        ({"CREDENTIALS_DIRECTORY": "/nowhere"}, "set the variable CAM"),
        ({"CAM": "s3cret.mp4"}, "holds no address"),
        ({"CAM": "0"}, "holds no address"),
        ({"CAM": "secret:CAM"}, "holds no address"),
        ({"CAM": "rtsp://me:s3#cret@cam"}, "secret:CAM: the rtsp address holds an @"),
    ],
)
def test_a_secret_that_is_no_address(environment: dict[str, str], mend: str) -> None:
    address = CameraAddress.parse("secret:CAM")
    assert address is not None
    with pytest.raises(EdgeclfError) as caught:
        address.resolved(environment)
    assert mend in str(caught.value)
    assert "s3" not in str(caught.value)


def test_a_credential_that_cannot_be_read(tmp_path: Path) -> None:
    address = CameraAddress.parse("secret:CAM")
    assert address is not None
    (tmp_path / "CAM").write_bytes(b"\xff\xfe")
    with pytest.raises(EdgeclfError, match=r"CAM: the credential cannot be read \(not UTF-8\)"):
        address.resolved({"CREDENTIALS_DIRECTORY": str(tmp_path)})
    (tmp_path / "CAM").unlink()
    (tmp_path / "CAM").mkdir()
    with pytest.raises(EdgeclfError, match="the credential cannot be read"):
        address.resolved({"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Error: no file", "Error: no file"),
        ("rtsp:/me:s3cret@cam/x: cannot be read", "rtsp://cam"),
        ("'ftp://me:s3cret@cam/x' is not a number", "ftp://…"),
        ("me:s3cret@cam/x: no such file", "…@…"),
        ("give user and password: http://USER:PASSWORD@…", "http://USER:PASSWORD@…"),
        ("mqtt[s]://[user[:password]@]host[:port]", "mqtt[s]://[user[:password]@]host[:port]"),
        ("a photo@2x.png and 12:30:00.mp4", "a photo@2x.png and 12:30:00.mp4"),
        ("pip install 'edgeclf[web]'", "pip install 'edgeclf[web]'"),
    ],
)
def test_addresses_in_a_text(text: str, expected: str) -> None:
    shown = without_secrets(text)
    assert expected in shown
    assert "s3cret" not in shown
