"""ups2000-nut as NUT users run it: under Debian's upsdrvctl and upsd, beside the stock driver."""

import grp
import os
import pathlib
import pwd
import re
import signal
import socket
import stat
import subprocess
import time

import pytest

from nut import upsmon_runs
from nut_site import UPSDRVCTL, Site
from sim import Sim, wait_until

pytestmark = pytest.mark.skipif(
    not pathlib.Path(UPSDRVCTL).exists(), reason="NUT's server is not installed"
)


def section(sim, more="", name="ups", driver="ups2000"):
    return f"[{name}]\n\tdriver = {driver}\n\tport = {sim.port}\n{more}\n"


@pytest.fixture
def site(sim):
    with Site(section(sim)) as made:
        yield made


@pytest.fixture
def running(site):
    """Driver and upsd run, and clients see the UPS."""
    site.start_driver()
    site.start_upsd()
    wait_until(lambda: site.get("ups.status").startswith("OL"), 20, "data at upsd")
    yield site


# --- starting and stopping -----------------------------------------------------------------------


def test_upsdrvctl_starts_and_stops(site):
    began = time.monotonic()
    site.start_driver()
    assert time.monotonic() - began < 5
    pid = site.pid("ups2000-ups")
    assert Site.exe(pid) == str(site.driver)
    mode = site.socket_path().stat()
    assert stat.S_ISSOCK(mode.st_mode) and stat.S_IMODE(mode.st_mode) == 0o660
    assert site.upsdrvctl("stop").returncode == 0
    wait_until(lambda: not Site.exe(pid), 10, "the end of the driver")
    assert not site.socket_path().exists()
    assert not site.pid("ups2000-ups")


def test_works_under_the_build_name_too(sim):
    with Site("") as site:
        site.driver = site.driver.rename(site.drivers / "ups2000-nut")
        site.write(section(sim, driver="ups2000-nut"))
        site.start_driver()
        site.start_upsd()
        wait_until(lambda: site.get("driver.name") == "ups2000-nut", 20)
        assert site.socket_path("ups2000-nut-ups").exists()
        site.upsdrvctl("stop")


def test_foreground_has_no_pid_file_and_cleans_up(site):
    process = site.spawn_driver("-a", "ups", "-F")
    wait_until(site.answers, 20)
    assert not site.pid("ups2000-ups")
    process.terminate()
    assert process.wait(10) == 0
    assert not site.socket_path().exists()


def test_foreground_with_pid_file(site):
    process = site.spawn_driver("-a", "ups", "-FF")
    wait_until(site.answers, 20)
    assert site.pid("ups2000-ups") == process.pid
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert not site.pid("ups2000-ups")


def test_debug_stays_in_the_foreground(site):
    process = site.spawn_driver("-a", "ups", "-D")
    wait_until(site.answers, 20)
    assert process.poll() is None
    process.send_signal(signal.SIGQUIT)
    assert process.wait(10) == 0


def test_runs_as_nut(sim, site):
    """Started as root: the user NUT uses, who owns the socket then."""
    nut = pwd.getpwnam("nut")
    os.chown(site.run, nut.pw_uid, nut.pw_gid)
    os.chmod(os.path.realpath(sim.port), 0o666)
    pathlib.Path(sim.port).parent.chmod(0o755)
    done = site.call(site.driver, "-a", "ups")
    assert done.returncode == 0, done.stdout
    status = pathlib.Path(f"/proc/{site.pid('ups2000-ups')}/status").read_text()
    assert f"Uid:\t{nut.pw_uid}\t{nut.pw_uid}" in status
    assert site.socket_path().stat().st_uid == nut.pw_uid
    with site.peer() as peer:
        wait_until(lambda: any("ups.status" in line for line in peer.dump()), 20)
    assert site.call(site.driver, "-a", "ups", "-c", "exit").returncode == 0


