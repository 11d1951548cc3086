"""Hosts go down in order and come back: FSD, the shutdown section, this host's request file."""

import signal

from daemon import Daemon
from sim import wait_until

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
        path = daemon.directory / "state" / "fsd.state"
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read().strip()
        assert boot in path.read_text()
        path.write_text(path.read_text().replace(boot, "00000000-0000-4000-8000-000000000000"))
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
