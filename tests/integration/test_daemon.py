"""ups2000d as its users run it: start, data, outages, cables, reload, stop, bad input."""

import os
import pwd
import signal
import socket
import subprocess
import time

import pytest

from daemon import Daemon
from nut import Nut, NutError
from sim import Sim, bin_dir, wait_until

USERS = """
user "mon" { password = "secret"  upsmon = primary }
"""


def words(nut, ups="ups"):
    return nut.try_get("ups.status", ups).split()


def ups_section(name, port, more=""):
    return f'ups "{name}" {{ port = "{port}" {more} }}\n'


# --- data --------------------------------------------------------------------------------------


def test_fresh_data_appears(sim, nut):
    wait_until(lambda: words(nut)[0] == "OL", 20)
    wait_until(lambda: "battery.charge" in nut.vars(), 20)
    sim.cmd("load 42")
    wait_until(lambda: abs(float(nut.vars().get("ups.load", "nan")) - 42) <= 3, 20)


def test_mains_failure_reaches_nut_clients(sim, nut, daemon):
    wait_until(lambda: words(nut)[0] == "OL", 20)
    sim.cmd("mains off")
    wait_until(lambda: "OB" in words(nut), 20)
    assert "OL" not in words(nut)
    wait_until(lambda: "battery.charge" in nut.vars(), 20)
    wait_until(lambda: "On battery: the mains failed" in daemon.log(), 20)
    sim.cmd("mains on")
    wait_until(lambda: "OL" in words(nut), 20)
    assert "OB" not in words(nut)
    wait_until(lambda: "On line: the mains are back" in daemon.log(), 20)


def test_first_status_is_soon(sim):
    """A client that is there at once is held until the first status, then answered."""
    with Daemon(port=sim.port) as daemon, daemon.nut() as nut:
        began = time.monotonic()
        assert words(nut)[0] == "OL"
        assert time.monotonic() - began < 1.5


def test_early_client_is_held_then_told_stale(sim):
    sim.cmd("mute")
    with Daemon(port=sim.port) as daemon, daemon.nut() as nut:
        began = time.monotonic()
        assert nut.try_get("ups.status") in ("DATA-STALE", "DRIVER-NOT-CONNECTED")
        assert time.monotonic() - began < 1.6
        assert nut.list("UPS") == [["UPS", "ups", nut.list("UPS")[0][2]]]
        sim.cmd("unmute")
        wait_until(lambda: words(nut)[0] == "OL", 20)


# --- ports that come and go ----------------------------------------------------------------------


def test_port_absent_at_start(tmp_path):
    with Daemon(port=str(tmp_path / "ups")) as daemon, daemon.nut() as nut:
        assert nut.try_get("ups.status") == "DRIVER-NOT-CONNECTED"
        assert "does not exist" in daemon.log()
        with Sim(directory=tmp_path):
            wait_until(lambda: words(nut)[0] == "OL", 20)


def test_unplug_and_replug(sim, nut, daemon):
    wait_until(lambda: words(nut)[0] == "OL", 20)
    sim.cmd("unplug")
    wait_until(lambda: "is gone" in daemon.log(), 20)
    assert words(nut)[0] == "OL", "a short interruption must not reach clients"
    sim.cmd("replug")
    sim.cmd("mains off")
    wait_until(lambda: "OB" in words(nut), 20)


def test_cable_stays_out(sim, nut, daemon):
    wait_until(lambda: words(nut)[0] == "OL", 20)
    sim.cmd("unplug")
    wait_until(lambda: nut.try_get("ups.status") == "DRIVER-NOT-CONNECTED", 20)
    wait_until(lambda: "Communication lost" in daemon.log(), 20)
    sim.cmd("replug")
    wait_until(lambda: words(nut)[0] == "OL", 20)
    wait_until(lambda: "answers again" in daemon.log(), 20)


# --- reload --------------------------------------------------------------------------------------


