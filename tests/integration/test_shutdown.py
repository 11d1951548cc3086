"""Hosts go down in order and come back: FSD, the shutdown section, this host's request file."""

import pathlib
import signal
import subprocess

import pytest

from daemon import Daemon
from sim import bin_dir, wait_until

BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
USERS = """
user "mon" { password = "secret"  upsmon = primary }
user "second" { password = "secret"  upsmon = secondary }
"""


def config(sim, more=""):
    return f'ups "ups" {{ port = "{sim.port}" }}\n{USERS}{more}\n'


def status(daemon):
    with daemon.nut() as nut:
        return nut.try_get("ups.status").split()


def announce(nut, ups="ups"):
    nut.cmd("USERNAME mon")
    nut.cmd("PASSWORD secret")
    assert nut.cmd(f"FSD {ups}") == "OK FSD-SET"


def state_file(daemon, name):
    path = daemon.directory / "state" / name
    return path.read_text() if path.exists() else ""


def another_boot(daemon):
    """What was kept is from before: /run is empty, and the files name another boot."""
    for path in daemon.runtime_dir.iterdir():
        path.unlink()
    kept = list((daemon.directory / "state").glob("*.state"))
    assert kept
    for path in kept:
        assert BOOT in path.read_text()
        path.write_text(path.read_text().replace(BOOT, "00000000-0000-4000-8000-000000000000"))


# --- FSD over a restart ----------------------------------------------------------------------------


def test_fsd_survives_a_crash(sim):
    with Daemon(config=config(sim)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        with daemon.nut() as nut:
            announce(nut)
            assert nut.get("ups.status").split()[0] == "FSD"
        wait_until(lambda: '"ups"' in state_file(daemon, "fsd.state"), 30)
        assert "\nups ups return\n" in (daemon.runtime_dir / "fsd").read_text()
        daemon.stop(signal.SIGKILL)
        daemon.start()
        # the first answer knows it already, whether data were there or not
        with daemon.nut() as nut:
            assert nut.get("ups.status").split()[:2] == ["FSD", "OL"]
        assert "still holds" in daemon.log()


def test_fsd_of_another_boot_is_history(sim):
    with Daemon(config=config(sim)) as daemon:
        with daemon.nut() as nut:
            announce(nut)
        wait_until(lambda: '"ups"' in state_file(daemon, "fsd.state"), 30)
        daemon.stop(signal.SIGKILL)
        another_boot(daemon)
        daemon.start()
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        assert "still holds" not in daemon.log()


def test_damaged_fsd_file_is_said(sim):
    with Daemon(config=config(sim)) as daemon:
        daemon.stop()
        (daemon.directory / "state" / "fsd.state").write_text("{ nonsense")
        daemon.start()
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        assert "cannot be understood" in daemon.log()


def test_numlogins_without_device_data(sim):
    sim.cmd("unplug")
    with Daemon(config=config(sim)) as daemon, daemon.nut() as nut, daemon.nut() as other:
        wait_until(lambda: nut.try_get("ups.status") == "DRIVER-NOT-CONNECTED", 30)
        assert other.login("second", "secret") == "OK"
        assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 1"
        announce(nut)
        other.close()
        wait_until(lambda: nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 0", 30)
        sim.cmd("replug")
        wait_until(lambda: nut.try_get("ups.status").startswith("FSD OL"), 30)


# --- this host --------------------------------------------------------------------------------------

# Quick, and with the real steps: on battery for a second is enough.
QUICK = """shutdown { on-battery = 1 warning = 1 mains-stable = 1 secondaries-wait = 2 final-delay = 1
	method = request %s }
"""

# Warns at once and then waits for ten minutes.
SLOW = """shutdown { on-battery = 600 warning = 599 mains-stable = 1 method = request }"""


def policy(daemon):
    return daemon.api("policy")


def request(daemon):
    path = daemon.runtime_dir / "host-shutdown"
    return path.read_text() if path.exists() else ""


def take(daemon):
    """What ups2000-host does: the request becomes the late hook's token."""
    path = daemon.runtime_dir / "host-shutdown"
    path.rename(daemon.runtime_dir / "host-shutdown.taken")


def taken(daemon):
    return (daemon.runtime_dir / "host-shutdown.taken").exists()


def test_one_line_section(sim):
    """Nothing happens on a short outage, and the section is served."""
    with Daemon(config=config(sim, "shutdown {}")) as daemon:
        wait_until(lambda: policy(daemon)["ups"][0]["known"], 30)
        assert policy(daemon)["enabled"] and policy(daemon)["state"] == "normal"
        sim.cmd("mains off")
        wait_until(lambda: policy(daemon)["state"] == "on-battery", 30)
        sim.cmd("mains on")
        wait_until(lambda: policy(daemon)["state"] == "normal", 30)
        assert request(daemon) == "" and status(daemon)[0] == "OL"


def test_without_a_section_nothing_happens(sim):
    with Daemon(config=config(sim)) as daemon:
        wait_until(lambda: policy(daemon)["ups"][0]["known"], 30)
        sim.cmd("mains off")
        sim.cmd("battery 5")
        wait_until(lambda: "LB" in status(daemon), 30)
        assert policy(daemon)["state"] in ("normal", "on-battery") and not policy(daemon)["enabled"]
        assert request(daemon) == "" and "FSD" not in status(daemon)


def test_outage_to_request(sim):
    with Daemon(config=config(sim, QUICK % "")) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: status(daemon)[:2] == ["FSD", "OB"], 30)
        wait_until(lambda: request(daemon), 30)
        assert "\nups ups return\n" in request(daemon)
        assert sim.reg(1044) == 1
        take(daemon)
        wait_until(lambda: policy(daemon)["state"] == "host", 30)
        assert taken(daemon)
        assert all(w["base"] in (1044, 1045) for w in sim.writes()), "the output is the hook's"


def test_mains_back_in_time(sim):
    """Before FSD the mains take everything back; nobody is told to go."""
    with Daemon(config=config(sim, SLOW)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: policy(daemon)["state"] == "warning", 30)
        sim.cmd("mains on")
        wait_until(lambda: policy(daemon)["state"] == "normal", 30)
        assert "FSD" not in status(daemon) and request(daemon) == ""
        assert sim.writes() == []


def test_after_fsd_it_is_finished(sim):
    """The mains come back when hosts are leaving: the sequence goes on, so that all come back."""
    with Daemon(config=config(sim, QUICK % "")) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: "FSD" in status(daemon), 30)
        sim.cmd("mains on")
        wait_until(lambda: request(daemon), 60)
        assert "\nups ups return\n" in request(daemon)


