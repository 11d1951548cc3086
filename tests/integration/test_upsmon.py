"""Debian's upsmon against ups2000d alone: seamless, as primary, as secondary, and a whole rack."""

import pathlib
import signal
import subprocess
import sys

import pytest

from daemon import Daemon
from sim import wait_until
from test_late_hook import Host
from test_shutdown import QUICK, config, policy, request, state_file, status
from upsmon import Upsmon, available

pytestmark = pytest.mark.skipif(not available(), reason="needs upsmon, unshare and root")


def monitor(daemon, user="mon", kind="master"):
    return f"ups@127.0.0.1:{daemon.nut_ports()[0]} 1 {user} secret {kind}"


def logged_in(daemon, n=1):
    wait_until(lambda: policy(daemon)["ups"][0]["logins"] == n, 60, f"{n} logins")


def test_primary(sim):
    """upsmon's own FSD and SHUTDOWNCMD, then our hook on its POWERDOWNFLAG: off."""
    with Daemon(config=config(sim)) as daemon, Upsmon(monitor(daemon)) as upsmon:
        logged_in(daemon)
        sim.cmd("mains off")
        sim.cmd("battery 5%")
        upsmon.wait_down()
        assert status(daemon)[0] == "FSD" and upsmon.flag.exists()
        with Host(sim) as host:
            host.run.rmdir()
            host.run = daemon.runtime_dir
            host.nut = upsmon.directory
            done = host.late()
        assert done.returncode == 0, done.stderr
        assert sim.reg(1024) == 0 and sim.reg(1044) == 1


def test_secondary_goes_first(sim):
    text = QUICK.replace("secondaries-wait = 2 ", "secondaries-wait = 120 ") % ""
    with Daemon(config=config(sim, text)) as daemon:
        with Upsmon(monitor(daemon, "second", "slave")) as upsmon:
            logged_in(daemon)
            sim.cmd("mains off")
            upsmon.wait_down()
            wait_until(lambda: request(daemon), 60)
            asked = (daemon.runtime_dir / "host-shutdown").stat().st_mtime
            assert upsmon.down.stat().st_mtime <= asked


def test_secondary_that_never_leaves(sim):
    """It is waited for, named, and not waited for any longer."""
    with Daemon(config=config(sim, QUICK.replace("secondaries-wait = 2 ", "secondaries-wait = 5 ") % "")) as daemon:
        with daemon.nut() as nut:
            assert nut.login("second", "secret") == "OK"
            sim.cmd("mains off")
            wait_until(lambda: "FSD" in status(daemon), 30)
            wait_until(lambda: request(daemon), 60)
            assert nut.get("ups.status").startswith("FSD")


def test_restart_with_fsd_reaches_those_who_had_not_heard(sim):
    """FSD, the daemon dies at once; a secondary that polls later still goes down."""
    with Daemon(config=config(sim)) as daemon:
        with Upsmon(monitor(daemon, "second", "slave"), more="POLLFREQ 3\nPOLLFREQALERT 3\n") as upsmon:
            logged_in(daemon)
            port = daemon.nut_ports()[0]
            with daemon.nut() as nut:
                nut.cmd("USERNAME mon")
                nut.cmd("PASSWORD secret")
                assert nut.cmd("FSD ups") == "OK FSD-SET"
            wait_until(lambda: '"ups"' in state_file(daemon, "fsd.state"), 30)
            daemon.stop(signal.SIGKILL)
            daemon.listen = (f"127.0.0.1:{port}",)
            daemon.start()
            upsmon.wait_down()


@pytest.mark.parametrize("step", ["unplug", "reload", "mute"])
def test_short_trouble_on_battery_is_not_seen(sim, step):
    """upsmon never hears of it: it logs no lost contact and does not shut down."""
    with Daemon(config=config(sim)) as daemon, Upsmon(monitor(daemon, "second", "slave")) as upsmon:
        logged_in(daemon)
        sim.cmd("mains off")
        wait_until(lambda: "on battery" in upsmon.log(), 60)
        with daemon.nut() as nut:
            if step == "reload":
                for _ in range(3):
                    daemon.reload(config(sim, "# again\n"))
                    assert nut.get("ups.status").startswith("OB")
            else:
                sim.cmd(step)
                end = policy(daemon)["ups"][0]["on_battery_s"] or 0
                wait_until(lambda: nut.get("ups.status").startswith("OB") and seconds(daemon) > end + 4, 30)
                sim.cmd({"unplug": "replug", "mute": "unmute"}[step])
            wait_until(lambda: policy(daemon)["ups"][0]["known"], 30)
            assert nut.get("ups.status").startswith("OB")
        sim.cmd("mains on")
        wait_until(lambda: "on line power" in upsmon.log(), 60)
        assert not upsmon.down.exists() and upsmon.process.poll() is None
        assert "Communications with UPS" not in upsmon.log()


def seconds(daemon):
    return policy(daemon)["ups"][0]["on_battery_s"] or 0


def test_whole_rack(tmp_path):
    here = pathlib.Path(__file__).parent
    done = subprocess.run(
        ["unshare", "--net", "--mount", sys.executable, here / "shutdown_net.py"],
        capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
