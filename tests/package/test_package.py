"""The Debian packages: judged, installed, used, upgraded and purged in a throw-away Debian 12."""

import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parents[1]
WORK = TREE / "build-check" / "package"
sys.path.insert(0, str(HERE))

from root import Root  # noqa: E402

NAMES = ["ups2000", "ups2000-nut", "ups2000-sim", "libups2000-dev"]


def wait_until(condition, timeout=60, what="the condition"):
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"{what}: not within {timeout} s"
        time.sleep(0.1)


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


@pytest.fixture(scope="module")
def built():
    """Where the packages are: made of the last commit, or $U2K_PACKAGES."""
    if "U2K_PACKAGES" in os.environ:
        return pathlib.Path(os.environ["U2K_PACKAGES"])
    out = WORK / "one"
    shutil.rmtree(out, ignore_errors=True)
    subprocess.run([TREE / "tools/package.sh", out], check=True)
    return out


@pytest.fixture(scope="module")
def debs(built):
    found = {}
    for deb in built.glob("*.deb"):
        found[deb.name.split("_")[0]] = deb
    return found


@pytest.fixture(scope="module")
def root(debs):
    root = Root.fresh(WORK)
    (root / "debs").mkdir()
    for deb in debs.values():
        shutil.copy(deb, root / "debs")
    return root


def test_lintian(built):
    changes = next(built.glob("*.changes"))
    done = subprocess.run(
        ["lintian", "--allow-root", "--profile", "debian", "--fail-on", "error,warning", changes],
        capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def sums(directory):
    return {deb.name: hashlib.sha256(deb.read_bytes()).hexdigest() for deb in directory.glob("*.deb")}


def test_reproducible(built):
    """Elsewhere, another day, by somebody else: the same bytes."""
    out = WORK / "elsewhere"
    shutil.rmtree(out, ignore_errors=True)
    env = dict(os.environ, TZ="Pacific/Auckland", LC_ALL="C", HOME="/nonexistent", USER="else", DEB_BUILD_OPTIONS="parallel=1")
    done = subprocess.run(["sh", "-c", 'umask 002; exec "$0" "$1"', TREE / "tools/package.sh", out], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert sums(out) == sums(built)
    assert len(sums(out)) >= len(NAMES)


def test_contents(debs):
    """Each file is in one package, and where its users look."""
    owner = {}
    for name in NAMES:
        listing = subprocess.run(["dpkg-deb", "-c", debs[name]], capture_output=True, text=True, check=True).stdout
        for line in listing.splitlines():
            if line[0] == "d":
                continue
            assert line.split()[1] == "root/root", line
            path = line.split()[5].lstrip(".")
            assert path not in owner, path
            owner[path] = name
    for path, name in {
        "/usr/sbin/ups2000d": "ups2000",
        "/usr/bin/ups2000": "ups2000",
        "/usr/bin/ups2000-sim": "ups2000-sim",
        "/usr/libexec/ups2000/ups2000-host": "ups2000",
        "/lib/systemd/system-shutdown/ups2000": "ups2000",
        "/lib/systemd/system/ups2000d.service": "ups2000",
        "/lib/systemd/system/ups2000-host.path": "ups2000",
        "/lib/udev/rules.d/60-ups2000.rules": "ups2000",
        "/etc/ups2000/ups2000.conf": "ups2000",
        "/usr/share/man/man8/ups2000-host.8.gz": "ups2000",
        "/usr/share/man/man8/ups2000-late.8.gz": "ups2000",
        "/lib/nut/ups2000": "ups2000-nut",
        "/usr/include/ups2000/client.h": "libups2000-dev",
    }.items():
        assert owner.get(path) == name, path
    control = subprocess.run(["dpkg-deb", "--info", debs["ups2000"], "conffiles"], capture_output=True, text=True)
    assert control.stdout.split() == ["/etc/ups2000/ups2000.conf"]


def status(port):
    done = subprocess.run(["upsc", f"ups@127.0.0.1:{port}", "ups.status"], capture_output=True, text=True)
    return done.stdout.strip()


class Machine:
    """A UPS and the daemon in the root, as systemd would start it."""

    def __init__(self, root):
        self.root = root
        self.port = free_port()
        self.processes = []

    def __enter__(self):
        root = self.root
        self.sim = root.start("ups2000-sim", "--link", "/run/ups", "--control", "/run/sim.sock", log=WORK / "sim.log")
        self.processes.append(self.sim)
        wait_until((root / "run/sim.sock").exists, what="the simulator")
        tty = os.readlink(root / "run/ups")
        gid = int(root.run("sh", "-c", "getent group dialout | cut -d: -f3").stdout)
        os.chown(tty, 0, gid)  # udev does this for a real one
        os.chmod(tty, 0o660)
        self.four_commands()
        return self

    def four_commands(self):
        """Those of docs/install.md after the first: only the ports are free ones, and there is no systemd."""
        root = self.root
        conf = root / "etc/ups2000/ups2000.conf"
        page = (TREE / "docs/install.md").read_text()
        assert "    sudo ups2000 setup --shut-down\n    sudo systemctl restart ups2000d\n    sudo ups2000 status\n" in page
        root.run("ups2000", "setup", "--shut-down", "--port", "/run/ups", "--yes")
        assert root.run("stat", "-c", "%U %G %a", "/etc/ups2000/ups2000.conf").stdout.split() == ["root", "ups2000", "640"]
        assert 'port = "/run/ups"' in conf.read_text()
        root.run("ups2000d", "--check-config")
        self.start_daemon()
        assert "On mains" in root.run("ups2000", "status").stdout
        assert "this host's supplies" in root.run("ups2000", "policy").stdout
        policy = json.loads(root.run("ups2000", "policy", "--json").stdout)
        assert (policy["enabled"], policy["this_host"], policy["state"]) == (True, True, "normal")
        assert [ups["ups_off"] for ups in policy["ups"]] == ["return"]

        # nothing of what is tried with it from now on is to go further than a warning
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.wait(30) == 0
        self.processes.remove(self.daemon)
        text, found = re.subn(r"(?m)^shutdown \{$", "shutdown {\n\twarning = 3600\n\tcommand = {\"/bin/false\"}", conf.read_text())
        assert found == 1
        conf.write_text(text)
        self.start_daemon()

    def state(self):
        return json.loads(self.root.run("ups2000", "policy", "--json").stdout)["state"]

    def start_daemon(self):
        root = self.root
        root.run("install", "-d", "-o", "ups2000", "-g", "ups2000", "/run/ups2000", "/var/lib/ups2000")
        self.daemon = root.start(
            "setpriv", "--reuid", "ups2000", "--regid", "ups2000", "--init-groups", "--inh-caps=-all",
            "--bounding-set=-all", "--no-new-privs", "/usr/sbin/ups2000d",
            "--listen", f"127.0.0.1:{self.port}", "--http", "none", log=WORK / "daemon.log",
        )
        self.processes.append(self.daemon)
        wait_until(lambda: status(self.port) in ("OL", "OL CHRG"), what="upsc sees the UPS on line")

    def tell(self, command):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.root / "run/sim.sock"))
            sock.sendall(command.encode() + b"\n")
            assert sock.recv(4096).startswith(b"ok")

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            process.wait(30)