@pytest.mark.parametrize("step", ["on-battery", "announced", "request", "taken"])
def test_killed_and_started_again(sim, step):
    with Daemon(config=config(sim, QUICK % "")) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        if step == "on-battery":
            wait_until(lambda: policy(daemon)["state"] != "normal", 30)
        else:
            wait_until(lambda: "FSD" in status(daemon), 30)
        if step in ("request", "taken"):
            wait_until(lambda: request(daemon), 60)
        if step == "taken":
            take(daemon)
            wait_until(lambda: policy(daemon)["state"] == "host", 30)
        daemon.stop(signal.SIGKILL)
        daemon.start()
        if step != "on-battery":
            assert "FSD" in status(daemon)
        if step == "taken":  # it was asked for already: not again
            wait_until(lambda: policy(daemon)["state"] == "host", 30)
            assert request(daemon) == "" and taken(daemon)
        else:
            wait_until(lambda: request(daemon), 60)
            assert request(daemon).count("action poweroff") == 1


def test_nothing_happens_again_after_the_boot(sim):
    with Daemon(config=config(sim, QUICK % "")) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: request(daemon), 60)
        take(daemon)
        wait_until(lambda: policy(daemon)["state"] == "host", 30)
        daemon.stop(signal.SIGKILL)
        another_boot(daemon)
        sim.cmd("mains on")
        daemon.start()
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        wait_until(lambda: policy(daemon)["state"] in ("normal", "coming-back"), 30)
        assert request(daemon) == "" and not taken(daemon)
        assert "FSD" not in status(daemon)