def test_socket_belongs_to_nuts_group(site):
    site.start_driver()
    assert site.socket_path().stat().st_gid == grp.getgrnam("nut").gr_gid


def test_no_chroot_there(site):
    done = site.run_driver("-a", "ups", "-r", "/nonexistent")
    assert done.returncode == 1 and "chroot to /nonexistent" in done.stdout


def test_debug_level_from_the_environment(site):
    process = site.spawn_driver("-a", "ups", "-F", env={"NUT_DEBUG_LEVEL": "1"})
    wait_until(site.answers, 20)
    process.terminate()
    assert process.wait(10) == 0
    assert " debug " in process.stderr.read()


def test_says_ready_to_systemd(site):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        path = str(site.run / "notify")
        notify.bind(path)
        notify.settimeout(20)
        process = site.spawn_driver("-a", "ups", "-FF", env={"NOTIFY_SOCKET": path})
        assert notify.recv(1024).startswith(b"READY=1")
        process.terminate()
        assert notify.recv(1024).startswith(b"STOPPING=1")
        assert process.wait(10) == 0


def test_dump_prints_and_ends(site):
    done = site.run_driver("-a", "ups", "-d", "2")
    assert done.returncode == 0
    assert re.search(r"^ups\.status: OL CHRG$", done.stdout, re.M), done.stdout
    assert not site.socket_path().exists()


def test_dump_gives_up(sim, site):
    sim.cmd("unplug")
    done = site.run_driver("-a", "ups", "-d", "1")
    assert done.returncode == 1 and "no data from the UPS" in done.stdout


def test_without_a_file(sim, site):
    done = site.run_driver("-s", "test", "-x", f"port={sim.port}", "-x", "offdelay=30", "-d", "1")
    assert done.returncode == 0
    assert "ups.delay.shutdown: 30" in done.stdout
    assert f"driver.parameter.port: {sim.port}" in done.stdout


@pytest.mark.parametrize(
    "option, expected",
    [
        ("-V", "Network UPS Tools"),
        ("-h", "offdelay"),
        ("-L", 'VALUE ondelay "'),
    ],
)
def test_tells_of_itself(site, option, expected):
    done = site.run_driver(option)
    assert done.returncode == 0 and expected in done.stdout


def test_absent_ups_is_waited_for(sim):
    """The stock driver exits; ours comes up stale and the data follow."""
    port = sim.port
    with Site(section(sim)) as site:
        sim.cmd("unplug")
        said = site.start_driver()
        assert "no data from the UPS" in said
        site.start_upsd()
        wait_until(lambda: site.get("ups.status") == "DATA-STALE", 20)
        sim.cmd("replug")
        wait_until(lambda: site.get("ups.status").startswith("OL"), 20, port)


def test_second_instance_takes_over(running):
    first = running.pid("ups2000-ups")
    running.start_driver()
    second = running.pid("ups2000-ups")
    assert second != first and not Site.exe(first)
    wait_until(lambda: running.get("ups.status").startswith("OL"), 20)


def test_hung_instance_is_killed(running):
    first = running.pid("ups2000-ups")
    os.kill(first, signal.SIGSTOP)
    running.start_driver()
    assert not Site.exe(first)
    wait_until(lambda: running.get("ups.status").startswith("OL"), 20)


def test_stale_socket_and_pid_file(site):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(site.socket_path()))
    # the id of a process that is no driver: it must survive
    bystander = subprocess.Popen(["sleep", "60"])
    (site.run / "ups2000-ups.pid").write_text(f"{bystander.pid}\n")
    try:
        site.start_driver()
        assert bystander.poll() is None
        assert site.pid("ups2000-ups") != bystander.pid
        assert site.answers()
    finally:
        bystander.kill()
        bystander.wait()


