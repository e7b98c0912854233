"""A real Prometheus that runs for the tests, and how to give it samples of any time."""

import shutil
import socket
import struct
import subprocess
import time
from contextlib import contextmanager

import httpx2
import pytest

ANY_ORDER = "storage: {tsdb: {out_of_order_time_window: 10y}}"


@contextmanager
def running(folder, history=None):
    """Its URL. history: text in the OpenMetrics format that it begins with."""
    for program in ("prometheus", "promtool"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed (Debian's package prometheus)")
    config, blocks = folder / "prometheus.yml", folder / "data"
    config.write_text(ANY_ORDER)
    if history is not None:
        (folder / "history.txt").write_text(history)
        made = ["tsdb", "create-blocks-from", "openmetrics", "--quiet", str(folder / "history.txt"), str(blocks)]
        subprocess.run([shutil.which("promtool"), *made], check=True, capture_output=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = {
        "config.file": config,
        "storage.tsdb.path": blocks,
        "storage.tsdb.retention.time": "100y",
        "web.listen-address": address,
    }
    told = [f"--{name}={value}" for name, value in options.items()]
    process = subprocess.Popen(
        [shutil.which("prometheus"), "--web.enable-remote-write-receiver", *told],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_ready(process, address)
        yield f"http://{address}"
    finally:
        process.kill()  # what it has is of no use to anybody
        process.wait()


def _wait_until_ready(process, address):
    with httpx2.Client(trust_env=False) as client:
        for _ in range(200):
            assert process.poll() is None, "prometheus ended by itself"
            try:
                if client.get(f"http://{address}/-/ready").is_success:
                    return
            except httpx2.TransportError:
                pass
            time.sleep(0.05)
    raise AssertionError("prometheus is not ready after 10 s")


def push(url, metric, samples, **labels):
    """Write (time, value) pairs, as another Prometheus would: in protobuf, packed by snappy."""
    named = sorted({"__name__": metric, **labels}.items())
    series = b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in named)
    series += b"".join(map(_sample, samples))
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    with httpx2.Client(trust_env=False) as client:
        client.post(f"{url}/api/v1/write", content=_packed(_field(1, series)), headers=headers).raise_for_status()


def _sample(sample):
    at, value = sample
    return _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(at.timestamp() * 1000)))


def _field(number, content):
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + _varint(number >> 7)


def _packed(content):
    """Snappy refers to repeated parts, but need not."""
    parts = [content[start : start + 60] for start in range(0, len(content), 60)]
    return _varint(len(content)) + b"".join(bytes([len(part) - 1 << 2]) + part for part in parts)