def test_reload_adds_changes_and_removes(sim):
    one = ups_section("one", sim.port)
    with Sim() as other, Daemon(config=one + USERS) as daemon, daemon.nut() as a:
        wait_until(lambda: words(a, "one")[0] == "OL", 20)
        assert a.login("mon", "secret", "one") == "OK"

        daemon.reload(one + ups_section("two", other.port) + USERS)
        assert [row[1] for row in a.list("UPS")] == ["one", "two"]
        assert words(a, "one")[0] == "OL", "the unchanged one never went away"
        wait_until(lambda: words(a, "two")[0] == "OL", 20)
        with daemon.nut() as b:
            assert b.login("mon", "secret", "two") == "OK"

            # Another description and alias: nobody notices but those who ask.
            daemon.reload(
                one
                + ups_section("two", other.port, 'desc = "Second" alias = {"zwei"} id = "x"')
                + USERS
            )
            assert ["UPS", "two", "Second"] in a.list("UPS")
            assert words(a, "zwei")[0] == "OL"
            assert a.get("ups.id", "two") == "x"
            assert b.cmd("GET NUMLOGINS two") == "NUMLOGINS two 1"

            # A removed UPS: its clients are cut off, the others stay.
            daemon.reload(one + USERS)
            assert b.line() is None
        assert words(a, "one")[0] == "OL"
        assert a.cmd("GET NUMLOGINS one") == "NUMLOGINS one 1"
        assert a.try_get("ups.status", "two") == "UNKNOWN-UPS"
        # and the port is free again
        with Daemon(port=other.port) as second, second.nut() as c:
            assert words(c)[0] == "OL"


def test_reload_to_another_port_keeps_logins(sim):
    with Sim() as other, Daemon(config=ups_section("ups", sim.port) + USERS) as daemon:
        with daemon.nut() as nut:
            wait_until(lambda: words(nut)[0] == "OL", 20)
            assert nut.login("mon", "secret") == "OK"
            other.cmd("mains off")
            daemon.reload(ups_section("ups", other.port) + USERS)
            wait_until(lambda: "OB" in words(nut), 20)
            assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 1"


def test_broken_reload_changes_nothing(sim):
    good = ups_section("ups", sim.port)
    with Daemon(config=good) as daemon, daemon.nut() as nut:
        wait_until(lambda: words(nut)[0] == "OL", 20)
        daemon.reload(good + 'ups "b" { prot = "/dev/x" }\n')
        assert 'Did you mean "port"?' in daemon.log()
        assert "the old one stays in force" in daemon.log()
        assert words(nut)[0] == "OL"
        daemon.reload(good)
        assert words(nut)[0] == "OL"


def test_users_change_on_reload(sim):
    ups = ups_section("ups", sim.port)
    with Daemon(config=ups + USERS) as daemon:
        with daemon.nut() as nut:
            assert nut.login("mon", "secret") == "OK"
        daemon.reload(ups + USERS.replace("secret", "other"))
        with daemon.nut() as nut:
            with pytest.raises(NutError, match="ACCESS-DENIED"):
                nut.login("mon", "secret")
        with daemon.nut() as nut:
            assert nut.login("mon", "other") == "OK"


# --- several at once -----------------------------------------------------------------------------


def test_a_gateway_that_is_not_there_hurts_only_its_ups(sim):
    config = ups_section("far", "tcp://127.0.0.1:1") + ups_section("near", sim.port)
    with Daemon(config=config) as daemon, daemon.nut() as nut:
        wait_until(lambda: words(nut, "near")[0] == "OL", 20)
        assert "127.0.0.1 refuses connections to TCP port 1" in daemon.log()
        wait_until(lambda: nut.try_get("ups.status", "far") == "DRIVER-NOT-CONNECTED", 20)