# --- bad input -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("[other]\n\tdriver = ups2000\n\tport = /dev/null\n", r"no section \[ups\]; it has \[other\]"),
        ("", r"no section \[ups\]; it has none"),
        ("[ups]\n\tport = /dev/null\n", r"has no driver. Add: driver = ups2000"),
        ("[ups]\n\tdriver = huawei-ups2000\n\tport = x\n", r'for the driver "huawei-ups2000"'),
        ("[ups]\n\tdriver = ups2000\n", r"no port. Add: port ="),
        ("[ups]\n\tdriver = ups2000\n\tport = x\n\toffdelya = 6\n", r"ups.conf:8: .*offdelay\?"),
        ("[ups]\n\tdriver = ups2000\n\tport = x\n\toffdelay = abc\n", r"ups.conf:8: .*6|whole number"),
        ("[ups]\n\tdriver = ups2000\n\tport = x\n\toffdelay = 6000\n", r"from 0 to 5940"),
        ("[ups]\n\tdriver = ups2000\n\tport\n", r"ups.conf:7: port needs a value"),
        ("[ups]\n\tdriver = ups2000\n\tport = a b\n", r"ups.conf:7: port has more than one value"),
        ("[ups\n\tdriver = ups2000\n", r"ups.conf:5: .*opens no section"),
        ('[ups]\n\tdriver = ups2000\n\tport = "x\n', r"ups.conf:7: a quote is opened here"),
        ("[ups]\n\tdriver = ups2000\n\tport = x\n\tnolock = 1\n", r"nolock is a flag"),
    ],
)
def test_bad_file(sim, text, expected):
    with Site("") as site:
        site.write("")
        path = site.etc / "ups.conf"
        path.write_text("# one\n# two\n# three\n\n" + text)
        done = site.run_driver("-a", "ups")
        assert done.returncode == 1
        assert re.search(expected, done.stdout), done.stdout


def test_no_file(site):
    (site.etc / "ups.conf").unlink()
    done = site.run_driver("-a", "ups")
    assert done.returncode == 1 and "ups.conf cannot be opened" in done.stdout


@pytest.mark.parametrize(
    "args, expected",
    [
        ([], "Which UPS"),
        (["-a", "ups", "-x", "nonsense=1"], '"nonsense" is no key'),
        (["-a", "ups", "-i", "0"], "-i takes a number"),
        (["-a", "ups", "-c", "jump"], "-c takes reload"),
        (["-a", "ups", "surplus"], '"surplus" is not understood'),
        (["-a", "ups", "-F", "-B"], "exclude each other"),
        (["-s", "x"], "has no port"),
        (["-a", "a/b"], "cannot be a UPS's name"),
        (["-a", "ups", "-c", "reload"], "no running driver"),
    ],
)
def test_bad_command_line(site, args, expected):
    done = site.run_driver(*args)
    assert done.returncode == 1
    assert expected in done.stdout, done.stdout


def test_state_path_missing(site):
    where = str(site.directory / "none")
    done = site.run_driver("-a", "ups", env={"NUT_STATEPATH": where, "NUT_ALTPIDPATH": where})
    assert done.returncode == 1
    assert f"the state path {where} cannot be used" in done.stdout


def test_state_path_not_writable(sim):
    with Site(section(sim)) as site:
        site.run.chmod(0o555)
        sim_dir = pathlib.Path(sim.port).parent
        sim_dir.chmod(0o755)
        site.directory.chmod(0o755)
        (site.etc / "ups.conf").chmod(0o644)
        done = site.call(site.driver, "-u", "nobody", "-a", "ups")
        assert done.returncode == 1
        assert "cannot be written" in done.stdout or "cannot be made" in done.stdout, done.stdout


def test_socket_name_in_the_way(site):
    site.socket_path().write_text("something else")
    done = site.run_driver("-a", "ups", "-F")
    assert done.returncode == 1 and "is no socket" in done.stdout
    assert site.socket_path().read_text() == "something else"


