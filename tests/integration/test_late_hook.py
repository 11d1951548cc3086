"""ups2000-late: what it follows, what it leaves alone, and that the output really goes off."""

import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from daemon import Daemon
from sim import Sim, bin_dir, wait_until

BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def note(action="poweroff", ups="ups", how="return", boot=BOOT):
    return f"ups2000 1\nboot {boot}\naction {action}\nreason Tests\nups {ups} {how}\n"


class Host:
    """The directories of a host that goes down."""

    def __init__(self, sim, more=""):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="late-"))
        self.run = self.directory / "run"
        self.nut = self.directory / "nut"
        self.run.mkdir()
        self.nut.mkdir()
        self.config = self.directory / "ups2000.conf"
        self.config.write_text(f'ups "ups" {{ port = "{sim.port}" {more} }}\n')
        self.reboot = self.directory / "reboot"
        self.reboot.write_text(f"#!/bin/sh\ntouch {self.directory}/rebooted\n")
        self.reboot.chmod(0o755)
        self.nut_hook = self.directory / "nutshutdown"

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        shutil.rmtree(self.directory, ignore_errors=True)

    def leave(self, name, text, mode=0o644):
        (self.run / name).write_text(text)
        (self.run / name).chmod(mode)

    def upsmon(self, monitor="ups@localhost 1 mon secret primary"):
        flag = self.directory / "killpower"
        flag.write_text("upsmon-shutdown-file")
        (self.nut / "upsmon.conf").write_text(
            f'# what Debian has\nMONITOR {monitor}\nPOWERDOWNFLAG "{flag}"\nSHUTDOWNCMD "true"'
        )

    def command(self, action="poweroff", seconds=75):
        return [
            str(bin_dir() / "ups2000-late"), "--config", str(self.config),
            "--runtime-dir", str(self.run), "--state-dir", str(self.directory / "state"),
            "--nut-dir", str(self.nut), "--nut-hook", str(self.nut_hook),
            "--reboot-with", str(self.reboot), "--seconds", str(seconds), action,
        ]  # fmt: skip

    def late(self, action="poweroff", seconds=75):
        return subprocess.run(
            self.command(action, seconds), capture_output=True, text=True, timeout=120
        )

    def rebooted(self):
        return (self.directory / "rebooted").exists()


@pytest.fixture
def host(sim):
    with Host(sim) as made:
        yield made


def output_is_on(sim):
    return sim.reg(1024) != 0


def test_switches_off(sim, host):
    sim.cmd("mains off")
    host.leave("host-shutdown.taken", note())
    began = time.monotonic()
    done = host.late()
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 75
    assert "the output is off" in done.stderr
    assert not output_is_on(sim)
    assert sim.reg(1044) == 1, "it must start by itself"
    assert not host.rebooted()


def test_stayoff(sim, host):
    host.leave("host-shutdown.taken", note(how="stayoff"))
    done = host.late("halt")
    assert done.returncode == 0, done.stderr
    assert not output_is_on(sim) and sim.reg(1044) == 0


NOTHING = {
    "no note": (None, "poweroff"),
    "kexec": (note(), "kexec"),
    "a reboot nobody asked for": (note(), "reboot"),
    "another boot": (note(boot="00000000-0000-4000-8000-000000000000"), "poweroff"),
    "a request nobody took": ("request", "poweroff"),
    "cut short": (note()[:-20], "poweroff"),
    "not a note": ("shutdown please\n", "poweroff"),
    "binary": ("ups2000 1\nboot \0\n", "poweroff"),
    "a flag of upsmon alone": ("flag", "poweroff"),
}


@pytest.mark.parametrize("case", NOTHING)
def test_leaves_alone(sim, host, case):
    text, action = NOTHING[case]
    if text == "request":
        host.leave("host-shutdown", note())
    elif text == "flag":
        host.upsmon()
    elif text:
        host.leave("host-shutdown.taken", text)
    done = host.late(action)
    assert done.returncode == 0, done.stderr
    assert sim.writes() == [] and output_is_on(sim)


def test_reboot_that_was_asked_for(sim, host):
    host.leave("host-shutdown.taken", note("reboot"))
    assert host.late("reboot").returncode == 0
    assert not output_is_on(sim)