def test_second_instance_is_refused(daemon):
    for listen, directory, message in [
        ("127.0.0.1:0", daemon.runtime_dir, "another ups2000d (process"),
        (f"127.0.0.1:{daemon.nut_ports()[0]}", daemon.directory / "run2", "Address already in use"),
    ]:
        done = subprocess.run(
            [bin_dir() / "ups2000d", "--port", "/dev/x", "--listen", listen, "--runtime-dir", directory,
             "--state-dir", daemon.directory / "state2"],
            stderr=subprocess.PIPE, text=True, timeout=20,
        )
        assert done.returncode == 1, done.stderr
        assert message in done.stderr
    with daemon.nut() as nut:
        assert nut.cmd("NETVER") is not None


def test_lock_of_a_dead_daemon_does_not_matter(sim):
    with Daemon(port=sim.port) as daemon:
        daemon.process.kill()
        daemon.process.wait()
        assert daemon.socket.exists()
        daemon.start()
        with daemon.nut() as nut:
            wait_until(lambda: words(nut)[0] == "OL", 20)


# --- start and stop ------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stops_cleanly(daemon, nut, how):
    assert daemon.socket.exists()
    assert daemon.stop(how) == 0
    assert not daemon.socket.exists()
    assert nut.line() is None
    assert list(daemon.runtime_dir.iterdir()) == []


def test_service_manager_hears(sim, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(20)
        env = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "400000"}
        with Daemon(config=ups_section("ups", sim.port), env=env) as daemon:
            assert manager.recv(1000).startswith(b"READY=1\nSTATUS=Serving 1 UPS")
            assert manager.recv(1000) == b"WATCHDOG=1"
            daemon.reload()
            heard = [manager.recv(1000) for _ in range(3)]
            heard = [h for h in heard if h != b"WATCHDOG=1"]
            while len(heard) < 2:
                heard += [h for h in [manager.recv(1000)] if h != b"WATCHDOG=1"]
            assert heard[0].startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert heard[1].startswith(b"READY=1")
            daemon.stop()
            while not (last := manager.recv(1000)).startswith(b"STOPPING=1"):
                assert last == b"WATCHDOG=1"


def test_ready_does_not_wait_for_the_ups(tmp_path):
    with Daemon(port=str(tmp_path / "absent")) as daemon:
        assert "is ready" in daemon.log()


def test_ports_are_said(sim):
    with Daemon(port=sim.port, listen=("127.0.0.1:0", "127.0.0.2:0")) as daemon:
        ports = daemon.nut_ports()
        assert len(ports) == 2 and all(ports)
        for host, port in zip(("127.0.0.1", "127.0.0.2"), ports):
            with Nut(port, host) as nut:
                assert nut.cmd("NETVER")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has privileges to drop")
def test_drops_root(sim):
    user = pwd.getpwnam("nobody")
    os.chmod(os.path.realpath(sim.port), 0o666)
    os.chmod(sim.directory, 0o755)
    with Daemon(port=sim.port, args=["--user", "nobody"]) as daemon:
        with open(f"/proc/{daemon.process.pid}/status") as status:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
        assert set(fields["Uid"].split()) == {str(user.pw_uid)}
        assert set(fields["Gid"].split()) == {str(user.pw_gid)}
        assert fields["NoNewPrivs"] == "1"
        assert int(fields["CapEff"], 16) == 0
        assert daemon.socket.stat().st_uid == user.pw_uid
        with daemon.nut() as nut:
            wait_until(lambda: words(nut)[0] == "OL", 20)
        assert daemon.stop() == 0
        assert not daemon.socket.exists()


# --- configuration and command line --------------------------------------------------------------