def test_odd_delays_are_rounded_up_with_a_warning(sim):
    with Site(section(sim, "\toffdelay = 20\n\tondelay = 61\n\trebootdelay = 1\n")) as site:
        done = site.run_driver("-a", "ups", "-d", "1")
        for said in ("offdelay = 20: .* 24 s is used", "ondelay = 61: .* 120 s", "rebootdelay = 1: .* 6 s"):
            assert re.search(said, done.stdout), done.stdout
        assert "ups.delay.shutdown: 24" in done.stdout
        assert "ups.delay.start: 120" in done.stdout
        assert "ups.delay.reboot: 6" in done.stdout


# --- upsd -------------------------------------------------------------------------------------------


def test_upsd_restart_and_reload(running):
    running.stop_upsd()
    running.start_upsd()
    wait_until(lambda: running.get("ups.status").startswith("OL"), 20)
    running.upsd_process.send_signal(signal.SIGHUP)
    assert running.get("ups.status").startswith("OL")
    assert len(running.vars()) > 40


def test_driver_restart_under_upsd(running):
    running.upsdrvctl("stop")
    wait_until(lambda: running.get("ups.status") == "DRIVER-NOT-CONNECTED", 20)
    running.start_driver()
    wait_until(lambda: running.get("ups.status").startswith("OL"), 20)


def test_mains_failure_is_pushed_at_once(sim, running):
    with running.peer() as peer:
        peer.dump()
        sim.cmd("mains off")
        began = time.monotonic()
        peer.until(lambda line: line.startswith('SETINFO ups.status "OB'))
        assert time.monotonic() - began < 1.0
    wait_until(lambda: running.get("ups.status").startswith("OB"), 5)
    sim.cmd("mains on")
    wait_until(lambda: running.get("ups.status").startswith("OL"), 5)


def test_silence_turns_stale_and_back(sim, running):
    sim.cmd("mute")
    wait_until(lambda: running.get("ups.status") == "DATA-STALE", 25)
    assert running.get("driver.name") == "DATA-STALE"
    sim.cmd("unmute")
    wait_until(lambda: running.get("ups.status").startswith("OL"), 20)


def test_commands_and_settings_with_tracking(sim, running):
    assert running.upscmd("beeper.disable").stdout.split()[-1] == "SUCCESS"
    wait_until(lambda: running.get("ups.beeper.status") == "disabled", 10)
    assert sim.reg(1046) == 1
    assert running.upsrw("ups.beeper.status=enabled").stdout.split()[-1] == "SUCCESS"
    wait_until(lambda: running.get("ups.beeper.status") == "enabled", 10)
    assert running.upsrw("ups.delay.shutdown=30").stdout.split()[-1] == "SUCCESS"
    wait_until(lambda: running.get("ups.delay.shutdown") == "30", 10)
    # the UPS counts in steps of 6 s
    assert "INVALID-ARGUMENT" in running.upsrw("ups.delay.shutdown=31").stdout
    assert running.get("ups.delay.shutdown") == "30"
    # bypass is not needed to be left
    assert running.upscmd("test.battery.stop").stdout.split()[-1] == "FAILED"


# --- the same variables as the stock driver's ------------------------------------------------------

# Shown by both, with another value, and why (docs/nut-driver.md tells the same).
DIFFERENT = {
    "driver.name": "the driver's own name",
    "driver.version": "the driver's own version, not NUT's",
    "driver.version.internal": "the driver's own version",
    "driver.parameter.port": "each has its own simulator",
}
# Measured or counted by each simulator on its own: the form is the same, the digits may differ.
MEASURED = {
    "battery.charge",
    "battery.runtime",
    "battery.voltage",
    "input.bypass.frequency",
    "input.bypass.voltage",
    "input.frequency",
    "input.voltage",
    "output.current",
    "output.frequency",
    "output.power",
    "output.realpower",
    "output.voltage",
    "ups.load",
    "ups.temperature",
}
MORE = "\tnolock\n\toffdelay = 24\n\tignorelb\n\toverride.battery.charge.low = 30\n\tdefault.ups.id = den\n"


