"""Figures for scrapers: judged by promtool and by a real Prometheus."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request

import pytest

from daemon import Daemon
from sim import Sim, wait_until
from web import Web

OPEN = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"


@pytest.fixture(scope="module")
def site():
    with Sim() as sim:
        config = (f'ups "rack" {{ port = "{sim.port}" desc = "Server room" }}\n'
                  'ups "gone" { port = "/dev/null/none" }\nhttp { listen = {"127.0.0.1:0"} }\n')
        with Daemon(config=config, http=()) as daemon:
            web = Web(daemon.http_ports()[0])
            wait_until(lambda: web.get("/api/v1/ups/rack").json()["availability"] == "fresh", 30)
            wait_until(lambda: 'ups2000_input_voltage_volts{ups="rack"}' in samples(web)
                       and 'ups2000_battery_charge_ratio{ups="rack"}' in samples(web), 30)
            wait_until(lambda: samples(web).get('ups2000_alarm_active{ups="rack",alarm="EEPROM fault",id="42/24"}') == 0, 30)
            yield daemon, web, sim


@pytest.fixture
def web(site):
    return site[1]


def samples(web, target="/metrics", **headers):
    answer = web.get(target, **headers)
    assert answer.status == 200, answer
    out = {}
    for line in answer.body.decode().splitlines():
        if not line.startswith("#"):
            name, _, value = line.rpartition(" ")
            assert name not in out, line
            out[name] = float(value)
    return out


@pytest.mark.parametrize("target", ["/metrics", "/ups_metrics?ups=rack"])
def test_promtool_finds_nothing(web, target):
    page = web.get(target)
    assert page.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    judged = subprocess.run(["promtool", "check", "metrics"], input=page.body, capture_output=True)
    assert judged.returncode == 0, judged.stdout + judged.stderr
    assert not judged.stdout and not judged.stderr


@pytest.mark.parametrize("target", ["/metrics", "/ups_metrics?ups=rack"])
def test_openmetrics_has_its_form(web, target):
    page = web.get(target, Accept=OPEN)
    assert page.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    text = page.body.decode()
    assert text.endswith("\n# EOF\n") and "\n\n" not in text and "\r" not in text
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    for name, unit in re.findall(r"^# UNIT (\S+) (\S+)$", text, re.M):
        assert name.endswith("_" + unit)
    for name, kind in kinds.items():
        assert not name.endswith("_total") and not name.endswith("_info")
        if kind == "counter":
            assert f"\n{name}_total" in text
    # the same series as in the other form
    names = lambda t: set(re.findall(r"^([a-z]\S*|[a-z].*\}) ", t, re.M))  # noqa: E731
    assert names(text) == names(web.get(target).body.decode())


def test_figures_are_those_of_the_ups(site):
    _, web, sim = site
    snapshot = web.get("/api/v1/ups/rack").json()["quantities"]
    now = samples(web)
    assert now['ups2000_up{ups="rack"}'] == 1
    assert now['ups2000_up{ups="gone"}'] == 0
    assert now['ups2000_status{ups="rack",flag="OL"}'] == 1
    assert now['ups2000_status{ups="rack",flag="OB"}'] == 0
    assert now['ups2000_input_voltage_volts{ups="rack"}'] == pytest.approx(snapshot["input.voltage"]["value"], abs=5)
    assert now['ups2000_battery_charge_ratio{ups="rack"}'] == pytest.approx(snapshot["battery.charge"]["value"] / 100)
    assert now["process_open_fds"] > 3
    # of one that is not there nothing is told but that, and what we count ourselves
    counted = ("ups2000_modbus", "ups2000_poll_duration", "ups2000_outage_detection", "ups2000_output_energy",
               "ups2000_battery_energy", "ups2000_energy_unknown", "ups2000_outages_total", "ups2000_on_battery")
    mine = [name for name in now if 'ups="gone"' in name and not name.startswith(counted)]
    assert mine == ['ups2000_up{ups="gone"}']

    sim.cmd("mains off")
    wait_until(lambda: samples(web)['ups2000_status{ups="rack",flag="OB"}'] == 1, 30)
    now = samples(web)
    assert now['ups2000_outage_detection_seconds_count{ups="rack"}'] == 1
    assert now['ups2000_outage_detection_seconds_bucket{ups="rack",le="+Inf"}'] == 1
    sim.cmd("mains on")
    wait_until(lambda: samples(web)['ups2000_status{ups="rack",flag="OL"}'] == 1, 30)


def test_commands_are_counted(site):
    daemon, web, _ = site
    post = ["curl", "-sS", "--unix-socket", daemon.socket, "-H", "Content-Type: application/json", "-d",
            '{"command":"beeper.toggle"}', "http://localhost/api/v1/ups/rack/commands"]
    wait_until(lambda: web.get("/api/v1/ups/rack/commands").json()["open"], 30)
    subprocess.run(post, check=True, capture_output=True)
    name = 'ups2000_commands_total{ups="rack",command="beeper.toggle",result="verified"}'
    wait_until(lambda: samples(web).get(name) == 1, 30)


def test_nut_exporters_shape(web):
    now = samples(web, "/ups_metrics?ups=rack")
    assert now['network_ups_tools_ups_status{flag="OL"}'] == 1
    assert now['network_ups_tools_ups_status{flag="OB"}'] == 0
    assert 0 <= now["network_ups_tools_battery_charge"] <= 100
    info = [name for name in now if name.startswith("network_ups_tools_device_info{")]
    assert len(info) == 1 and 'model="UPS2000' in info[0] and 'mfr="' in info[0]
    assert samples(web, "/ups_metrics?ups=gone") == {}
    assert web.get("/ups_metrics?ups=other").status == 404
    assert web.get("/ups_metrics").status == 400


def test_dashboards_read_one_flat_object(web):
    flat = web.get("/api/v1/devices/rack").json()
    assert flat["ups.status"].startswith("OL")
    assert isinstance(flat["battery.charge"], (int, float))
    assert isinstance(flat["device.serial"], str)
    assert web.get("/api/v1/devices/gone").status == 503
    assert web.get("/api/v1/devices/other").status == 404


def test_health(site):
    daemon, web, _ = site
    assert web.get("/healthz").status == 200
    ready = web.get("/readyz")
    assert ready.status == 503 and ready.body == b"no fresh data of gone\n"
    for target in ("/metrics", "/ups_metrics?ups=rack", "/healthz", "/readyz"):
        assert web.request("POST", target, body={}).status == 405
        assert web.request("HEAD", target).body == b""


def test_a_login_is_needed_beyond_this_host():
    with Daemon(config='ups "u" { port = "/dev/null/none" }\nhttp { listen = {"127.0.0.1:0"} read-without-login = {} }\n'
                       'user "prometheus" { password = "scrape" }\n', http=()) as daemon:
        web = Web(daemon.http_ports()[0])
        for target in ("/metrics", "/ups_metrics", "/readyz"):
            assert web.get(target).status == 401
        assert web.get("/healthz").status == 200
        out = subprocess.run(["curl", "-sS", "-u", "prometheus:scrape", f"http://localhost:{web.port}/metrics"],
                             capture_output=True, text=True)
        assert 'ups2000_up{ups="u"} 0' in out.stdout


@pytest.fixture
def prometheus(site, tmp_path):
    """A Prometheus that scrapes the daemon in both forms."""
    _, web, _ = site
    port = free_port()
    jobs = "".join(
        f'  - job_name: {name}\n    scrape_interval: 1s\n    metrics_path: {path}\n{more}'
        f'    static_configs: [{{targets: ["127.0.0.1:{web.port}"]}}]\n'
        for name, path, more in (("ups2000", "/metrics", ""), ("nut", "/ups_metrics", "    params: {ups: [rack]}\n")))
    (tmp_path / "p.yml").write_text("scrape_configs:\n" + jobs)
    process = subprocess.Popen(
        ["prometheus", f"--config.file={tmp_path}/p.yml", f"--storage.tsdb.path={tmp_path}/data",
         f"--web.listen-address=127.0.0.1:{port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield port
    process.terminate()
    process.wait(30)
    shutil.rmtree(tmp_path / "data", ignore_errors=True)


def free_port():
    import socket
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def ask(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)["data"]
    except (urllib.error.URLError, ConnectionError):
        return None


def test_a_real_prometheus_scrapes_it(prometheus):
    def healthy():
        targets = (ask(prometheus, "targets") or {}).get("activeTargets", [])
        bad = [t["lastError"] for t in targets if t["lastError"]]
        assert not bad, bad
        return len(targets) == 2 and all(t["health"] == "up" for t in targets)

    wait_until(healthy, 60)

    def value(query):
        found = (ask(prometheus, "query?query=" + urllib.request.quote(query)) or {}).get("result", [])
        return float(found[0]["value"][1]) if found else None

    wait_until(lambda: value('ups2000_status{ups="rack",flag="OL"}') == 1, 60)
    wait_until(lambda: value('network_ups_tools_ups_status{flag="OL"}') == 1, 60)
    assert value('histogram_quantile(0.9, sum by (le) (ups2000_poll_duration_seconds_bucket{ups="rack"}))') is not None
    meta = ask(prometheus, "metadata?metric=ups2000_modbus_requests")
    assert meta["ups2000_modbus_requests"][0]["type"] == "counter"
