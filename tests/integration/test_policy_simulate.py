"""ups2000 policy simulate: an outage played against a configuration, without a daemon."""

import json
import subprocess

import pytest

from sim import bin_dir

CLI = str(bin_dir() / "ups2000")

CONFIG = """
ups "rack" { port = "/dev/ttyUSB0" }
shutdown {
	on-battery = 300
	secondaries-wait = 60
	final-delay = 5
	host-shutdown-time = 120
}
task "stop-vms" { run = {"/bin/true"} timeout = 30 }
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "ups2000.conf"

    def write(text=CONFIG):
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    return write


def simulate(path, *arguments):
    return subprocess.run(
        [CLI, "policy", "simulate", "--config", path, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def result(path, *arguments):
    run = simulate(path, "--json", *arguments)
    assert run.stderr == ""
    return json.loads(run.stdout)


def test_hosts_go_down_in_order(config):
    played = result(config(), "--outage", "1h", "--secondaries", "2", "--leave", "20s")
    end = played["result"]
    assert end["end"] == "down"
    assert end["fsd_s"] == pytest.approx(300, abs=3)
    assert end["host_asked_s"] == pytest.approx(300 + 20 + 30 + 5, abs=6)
    assert end["host_halted_s"] == pytest.approx(end["host_asked_s"] + 120, abs=3)
    assert end["output_on_s"] > 3600
    events = [line["event"] for line in played["timeline"]]
    order = ["mains-off", "shutdown-warning", "shutdown-announced", "secondaries", "command"]
    order += ["host-halted", "output-off", "mains-on", "output-on", "host-up"]
    places = [events.index(event) for event in order]
    assert places == sorted(places)


def test_a_short_outage_passes(config):
    assert result(config(), "--outage", "2m")["result"]["end"] == "nothing"
    assert result(config(), "--outage", "298s")["result"]["end"] == "called-off"
    assert result(config(), "--outage", "310s")["result"]["end"] == "down"


def test_a_battery_that_is_too_small(config):
    run = simulate(config(), "--runtime", "150s")
    assert run.returncode == 1
    assert "Too late" in run.stdout
    assert simulate(config(), "--runtime", "30m").returncode == 0


def test_a_secondary_that_never_leaves(config):
    end = result(config(), "--secondaries", "1", "--leave", "forever")["result"]
    assert end["host_asked_s"] == pytest.approx(300 + 60 + 30 + 5, abs=6)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (["--outage", "soon"], "--outage needs a duration"),
        (["--charge", "0"], "--charge needs a charge from 1 to 100"),
        (["--runtime", "2d"], "--runtime needs a duration from 1s to 24h"),
        (["--secondaries", "1.5"], "--secondaries needs a number"),
        (["--ups", "nowhere"], 'there is no ups "nowhere"'),
    ],
)
def test_mistakes(config, arguments, said):
    run = simulate(config(), *arguments)
    assert run.returncode == 64
    assert said in run.stderr
    assert run.stdout == ""


def test_nothing_to_play(config):
    run = simulate(config('ups "rack" { port = "/dev/ttyUSB0" }\n'))
    assert run.returncode == 66
    assert 'no section "shutdown"' in run.stderr
    assert simulate("/nonexistent/ups2000.conf").returncode == 66


def test_options_belong_to_simulate():
    run = subprocess.run(
        [CLI, "policy", "--outage", "1h"], capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 64
    assert "policy simulate" in run.stderr
