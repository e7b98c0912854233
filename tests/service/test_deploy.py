"""What is shipped in deploy/, and the container: held to the code, and checked by the tools that will read it."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from fastapi.testclient import TestClient

from db import engine, queries
from service import healthcheck
from service.api import create_app
from service.exposure import SHORTEST_TOKEN, token_of
from service.settings import CONFIG_NAME, PREFIX, ApiSettings, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "rollcast.rules.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "rollcast.json").read_text())
UNIT = DEPLOY / "rollcast.service"
TOOLS = {"promtool": "prometheus", "systemd-analyze": "systemd"}  # each tool, and its package


def checked(*command):
    """Run a tool that checks; what it says where it is not content."""
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


@pytest.fixture
def promtool():
    return needed("promtool")


@pytest.fixture
def systemd_analyze():
    return needed("systemd-analyze")


def needed(tool):
    found = shutil.which(tool)
    if found is None:
        pytest.skip(f"{tool} is not installed; it comes with Debian's package {TOOLS[tool]}")
    return found


# ── Prometheus and Grafana ──────────────────────────────────────────────────────────────────────────────────────────


def test_prometheus_accepts_how_it_is_to_ask(promtool):
    assert checked(promtool, "check", "config", str(DEPLOY / "prometheus" / "scrape.yml")) == ""


def test_the_alerts_fire_when_they_should_and_not_before(promtool):
    assert checked(promtool, "test", "rules", str(RULES.with_suffix(".test.yml"))) == ""


def test_every_alert_has_a_test_in_which_it_fires():
    tried = yaml.safe_load(RULES.with_suffix(".test.yml").read_text())["tests"]
    fired = {case["alertname"] for test in tried for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert fired == {rule["alert"] for rule in alerts()}


def test_every_alert_is_in_the_document():
    told = (DEPLOY / "README.md").read_text()
    assert [rule["alert"] for rule in alerts() if f"`{rule['alert']}`" not in told] == []


def alerts():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions():
    """Every expression of the dashboard, its variables filled in."""
    queried = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    queried += [each["expr"] for each in DASHBOARD["annotations"]["list"]]
    return [re.sub(r"\$\w+", ".*", expression) for expression in queried]


def test_the_dashboards_expressions_are_valid(promtool, tmp_path):
    rules = [{"record": f"dashboard:{k}", "expr": expression} for k, expression in enumerate(expressions())]
    assert len(rules) > 20
    file = tmp_path / "dashboard.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert checked(promtool, "check", "rules", "--lint=none", str(file)) == ""


@pytest.fixture
def told(url, panel, lived, clock, sessions, write_engine):
    """The names of the metrics that the daemon tells of a panel that has lived, with their labels."""
    with sessions.begin() as session:
        for job in ("fetch", "refit"):
            run = queries.start_run(session, job, panel.name, due=clock(), started=clock())
            queries.end_run(session, run, ended=clock(), outcome="ok", reason="")
    read_engine = engine.reader(url)
    app = create_app(lambda: {panel.name: panel}, engine.sessions(read_engine), clock, lambda: True)
    app.state.waiting = lambda: {"refit": 0}
    with TestClient(app, base_url="http://127.0.0.1") as client:
        text = client.get("/metrics").text
    read_engine.dispose()
    names = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", text, flags=re.MULTILINE):
        names.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return names


def asked(expression):
    """The metrics that an expression asks for, and by which labels it picks among them."""
    return {
        name: set(re.findall(r"(\w+)\s*[=!]~?\s*\"", matchers))
        for name, matchers in re.findall(r"\b((?:rollcast|process)_\w+)(?:\{([^}]*)\})?", expression)
    }


TARGET = {"instance", "job"}  # labels that Prometheus adds


def test_the_dashboard_asks_for_what_there_is(told):
    for expression in expressions():
        for name, labels in asked(expression).items():
            assert name in told, expression
            assert labels <= told[name] | TARGET, expression


def test_the_alerts_ask_for_what_there_is(told):
    for rule in alerts():
        for name, labels in asked(rule["expr"]).items():
            assert name in told, rule["alert"]
            assert labels <= told[name] | TARGET, rule["alert"]


def test_the_dashboard_shows_every_metric_of_ours_but_two(told):
    shown = {name for expression in expressions() for name in asked(expression)}
    left_out = {name for name in told if name.startswith("rollcast_")} - shown
    assert left_out == {"rollcast_refit_overdue_timestamp_seconds", "rollcast_run_ended_timestamp_seconds"}


def test_no_two_panels_of_the_dashboard_overlap():
    taken = set()
    for panel in DASHBOARD["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24, panel["title"]
        taken |= cells


# ── systemd ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def unit(name):
    """The values of a setting of the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), flags=re.MULTILINE)


@pytest.fixture
def unit_here(tmp_path):
    """The unit as if it were installed on this machine."""
    file = tmp_path / "rollcast.service"
    file.write_text(UNIT.read_text().replace("/opt/rollcast/bin/rollcast", sys.executable))
    return file


