"""Checks of the daemon: whether it runs, answers, and has its port."""

import http.client
import json
from dataclasses import dataclass
from pathlib import Path

import psutil

from service import daemon
from service.checks.finding import Finding, bad, look, ok

PATIENCE = 5.0  # seconds for an answer
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104  asked where it listens everywhere
AS_ITS_USER = "run this as the user whose daemon it is"
SET_PORT = "set another port with ROLLCAST_API__PORT"


@dataclass(frozen=True)
class Ready:
    """What /readyz answered. status: of HTTP, None where nothing answered; ours: whether it was Rollcast."""

    status: int | None
    told: str
    ours: bool


def running(data_dir: Path, host: str, port: int) -> Finding:
    """Whether the daemon is at work, or could be."""
    if _is_hidden(data_dir / daemon.LOCK_NAME):
        return look("daemon", f"whether one works on {data_dir} is not for this user to see", AS_ITS_USER)
    if not daemon.is_running(data_dir):
        return _could_run(data_dir, host, port)
    pid = process_of(data_dir)
    who = f"process {pid} works on {data_dir}"
    listener = listener_at(port)
    if listener is not None and pid is not None and listener.pid != pid:
        return bad(
            "daemon",
            f"{who}, but {host}:{port} belongs to process {listener.pid} ({listener.name()}): they have other settings",
            f"start it again with the settings that are in force now, and {SET_PORT} for one of the two",
        )
    answer = ready(host, port)
    if answer.status == http.client.OK and answer.ours:
        return ok("daemon", f"{who}, and is ready at {host}:{port}")
    if answer.status is None:
        return bad(
            "daemon",
            f"{who}, but nothing answers at {host}:{port}: {answer.told}",
            "see its log; where it was started with other settings, start it again with these",
        )
    if not answer.ours:
        return bad("daemon", f"{who}, but what answers at {host}:{port} is not Rollcast", SET_PORT)
    return bad("daemon", f"{who}, but is not ready: {answer.told}", "see its log; start it again if it stays so")


def _is_hidden(lock: Path) -> bool:
    """Whether the daemon's lock is there for another user alone."""
    try:
        lock.open().close()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


def _could_run(data_dir: Path, host: str, port: int) -> Finding:
    """Whether a daemon could be started."""
    try:
        daemon.listen(host, port).close()
    except daemon.StartError as error:
        holder = listener_at(port)
        if holder is None:
            reason, _, cure = str(error).rpartition("; ")
            return bad("daemon", f"none runs, and none could: {reason}", cure)
        return bad(
            "daemon",
            f"none runs, and none could: port {port} is taken by process {holder.pid} ({holder.name()})",
            f"end that, or {SET_PORT}",
        )
    return look("daemon", f"none runs on {data_dir}", "rollcast run starts one")


def ready(host: str, port: int) -> Ready:
    """Ask whether the daemon is ready."""
    connection = http.client.HTTPConnection(EVERYWHERE.get(host, host), port, timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        body = response.read(10_000)
    except (OSError, http.client.HTTPException) as error:
        return Ready(None, " ".join(str(error).split()) or type(error).__name__, ours=False)
    finally:
        connection.close()
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return Ready(response.status, "", ours=False)
    trouble = answer.get("error")
    told = f"{trouble.get('message')}" if isinstance(trouble, dict) else str(answer.get("status"))
    return Ready(response.status, told, ours="status" in answer or "error" in answer)


def process_of(data_dir: Path) -> int | None:
    """The process that holds the daemon's lock, as it says itself."""
    try:
        return int((data_dir / daemon.LOCK_NAME).read_text())
    except (OSError, ValueError):
        return None


def listener_at(port: int) -> psutil.Process | None:
    """The process that listens at a port; None where there is none, or none that can be seen."""
    try:
        for found in psutil.net_connections("tcp"):
            if found.status == psutil.CONN_LISTEN and found.laddr[1:2] == (port,) and found.pid is not None:
                return psutil.Process(found.pid)
    except psutil.Error:  # some systems show them to root alone
        return None
    return None