def listing(site):
    site.start_driver()
    site.start_upsd()
    wait_until(lambda: site.get("ups.status") == "OL CHRG", 30)
    wait_until(lambda: "ups.timer.shutdown" in site.vars(), 30)
    with site.client() as nut:
        return site.vars(), {row[2] for row in nut.list("CMD ups")}, {
            row[2] for row in nut.list("RW ups")
        }


def test_superset_of_the_stock_driver():
    seed = ["--seed", "7"]
    with Sim(*seed) as a, Sim(*seed) as b:
        with Site(section(a, MORE, driver="huawei-ups2000"), driver="/lib/nut") as stock:
            theirs, their_cmds, their_rw = listing(stock)
            stock.upsdrvctl("stop")
        with Site(section(b, MORE)) as site:
            ours, our_cmds, our_rw = listing(site)
    assert not set(theirs) - set(ours)
    assert not their_cmds - our_cmds
    assert not their_rw - our_rw
    form = lambda text: re.sub(r"\d", "0", re.sub(r"^\d+", "0", text))  # noqa: E731
    for name, value in theirs.items():
        if name in MEASURED:
            assert form(value) == form(ours[name]), name
        elif name not in DIFFERENT:
            assert value == ours[name], name


# --- the socket, as other versions of upsd and upsdrvctl use it ---------------------------------


def test_dump_order(running):
    with running.peer() as peer:
        lines = peer.dump()
    assert lines[-2:] == ["DATAOK", "DUMPDONE"]
    seen = set()
    for line in lines[:-2]:
        word, name = line.split()[:2]
        if word == "SETINFO":
            seen.add(name)
        elif word != "ADDCMD":
            assert name in seen, line
    assert 'SETINFO ups.delay.shutdown "60"' in lines
    assert "ADDRANGE ups.delay.shutdown 6 5940" in lines
    assert "SETFLAGS ups.delay.shutdown RW NUMBER" in lines
    assert 'ADDENUM ups.beeper.status "disabled"' in lines
    assert "ADDCMD shutdown.stop" in lines


def test_dialogues_of_2_8_5(running):
    pid = running.pid("ups2000-ups")
    with running.peer() as peer:
        peer.send("NOBROADCAST\nPING\nGETPID\nDUMPSTATUS\nDUMPVALUE ups.mfr\nDUMPVALUE none\nLOGOUT\n")
        assert peer.until("OK Goodbye") == [
            "PONG",
            f"PID {pid}",
            'SETINFO ups.status "OL CHRG"',
            "DATAOK",
            "DUMPDONE",
            'SETINFO ups.mfr "Huawei"',
            "DATAOK",
            "DUMPDONE",
            "DATAOK",
            "DUMPDONE",
            "OK Goodbye",
        ]
        assert peer.line() is None


def test_glued_words(running):
    with running.peer() as peer:
        peer.send("NOBROADCASTPING\n")
        assert peer.line() == "PONG"


def test_nobroadcast_and_broadcast(sim, running):
    with running.peer() as quiet, running.peer() as loud:
        quiet.send("NOBROADCAST\n")
        assert quiet.ask("PING") == "PONG"
        loud.dump()
        sim.cmd("mains off")
        loud.until(lambda line: line.startswith('SETINFO ups.status "OB'))
        quiet.send("PING\n")
        assert quiet.line() == "PONG"
        quiet.send("BROADCAST 1\n")
        sim.cmd("mains on")
        quiet.until(lambda line: line.startswith('SETINFO ups.status "OL'))


