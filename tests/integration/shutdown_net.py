"""Run by test_upsmon.py in a network and mount namespace of its own: the whole chain.

One daemon, three hosts in namespaces behind a bridge, the simulator: an outage, everyone down in
order, the output off by the hook, mains back, output on, everyone back.
"""

import contextlib
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from daemon import Daemon  # noqa: E402
from sim import Sim, bin_dir, wait_until  # noqa: E402
from test_shutdown import another_boot, policy, request, take  # noqa: E402
from upsmon import Upsmon  # noqa: E402

ADDRESS = "10.99.0.1"
CONFIG = """
ups "ups" {{ port = "{port}" }}
user "rack" {{ password = "secret"  upsmon = secondary  networks = {{"10.99.0.0/24"}} }}
shutdown {{ on-battery = 2  warning = 1  mains-stable = 1  secondaries-wait = 120  final-delay = 1
	method = request }}
"""


def run(*args):
    subprocess.run(args, check=True)


def make_network(hosts):
    run("mount", "--make-rprivate", "/")
    os.makedirs("/run/netns", exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "br0", "type", "bridge")
    run("ip", "link", "set", "br0", "up")
    run("ip", "addr", "add", f"{ADDRESS}/24", "dev", "br0")
    for i, host in enumerate(hosts):
        run("ip", "netns", "add", host)
        run("ip", "link", "add", f"v{i}", "type", "veth", "peer", "name", "eth0", "netns", host)
        run("ip", "link", "set", f"v{i}", "master", "br0", "up")
        run("ip", "-n", host, "addr", "add", f"10.99.0.{11 + i}/24", "dev", "eth0")
        run("ip", "-n", host, "link", "set", "eth0", "up")


def logins(daemon):
    return policy(daemon)["ups"][0]["logins"]


def outage(sim, daemon, monitors):
    wait_until(lambda: logins(daemon) == 3, 60, "three logins")
    sim.cmd("mains off")
    for monitor in monitors:
        monitor.wait_down(90)
    # all of them had gone before this host was asked
    wait_until(lambda: request(daemon), 90, "the request")
    asked = (daemon.runtime_dir / "host-shutdown").stat().st_mtime
    assert all(m.down.stat().st_mtime <= asked for m in monitors)
    assert sim.reg(1044) == 1 and sim.reg(1024) != 0
    take(daemon)
    wait_until(lambda: policy(daemon)["state"] == "host", 30)
    daemon.stop()  # as the system does now


def late(sim, daemon):
    done = subprocess.run(
        [str(bin_dir() / "ups2000-late"), "--config", str(daemon.config_path), "--runtime-dir",
         str(daemon.runtime_dir), "--state-dir", str(daemon.directory / "state"), "--nut-dir",
         "/nonexistent", "poweroff"], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sim.reg(1024) == 0


def back(sim, daemon, monitors):
    sim.cmd("mains on")
    sim.cmd("speed 60")
    wait_until(lambda: sim.reg(1024) == 2, 60, "the output on again")
    sim.cmd("speed 1")
    another_boot(daemon)
    daemon.start()
    for monitor in monitors:
        monitor.down.unlink()
        monitor.start()
    wait_until(lambda: logins(daemon) == 3, 60, "three logins again")
    wait_until(lambda: policy(daemon)["state"] == "normal", 60)
    assert not policy(daemon)["ups"][0]["fsd"] and request(daemon) == ""
    assert all(m.process.poll() is None and not m.down.exists() for m in monitors)


HOSTS = ("h1", "h2", "h3")
make_network(HOSTS)
with contextlib.ExitStack() as stack:
    ups = stack.enter_context(Sim())
    server = stack.enter_context(
        Daemon(config=CONFIG.format(port=ups.port), listen=(f"{ADDRESS}:3493",))
    )
    watching = [
        stack.enter_context(
            Upsmon(f"ups@{ADDRESS} 1 rack secret slave", ("ip", "netns", "exec", host))
        )
        for host in HOSTS
    ]
    outage(ups, server, watching)
    late(ups, server)
    back(ups, server, watching)