def test_systemd_accepts_the_unit(systemd_analyze, unit_here):
    ended = subprocess.run([systemd_analyze, "verify", unit_here], capture_output=True, text=True, check=False)
    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "rollcast" in line]) == (0, [])


def test_systemd_finds_the_unit_well_protected(systemd_analyze, unit_here):
    assert checked(systemd_analyze, "security", "--offline=yes", "--threshold=20", str(unit_here)) == ""


def test_the_unit_calls_a_command_that_there_is(run_command):
    (line,) = unit("ExecStart")
    _, *words = shlex.split(line)
    code, out, _ = run_command(*words, "--help")
    assert (code, "SIGHUP" in out) == (0, True)


def test_the_unit_reloads_by_the_signal_that_the_daemon_heeds():
    assert unit("ExecReload") == ["/bin/kill -HUP $MAINPID"]


def test_the_other_commands_have_the_secrets_that_the_unit_gives_the_daemon(tmp_path):
    (line,) = re.findall(r"^    (sh -c .+)$", (DEPLOY / "README.md").read_text(), flags=re.MULTILINE)
    (secrets,) = unit("EnvironmentFile")
    assert secrets.removeprefix("-") in line
    (tmp_path / "environment").write_text("DB_PASSWORD='open sesame'\n")
    (tmp_path / "runuser").write_text('#!/bin/sh\nshift 3\nexec "$@"\n')
    (tmp_path / "runuser").chmod(0o755)
    there = line.replace(secrets.removeprefix("-"), str(tmp_path / "environment")).split(" - ")[0]
    ended = subprocess.run(
        ["/bin/sh", "-c", f"{there} - printenv DB_PASSWORD"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout == "open sesame\n"


# ── the container ───────────────────────────────────────────────────────────────────────────────────────────────────

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())


def test_what_the_image_copies_is_there_and_not_left_out():
    left_out = (ROOT / ".dockerignore").read_text().split()
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, flags=re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source not in left_out


def test_the_image_holds_every_room_of_the_house():
    rooms = [name.removesuffix("*") for name in project()["tool"]["setuptools"]["packages"]["find"]["include"]]
    assert [room for room in rooms if f"\nCOPY {room} {room}\n" not in DOCKERFILE] == []


def test_the_image_installs_what_the_project_needs():
    (program,) = re.findall(r'^RUN python -c "(.+)" > requirements.txt', DOCKERFILE, flags=re.MULTILINE)
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    needed_lines = ended.stdout.splitlines()
    assert set(project()["project"]["dependencies"]) <= set(needed_lines)
    assert {"psycopg[binary]", "matplotlib"} <= set(needed_lines)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_the_image_does_not_run_as_root():
    assert re.findall(r"^USER (\w+)$", DOCKERFILE, flags=re.MULTILINE) == ["10001"]


def test_the_images_variables_are_settings():
    for name in re.findall(rf"\b({PREFIX}\w+)=", DOCKERFILE):
        assert name.removeprefix(PREFIX).split("__")[0].lower() in Settings.model_fields, name


def test_the_health_check_is_a_module_of_the_image():
    (command,) = re.findall(r"^    CMD (\[.+\])$", DOCKERFILE, flags=re.MULTILINE)
    assert json.loads(command) == ["python", "-m", healthcheck.__name__]


def test_the_container_publishes_on_this_machine_alone():
    assert COMPOSE["services"]["rollcast"]["ports"] == ["127.0.0.1:8765:8765"]


def test_the_container_demands_a_token_as_the_daemon_would():
    token = COMPOSE["services"]["rollcast"]["environment"]["ROLLCAST_API__TOKEN"]
    assert re.fullmatch(r"\$\{ROLLCAST_API__TOKEN:\?.+\}", token)
    made = (ROOT / "docker-compose.yml").read_text()
    (program,) = re.findall(r"python3 -c '(.+?)'", made)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    token = ended.stdout.strip()
    assert len(token) >= SHORTEST_TOKEN
    assert token_of(ApiSettings(host="192.168.1.7", token=token)) == token


def test_the_lines_to_take_in_mount_the_folder_of_the_configuration_that_they_name():
    text = (ROOT / "docker-compose.yml").read_text()
    service = yaml.safe_load(re.sub(r"^( +)# (?=ROLLCAST_CONFIG:|- )", r"\1", text, flags=re.MULTILINE))["services"][
        "rollcast"
    ]
    here, there, mode = service["volumes"][-1].split(":")
    assert (Path(here).suffix, mode) == ("", "ro")
    assert Path(service["environment"]["ROLLCAST_CONFIG"]) == Path(there) / CONFIG_NAME


def test_every_volume_is_declared_and_postgres_only_starts_where_it_is_asked_for():
    services = COMPOSE["services"]
    named = {volume.split(":")[0] for service in services.values() for volume in service["volumes"]}
    assert named == set(COMPOSE["volumes"])
    assert [name for name, service in services.items() if "profiles" not in service] == ["rollcast"]
    assert services["postgres"]["profiles"] == ["postgres"]


def test_what_the_document_links_to_is_there():
    for target in re.findall(r"\]\(([^)#]+)\)", (DEPLOY / "README.md").read_text()):
        assert (DEPLOY / target).exists(), target