@pytest.mark.parametrize(
    "request_line, code",
    [
        ("INSTCMD beeper.enable", 0),
        ("instcmd BEEPER.ENABLE", 0),
        ("INSTCMD nope", 1),
        ("INSTCMD beeper.enable 5", 2),
        ("INSTCMD shutdown.return 7", 2),
        ("INSTCMD beeper.enable 5 6", 2),
        ("INSTCMD test.battery.stop", 3),
        ('SET ups.delay.shutdown "36"', 0),
        ('SET ups.delay.shutdown "37"', 2),
        ('SET ups.delay.shutdown ""', 2),
        ("SET ups.delay.shutdown", 2),
        ('SET ups.mfr "Siemens"', 1),
        ('SET nope "1"', 1),
        ('SET driver.debug "1"', 0),
        ('SET driver.debug "x"', 2),
        ('SET driver.flag.allow_killpower "2"', 2),
        ("INSTCMD driver.killpower", 2),
        ("INSTCMD driver.reload-or-error", 0),
    ],
)
def test_tracking_codes(running, request_line, code):
    with running.peer() as peer:
        assert peer.tracked(request_line) == code


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe nonsense\n",
        b"SET\n",
        b"INSTCMD\n",
        b'SET a "unterminated\n',
        b"A" * 100000 + b"\n",
        b"\n\n\n   \n#comment\n",
        b"TRACKING TRACKING TRACKING\n",
        b"INSTCMD a b c d e f g h i j k l m n o p q r s t u v w x y z\n" * 3,
        b"DUMPVALUE\nBROADCAST\nGETPID x y z",
    ],
)
def test_garbage_harms_nobody(running, garbage):
    with running.peer() as bad, running.peer() as good:
        bad.send(garbage)
        assert good.ask("PING") == "PONG"
    assert running.get("ups.status").startswith("OL")
    with running.peer() as half:
        half.send(garbage[: len(garbage) // 2])
    assert running.answers()


def test_peer_that_never_reads_is_dropped(sim, running):
    with running.peer() as stuck:
        stuck.socket.setblocking(False)
        try:
            for _ in range(20000):
                stuck.send("DUMPALL\n")
        except OSError:
            pass
        with running.peer() as good:
            good.dump()
            sim.cmd("mains off")
            good.until(lambda line: line.startswith('SETINFO ups.status "OB'))
    sim.cmd("mains on")
    wait_until(lambda: running.get("ups.status").startswith("OL"), 10)


def test_reload(sim, running):
    running.write(section(sim, "\tid = cellar\n\tdesc = new"))
    assert running.run_driver("-a", "ups", "-c", "reload").returncode == 0
    wait_until(lambda: running.get("ups.id") == "cellar", 10)
    running.write(section(sim, "\tid = attic\n"))
    os.kill(running.pid("ups2000-ups"), signal.SIGHUP)
    wait_until(lambda: running.get("ups.id") == "attic", 10)
    running.write(section(sim, "\tnonsense = 1\n"))
    assert running.run_driver("-a", "ups", "-c", "reload").returncode == 3
    assert running.get("ups.id") == "attic"
    # what only a restart can do
    running.write(section(sim, "\toffdelay = 12\n"))
    assert running.run_driver("-a", "ups", "-c", "reload-or-error").returncode == 3
    assert running.run_driver("-a", "ups", "-c", "reload-or-exit").returncode == 0
    wait_until(lambda: not running.answers(), 10)


def test_exit_by_command(running):
    assert running.run_driver("-a", "ups", "-c", "exit").returncode == 0
    wait_until(lambda: not running.socket_path().exists(), 10)


# --- switching off ------------------------------------------------------------------------------


def output(sim):
    return sim.reg(1024)


def test_killpower_through_the_running_driver(sim, running):
    done = running.upsdrvctl("shutdown", timeout=90)
    assert done.returncode == 0, done.stdout
    assert output(sim) == 0
    sim.cmd("speed 60")
    wait_until(lambda: output(sim) == 2, 30, "the output back with the mains")


def test_killpower_by_socket_as_2_8_5(sim, running):
    with running.peer() as peer:
        assert peer.tracked('SET driver.flag.allow_killpower "1"') == 0
    pid = running.pid("ups2000-ups")
    with running.peer() as peer:
        peer.send("NOBROADCAST\nPING\n")
        assert peer.line() == "PONG"
        assert peer.tracked("INSTCMD driver.killpower") == 0
        assert output(sim) == 0
    wait_until(lambda: not Site.exe(pid), 10, "the driver's end")


def test_killpower_alone(sim, site):
    """No instance, no state path, nothing can be written."""
    nowhere = {"NUT_STATEPATH": "/nonexistent/run", "NUT_ALTPIDPATH": "/nonexistent/run"}
    began = time.monotonic()
    done = site.run_driver("-a", "ups", "-k", env=nowhere, timeout=90)
    assert done.returncode == 0, done.stdout
    assert output(sim) == 0
    assert time.monotonic() - began < 40


def test_killpower_over_a_hung_instance(sim, running):
    os.kill(running.pid("ups2000-ups"), signal.SIGSTOP)
    done = running.run_driver("-a", "ups", "-k", timeout=90)
    assert done.returncode == 0, done.stdout
    assert output(sim) == 0


def test_killpower_says_so_when_it_is_not_seen(sim, site):
    sim.cmd("unplug")
    began = time.monotonic()
    done = site.run_driver("-a", "ups", "-k", timeout=90)
    assert done.returncode == 1 and "not seen off" in done.stdout
    assert time.monotonic() - began <= 76


def test_sdcommands_first_that_works(sim):
    with Site(section(sim, '\tsdcommands = "nope, beeper.enable, load.off"\n')) as site:
        done = site.run_driver("-a", "ups", "-k", timeout=90)
        assert done.returncode == 0, done.stdout
        assert output(sim) == 0


def test_killpower_is_not_allowed_by_default(running):
    with running.peer() as peer:
        assert peer.tracked("INSTCMD driver.killpower") == 2
    assert running.get("ups.status").startswith("OL")


def test_upsmon_shutdown_rehearsal(sim):
    """Mains fail, battery low, upsmon's FSD and SHUTDOWNCMD, then NUT's hook: off, and back."""
    with Site(section(sim)) as site:
        site.start_driver()
        site.start_upsd()
        wait_until(lambda: site.get("ups.status").startswith("OL"), 20)
        flag, halted = site.directory / "killpower", site.directory / "halted"
        (site.etc / "upsmon.conf").write_text(
            f"MONITOR {site.address()} 1 mon secret master\nMINSUPPLIES 1\n"
            f'SHUTDOWNCMD "touch {halted}"\nPOLLFREQ 1\nPOLLFREQALERT 1\nHOSTSYNC 2\n'
            f"DEADTIME 15\nPOWERDOWNFLAG {flag}\nFINALDELAY 0\nRUN_AS_USER root\n"
        )
        wait_until(lambda: not upsmon_runs(), 30, "the end of another upsmon")
        upsmon = subprocess.Popen(
            ["/sbin/upsmon" if not pathlib.Path("/lib/nut/upsmon").exists() else "/lib/nut/upsmon",
             "-F", "-u", "root"],
            env=site.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        site.others.append(upsmon)
        wait_until(lambda: site.get("ups.status").startswith("OL"), 20)
        with site.client() as nut:
            wait_until(lambda: nut.cmd("GET NUMLOGINS ups").split()[-1] == "1", 20, "upsmon's login")
        sim.cmd("mains off")
        wait_until(lambda: "OB" in site.get("ups.status"), 10)
        sim.cmd("battery 5%")
        wait_until(halted.exists, 60, "upsmon's SHUTDOWNCMD")
        assert flag.exists()
        assert site.upsdrvctl("shutdown", timeout=90).returncode == 0
        assert output(sim) == 0
        sim.cmd("mains on")
        sim.cmd("speed 60")
        wait_until(lambda: output(sim) == 2, 60, "the output back with the mains")