def newer(debs, version):
    """The same package with a higher version."""
    tree = WORK / "newer"
    shutil.rmtree(tree, ignore_errors=True)
    subprocess.run(["dpkg-deb", "-R", debs["ups2000"], tree], check=True)
    control = tree / "DEBIAN/control"
    control.write_text(re.sub(r"(?m)^Version: .*", f"Version: {version}", control.read_text()))
    deb = WORK / f"ups2000_{version}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, deb], check=True, stdout=subprocess.DEVNULL)
    shutil.rmtree(tree)
    return deb


FAKE = """#!/bin/sh
echo "$*" >>/run/systemctl.log
exit 0
"""


@contextlib.contextmanager
def fake_systemd(root):
    """What maintainer scripts see of systemd: it runs, and it is told things."""
    tool = root / "usr/bin/systemctl"
    assert not tool.exists()
    tool.write_text(FAKE)
    tool.chmod(0o755)
    (root / "run/systemd/system").mkdir(parents=True)
    try:
        yield root / "run/systemctl.log"
    finally:
        tool.unlink()
        shutil.rmtree(root / "run/systemd")


def upgrade(root, debs, version):
    log = root / "run/systemctl.log"
    log.unlink(missing_ok=True)
    shutil.copy(newer(debs, version), root / "debs/upgrade.deb")
    done = root.run("dpkg", "-i", "/debs/upgrade.deb")
    told = [line for line in log.read_text().splitlines() if "ups2000d" in line]
    return told, done.stdout + done.stderr