def test_a_ups_that_is_not_configured(sim, host):
    host.leave("host-shutdown.taken", note(ups="other"))
    done = host.late()
    assert 'names no such UPS' in done.stderr
    assert sim.writes() == []


def test_a_ups_that_is_only_monitored(sim):
    with Host(sim, "control = no") as host:
        host.leave("host-shutdown.taken", note())
        assert "may be commanded" in host.late().stderr
        assert sim.writes() == []


def test_mains_back_and_no_way_to_cycle(host, sim):
    """It would halt for ever: it reboots."""
    sim.cmd("dialect pair-refused on")
    host.leave("host-shutdown.taken", note())
    done = host.late()
    assert done.returncode == 1, done.stderr
    assert output_is_on(sim) and host.rebooted()
    assert "rebooting instead" in done.stderr


def test_silent_ups_ends_in_time(host, sim):
    sim.cmd("mute")
    host.leave("host-shutdown.taken", note())
    began = time.monotonic()
    done = host.late(seconds=10)
    assert done.returncode == 1 and time.monotonic() - began < 20
    assert not host.rebooted()


# --- a daemon that still runs ------------------------------------------------------------------------


def test_asks_the_running_daemon(sim):
    with Host(sim) as host, Daemon(port=sim.port) as daemon:
        host.run.rmdir()
        host.run = daemon.runtime_dir
        wait_until(lambda: daemon.socket.exists(), 30)
        sim.cmd("mains off")
        host.leave("host-shutdown.taken", note())
        done = host.late()
        assert done.returncode == 0, done.stderr
        assert "asking the running daemon" in done.stderr
        assert not output_is_on(sim)
        assert daemon.process.poll() is None


def test_takes_the_line_from_a_daemon_that_cannot(sim):
    """Its configuration only monitors, the hook's does not."""
    text = f'ups "ups" {{ port = "{sim.port}" control = no }}\n'
    with Host(sim) as host, Daemon(config=text) as daemon:
        host.run.rmdir()
        host.run = daemon.runtime_dir
        host.leave("host-shutdown.taken", note())
        done = host.late()
        assert "taking over" in done.stderr
        assert done.returncode == 0, done.stderr
        assert not output_is_on(sim)
        assert daemon.process.wait(30) == 0


# --- upsmon on this host -----------------------------------------------------------------------------


def fsd_note(ups="ups"):
    return f"ups2000 1\nboot {BOOT}\naction poweroff\nreason FSD\nups {ups} return\n"


def test_upsmons_flag(sim, host):
    host.leave("fsd", fsd_note())
    host.upsmon()
    done = host.late()
    assert done.returncode == 0, done.stderr
    assert not output_is_on(sim)


@pytest.mark.parametrize("monitor", ["ups@elsewhere 1 m x primary", "ups@localhost 1 m x secondary"])
def test_upsmons_flag_for_others(sim, host, monitor):
    host.leave("fsd", fsd_note())
    host.upsmon(monitor)
    assert host.late().returncode == 0
    assert sim.writes() == []


@pytest.mark.parametrize("driver, acts", [("huawei-ups2000", False), ("usbhid-ups", True)])
def test_not_beside_nuts_own_hook(sim, host, driver, acts):
    host.leave("fsd", fsd_note())
    host.upsmon()
    host.nut_hook.write_text("#!/bin/sh\n")
    host.nut_hook.chmod(0o755)
    (host.nut / "ups.conf").write_text(f"[ups]\n\tdriver = {driver}\n\tport = auto\n")
    done = host.late()
    assert done.returncode == 0, done.stderr
    assert output_is_on(sim) != acts
    assert ("switches it off itself" in done.stderr) != acts


@pytest.mark.parametrize("args", [[], ["sleep"], ["poweroff", "now"], ["--seconds", "0", "halt"],
                                  ["--nonsense", "halt"]])
def test_wrong_command_line(args):
    done = subprocess.run([bin_dir() / "ups2000-late", *args], capture_output=True, text=True)
    assert done.returncode == 64 and "--help" in done.stderr