def test_nobody_takes_the_request(sim):
    with Daemon(config=config(sim, QUICK % "")) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: "nobody takes the request" in daemon.log(), 90)


def test_helper_runs_the_command(sim, tmp_path):
    """Without systemd: the process that keeps root does it."""
    script = tmp_path / "down"
    script.write_text(f'#!/bin/sh\necho "$@" >{tmp_path}/ran\n')
    script.chmod(0o755)
    text = (QUICK % f'command = {{"{script}", "-P", "a b"}}').replace("request", "helper")
    with Daemon(config=config(sim, text)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: (tmp_path / "ran").exists(), 60)
        assert (tmp_path / "ran").read_text() == "-P a b\n"
        wait_until(lambda: policy(daemon)["state"] == "host", 30)
        assert taken(daemon)


def test_ups2000_host(sim, tmp_path):
    """The root side under systemd: takes a good request once, and none that is not."""
    run = tmp_path / "run"
    run.mkdir()
    command = [bin_dir() / "ups2000-host", "--runtime-dir", run, "--", "touch", tmp_path / "down"]
    assert subprocess.run(command, check=False).returncode == 0
    assert not (tmp_path / "down").exists()
    (run / "host-shutdown").write_text(f"ups2000 1\nboot {BOOT[:-1]}x\naction poweroff\n")
    assert subprocess.run(command, check=False).returncode == 1
    assert not (tmp_path / "down").exists() and not (run / "host-shutdown").exists()
    (run / "host-shutdown").write_text(f"ups2000 1\nboot {BOOT}\naction poweroff\n")
    assert subprocess.run(command, check=False).returncode == 0
    assert (tmp_path / "down").exists() and (run / "host-shutdown.taken").exists()


# --- tasks -------------------------------------------------------------------------------------------


def test_tasks_in_order(sim, tmp_path):
    """Those of a stage together, the stages one after the other; one that hangs is ended."""
    for name, what in (("first", "true"), ("slow", "sleep 300"), ("last", "true")):
        script = tmp_path / name
        script.write_text(
            f'#!/bin/sh\necho "$UPS2000_TASK $# $UPS2000_CAUSE" >>{tmp_path}/ran\n{what}\n'
            f'echo "$UPS2000_TASK ended" >>{tmp_path}/ran\n'
        )
        script.chmod(0o755)
    tasks = f"""
task "last" {{ run = {{"{tmp_path}/last"}} stage = 2 }}
task "slow" {{ run = {{"{tmp_path}/slow"}} timeout = 1 }}
task "first" {{ run = {{"{tmp_path}/first", "a b", c}} }}
task "missing" {{ run = {{"{tmp_path}/missing"}} stage = 2 }}
"""
    with Daemon(config=config(sim, QUICK % "" + tasks)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: request(daemon), 90)
        ran = (tmp_path / "ran").read_text().splitlines()
        assert {line.split()[0] for line in ran[:2]} == {"first", "slow"}
        assert [line for line in ran if line.startswith("first 2 ")]
        assert ran[-1] == "last ended" and "slow ended" not in ran
        wait_until(lambda: "cannot be started: No such file" in daemon.log(), 30)


# --- the command line ----------------------------------------------------------------------------------


def cli(daemon, *args):
    return subprocess.run(
        [bin_dir() / "ups2000", "--socket", daemon.socket, *args],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False,
    )  # fmt: skip


def test_operator_shuts_down_and_takes_it_back(sim):
    with Daemon(config=config(sim, SLOW)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        assert cli(daemon, "policy").returncode == 0
        refused = cli(daemon, "shutdown", "--reason", "moving the rack")
        assert refused.returncode == 77 and "--confirm" in refused.stderr
        assert policy(daemon)["state"] == "normal"
        assert cli(daemon, "shutdown", "--cancel").returncode == 77
        done = cli(daemon, "shutdown", "--reason", "moving the rack", "--confirm")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: policy(daemon)["state"] == "warning", 30)
        assert "moving the rack" in cli(daemon, "policy").stdout
        assert "moving the rack" in cli(daemon, "status").stdout
        assert cli(daemon, "shutdown", "--cancel").returncode == 0
        wait_until(lambda: policy(daemon)["state"] == "normal", 30)
        assert sim.writes() == [] and request(daemon) == ""