def test_life(root, debs):
    """Installed, configured, used, upgraded, removed, purged; and nothing is left."""
    before = root.files()
    root.apt("install", *(f"/debs/{debs[name].name}" for name in ("ups2000", "ups2000-sim", "libups2000-dev")))

    # as installed: a user of its own, a configuration that does nothing
    assert "dialout" in root.run("id", "-nG", "ups2000").stdout.split()
    conf = root / "etc/ups2000/ups2000.conf"
    assert root.run("stat", "-c", "%U %G %a", "/etc/ups2000/ups2000.conf").stdout.split() == ["root", "ups2000", "640"]
    assert all(line.strip() in ("", "#") or line.lstrip().startswith("#") for line in conf.read_text().splitlines())
    assert root.run("ups2000d", "--configured", check=False).returncode == 1
    assert (root / "etc/systemd/system/multi-user.target.wants/ups2000d.service").is_symlink()

    with Machine(root) as machine:
        assert root.run("ups2000d", "--configured").returncode == 0
        with fake_systemd(root):
            # on line: the new program takes over at once
            told, said = upgrade(root, debs, "0.1.0+1")
            assert any(" restart " in f" {line} " for line in told), (told, said)
            assert "systemctl restart" not in said

            # mains are there, but an operator has begun a shutdown
            root.run("ups2000", "shutdown", "--reason", "a test", "--confirm")
            assert (machine.state(), status(machine.port)) in (("warning", "OL"), ("warning", "OL CHRG"))
            told, said = upgrade(root, debs, "0.1.0+1.1")
            assert not any("restart" in line for line in told), told
            assert "systemctl restart ups2000d" in said
            root.run("ups2000", "shutdown", "--cancel")
            assert machine.state() == "normal"
            told, said = upgrade(root, debs, "0.1.0+1.2")
            assert any(" restart " in f" {line} " for line in told), (told, said)

            # on battery: the old one goes on, and it is said so
            machine.tell("mains off")
            wait_until(lambda: "OB" in status(machine.port), what="on battery")
            told, said = upgrade(root, debs, "0.1.0+2")
            assert not any("restart" in line for line in told), told
            assert any("reload" in line for line in told), told
            assert "systemctl restart ups2000d" in said
            assert machine.daemon.poll() is None

            # on line again, but with an alarm: that is not "plainly"
            machine.tell("mains on")
            wait_until(lambda: status(machine.port) in ("OL", "OL CHRG"), what="on line again")
            wait_until(lambda: machine.state() == "normal", what="the outage counts as over")
            machine.tell("battery unplug")
            wait_until(lambda: status(machine.port) not in ("OL", "OL CHRG"), what="an alarm")
            told, said = upgrade(root, debs, "0.1.0+3")
            assert not any("restart" in line for line in told), told
        assert machine.daemon.poll() is None

    # no daemon that could be asked
    with fake_systemd(root):
        told, said = upgrade(root, debs, "0.1.0+4")
        assert not any("restart" in line for line in told), told
        assert "systemctl restart ups2000d" in said

    # the user's configuration is the user's
    assert "warning = 3600" in conf.read_text()
    root.run("dpkg", "-r", "ups2000")
    assert conf.exists() and not (root / "usr/sbin/ups2000d").exists()
    root.apt("purge", "--autoremove", "ups2000", "ups2000-sim", "libups2000-dev")
    after = root.files()
    assert {p: after.get(p) for p in before.keys() | after.keys() if before.get(p) != after.get(p)} == {}


def test_nut_driver(root, debs):
    """Beside NUT's own drivers, and gone without a trace."""
    root.apt("install", "nut-server")
    before = root.files()
    root.apt("install", f"/debs/{debs['ups2000-nut'].name}")
    assert "ups2000" in root.run("/lib/nut/ups2000", "-V").stdout
    root.apt("purge", "--autoremove", "ups2000-nut")
    after = root.files()
    assert {p: after.get(p) for p in before.keys() | after.keys() if before.get(p) != after.get(p)} == {}


def containerfile():
    """Its instructions: [("RUN", "..."), ...], lines that go on joined."""
    text = re.sub(r"(?m)^#.*\n", "", (TREE / "Containerfile").read_text()).replace("\\\n", " ")
    return [tuple(line.split(None, 1)) for line in text.splitlines() if line.strip()]


def test_container_steps(debs):
    """There is no container engine here, so the same steps are gone in a bare system."""
    steps = containerfile()
    assert [word for word, _ in steps] == [
        "FROM", "COPY", "RUN", "RUN", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT"]
    step = dict(steps)
    assert step["FROM"] == "docker.io/library/debian:12-slim"
    root = Root.fresh(WORK)
    pattern, to = step["COPY"].split()
    copied = [deb for deb in debs.values() if pathlib.PurePath("build-package", deb.name).match(pattern)]
    assert copied == [debs["ups2000"]]
    shutil.copy(copied[0], root / to)
    for word, command in steps:
        if word == "RUN":
            root.run("sh", "-c", command)
    entry, health = json.loads(step["ENTRYPOINT"]), json.loads(step["HEALTHCHECK"].split("CMD")[1])
    port = free_port()
    user = ["setpriv", "--reuid", step["USER"], "--regid", step["USER"], "--init-groups"]
    options = ["--port", "/dev/none", "--listen", f"127.0.0.1:{port}", "--http", "none"]
    daemon = root.start(*user, *entry, *options, log=WORK / "container.log")
    try:
        wait_until(lambda: root.run(*user, *health, check=False).returncode == 0, what="a healthy container")
    finally:
        daemon.send_signal(getattr(signal, step["STOPSIGNAL"]))
        assert daemon.wait(30) == 0
    assert root.run(*user, *health, check=False).returncode != 0