def check(*args, path=None):
    return subprocess.run(
        [bin_dir() / "ups2000d", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        timeout=20,
    )


GOOD = [
    ("ups a { port = /dev/ttyUSB0 }", "good: 1 UPS, 0 users"),
    ("ups a { port = /dev/x }\nups b { port = /dev/x unit-id = 2 }", "good: 2 UPSes, 0 users"),
    ('ups a { port = "tcp://10.0.0.1:502" }', "good: 1 UPS"),
    ("ups a { port = /dev/x }\nuser u { password = x }", "good: 1 UPS, 1 user"),
    ("ups a { port = /dev/x }\nmqtt { broker = \"x\" }", "good: 1 UPS"),
]


@pytest.mark.parametrize("text,says", GOOD)
def test_check_config_good(tmp_path, text, says):
    path = tmp_path / "x.conf"
    path.write_text(text)
    path.chmod(0o600)
    done = check("--check-config", "--config", path)
    assert (done.returncode, done.stdout) == (0, f"{path}: {says}" + done.stdout.split(says)[-1])


BAD = [
    ("ups a { prot = /dev/x }", 1, 'unknown key "prot" in section ups. Did you mean "port"?'),
    ("# a comment\n\nupps a { port = /dev/x }", 3, 'Did you mean "ups"?'),
    ("nut { lisen = {} }", 1, 'Did you mean "listen"?'),
    ("user u {\n pasword = x }", 2, 'Did you mean "password"?'),
    ("ups a {\n port = /dev/x\n unitid = 1 }", 3, 'Did you mean "unit-id"?'),
    ("ups a { port = /dev/x }\nups A { port = /dev/y }", 2, "belongs to ups"),
    ("ups a { port = /dev/x }\nups b {\n port = /dev/x }", 3, "is the same device as"),
    ("ups a { port = /dev/x }\nnut { listen = {\"1.2.3:3493\"} }", 2, "no address to listen on"),
    ("ups a { port = /dev/x\n unit-id = 500 }", 2, "Use 1 to 247"),
    ("ups a { port = ttyUSB0 }", 1, 'Did you mean "/dev/ttyUSB0"?'),
    ("ups a { port = /dev/x", 1, "never closed"),
    ("\x00", 1, "NUL byte"),
]


@pytest.mark.parametrize("text,line,says", BAD)
def test_check_config_bad(tmp_path, text, line, says):
    path = tmp_path / "x.conf"
    path.write_text(text)
    path.chmod(0o600)
    done = check("--check-config", "--config", path)
    assert done.returncode == 1
    assert done.stdout == ""
    assert any(
        message.startswith(f"{path}:{line}: ") and says in message
        for message in done.stderr.splitlines()
    ), done.stderr
    started = check("--config", path, "--runtime-dir", tmp_path / "run")
    assert started.returncode == 78
    assert says in started.stderr


def test_readable_plain_password(tmp_path):
    path = tmp_path / "x.conf"
    path.write_text("ups a { port = /dev/x }\nuser u { password = x }\n")
    path.chmod(0o644)
    done = check("--check-config", "--config", path)
    assert done.returncode == 1
    assert "chmod 600" in done.stderr


@pytest.mark.parametrize(
    "args,says",
    [
        (["--confg", "/x"], "did you mean --config?"),
        (["--port"], "--port needs a value"),
        (["--port", "ttyUSB0"], 'Did you mean "/dev/ttyUSB0"?'),
        (["--listen", "3493", "--port", "/dev/x"], "no address"),
        (["--log-level", "loud"], "Use error, warning, info or debug"),
        (["extra"], "one word too many"),
        (["--port", "/dev/x", "--config", "/x"], "exclude each other"),
    ],
)
def test_wrong_command_line(args, says):
    done = check(*args)
    assert done.returncode == 64
    assert says in done.stderr and "--help" in done.stderr


def test_help_and_version():
    assert check("--help").stdout.startswith("Usage: ups2000d")
    assert check("--version").stdout.startswith("ups2000d ")


def test_user_that_does_not_exist(tmp_path):
    done = check("--port", "/dev/x", "--user", "nobody-of-that-name", "--runtime-dir", tmp_path)
    assert done.returncode == 78
    assert "there is no user" in done.stderr