def test_fsd_by_hand(sim):
    with Daemon(config=config(sim)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        assert cli(daemon, "fsd", "set").returncode == 77
        assert cli(daemon, "fsd", "clear").returncode != 0
        assert cli(daemon, "fsd", "set", "ups", "--confirm").returncode == 0
        assert status(daemon)[0] == "FSD"
        done = cli(daemon, "fsd", "clear")
        assert done.returncode == 0, done.stderr
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        assert cli(daemon, "shutdown", "--confirm").returncode == 77
        assert cli(daemon, "fsd", "forget").returncode == 64


def test_countdown(sim):
    with Daemon(config=config(sim, SLOW)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        with daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.timer.shutdown") == "-1", 30)
            sim.cmd("mains off")
            wait_until(lambda: 0 < int(nut.get("ups.timer.shutdown")) < 900, 30)
            assert "goes down in" in cli(daemon, "status").stdout
            sim.cmd("mains on")
            wait_until(lambda: nut.get("ups.timer.shutdown") == "-1", 30)


@pytest.mark.parametrize("mode, goes", [("latch", False), ("run", True)])
def test_fsd_of_a_client(sim, mode, goes):
    with Daemon(config=config(sim, QUICK % f"on-fsd = {mode}")) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        with daemon.nut() as nut:
            announce(nut)
        if goes:
            wait_until(lambda: request(daemon), 60)
        else:
            wait_until(lambda: policy(daemon)["ups"][0]["fsd"], 30)
            assert policy(daemon)["sequence"] is None and status(daemon)[0] == "FSD"


def test_reload_goes_on(sim):
    with Daemon(config=config(sim, SLOW)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        sim.cmd("mains off")
        wait_until(lambda: policy(daemon)["state"] == "warning", 30)
        daemon.reload(config(sim, QUICK % ""))
        wait_until(lambda: request(daemon), 60)


def test_full_disk_holds_up_nothing(sim, tmp_path):
    """The state directory cannot be written: said, and the sequence runs."""
    with Daemon(config=config(sim, QUICK % "")) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        state = daemon.directory / "state"
        state.rename(daemon.directory / "gone")
        state.write_text("not a directory")
        sim.cmd("mains off")
        wait_until(lambda: request(daemon), 60)
        assert "cannot be written" in daemon.log()
        state.unlink()


def test_drill_writes_nothing(sim, tmp_path):
    script = tmp_path / "guests"
    script.write_text(f'#!/bin/sh\necho "$UPS2000_DRILL" >>{tmp_path}/ran\n')
    script.chmod(0o755)
    tasks = f'task "guests" {{ run = {{"{script}"}} timeout = 30 }}\n'
    tasks += 'task "bad" { run = {"/bin/false"} stage = 2 }\n'
    with Daemon(config=config(sim, "shutdown {}\n" + tasks)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        told = cli(daemon, "drill").stdout
        for words in ("Task guests runs", "Task bad runs", "switches ups off", "FSD is shown"):
            assert words in told
        assert told.index("Task guests") < told.index("Task bad")
        assert not (tmp_path / "ran").exists()
        assert cli(daemon, "drill", "guests").returncode == 77
        assert not (tmp_path / "ran").exists()
        assert "ok   guests" in cli(daemon, "drill", "guests", "--confirm").stdout
        assert (tmp_path / "ran").read_text() == "1\n"
        assert "ended with 1" in cli(daemon, "drill", "bad", "--confirm").stdout
        assert "no task" in cli(daemon, "drill", "none", "--confirm").stderr
        assert sim.writes() == [] and status(daemon)[0] == "OL"
        assert policy(daemon)["state"] == "normal"
    with Daemon(config=config(sim)) as daemon:
        assert cli(daemon, "drill").returncode == 77
