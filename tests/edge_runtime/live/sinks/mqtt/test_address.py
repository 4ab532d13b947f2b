"""Addresses of MQTT brokers."""

from pathlib import Path

import pytest

from edgeclf.edge_runtime.errors import EdgeclfError
from edgeclf.edge_runtime.live.sinks.mqtt.address import MqttAddress


@pytest.mark.parametrize(
    ("url", "shown", "user", "password"),
    [
        ("mqtt://broker", "mqtt://broker:1883/edgeclf", None, None),
        ("mqtts://broker/hall/cam/", "mqtts://broker:8883/hall/cam", None, None),
        ("mqtt://anna:p%40ss@10.0.0.7:99/x", "mqtt://10.0.0.7:99/x", "anna", "p@ss"),
        ("mqtt://anna@[::1]:99/x", "mqtt://[::1]:99/x", "anna", "outer"),
    ],
)
def test_addresses(
    tmp_path: Path, url: str, shown: str, user: str | None, password: str | None
) -> None:
    address = MqttAddress.parse(url, {"EDGECLF_MQTT_PASSWORD": "outer"})
    assert (str(address), address.user, address.password) == (shown, user, password)
    (tmp_path / "EDGECLF_MQTT_PASSWORD").write_text("outer\n")
    assert MqttAddress.parse(url, {"CREDENTIALS_DIRECTORY": str(tmp_path)}) == address
    without = MqttAddress.parse(address.url_without_password, {})
    assert (str(without), without.user, without.password) == (shown, user, None)


@pytest.mark.parametrize(
    "url",
    ["broker:1883", "http://anna:s3cret@broker", "mqtt://", "mqtt://anna:s3cret@broker:port",
     "mqtt://anna:s3cret@broker/a/+/b", "mqtt://anna:12/s3cret@broker", "mqtt://broker/a?s3cret", "mqtt://[s3cret"],
)  # fmt: skip
def test_what_is_no_address_is_not_repeated(url: str) -> None:
    with pytest.raises(EdgeclfError, match=r"cannot be read; give mqtt\[s\]://") as error:
        MqttAddress.parse(url, {})
    assert "s3cret" not in str(error.value)
