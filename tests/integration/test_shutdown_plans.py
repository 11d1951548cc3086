"""Shutdowns that are not one host on one UPS: hosts to wake, a host that stays, a UPS that is armed
before the host has halted, redundant feeds, two daemons."""

import contextlib
import random
import select
import signal
import socket

import pytest

from daemon import Daemon
from nut import NutError
from sim import Sim, wait_until
from test_shutdown import another_boot, config, policy, request, status, take, taken

QUICK = """on-battery = 1 warning = 1 mains-stable = 1 secondaries-wait = 2 final-delay = 1
	method = request"""


def armed(sim):
    return sim.get()["timers"]["pair_off"] is not None


def cycled(sim):
    """How often the output went off, and on."""
    state = sim.get()
    return state["output_offs"], state["output_ons"]


def goes_off(sim, speed=20):
    """The UPS is armed: its time flies, but not so that a daemon could miss that it is off."""
    sim.cmd(f"speed {speed}")
    wait_until(lambda: sim.reg(1024) == 0, 30, "the output off")
    sim.cmd("speed 1")


def comes_back(sim, speed=20):
    sim.cmd("mains on")
    sim.cmd(f"speed {speed}")
    wait_until(lambda: sim.reg(1024) == 2, 30, "the output on again")
    sim.cmd("speed 1")


# --- a daemon whose host stays up -------------------------------------------------------------------


class Sleeper:
    """A host that was halted: gets magic packets, and answers at its port once it is up."""

    def __init__(self, number):
        # an address of its own: the packets' port is always 9
        address = f"127.{random.randint(1, 254)}.{random.randint(0, 254)}.{number}"
        self.mac = bytes([0x02, 0x11, 0x22, 0x33, 0x44, number])
        self.packets = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self.packets.bind((address, 9))
        except PermissionError:
            self.packets.close()
            pytest.skip("UDP port 9 needs root")
        self.packets.settimeout(30)
        # A full queue swallows whoever knocks next: no answer, as of a host that is off.
        self.door = socket.create_server((address, 0), backlog=0)
        self.where = self.door.getsockname()
        self.keys = f'mac = "{self.mac.hex(":")}" broadcast = "{address}"'
        self.seen = 'seen = "%s:%d"' % self.where
        self.queue = [socket.socket() for _ in range(4)]
        for knock in self.queue:
            knock.setblocking(False)
            knock.connect_ex(self.where)

    def is_mine(self, packet):
        assert packet == b"\xff" * 6 + 16 * self.mac
        return True

    def wait_woken(self):
        assert self.is_mine(self.packets.recv(2000))

    def was_woken(self):
        ready = select.select([self.packets], [], [], 0)[0]
        return bool(ready) and self.is_mine(self.packets.recv(2000))

    def boot(self):
        self.door.listen(64)

    def close(self):
        self.packets.close()
        self.door.close()
        for knock in self.queue:
            knock.close()


WAKES = """
wake "nas" {{ {0.keys} {0.seen} after = 0 retry = 5 tries = 100 charge-above = 50 }}
wake "dead" {{ {1.keys} {1.seen} after = 0 retry = 5 tries = 1 }}
wake "late" {{ {2.keys} {2.seen} after = 0 retry = 3600 tries = 1 }}
wake "silent" {{ {3.keys} after = 0 retry = 5 tries = 1 }}
"""


def outage_without_this_host(sim, daemon, sleepers):
    before = cycled(sim)
    sim.cmd("mains off")
    wait_until(lambda: armed(sim), 60, "the UPS counting down")
    assert policy(daemon)["state"] == "switching-off" and sim.reg(1044) == 1
    goes_off(sim)
    wait_until(lambda: policy(daemon)["state"] == "off", 30)
    assert not any(host.was_woken() for host in sleepers)
    sim.cmd("battery 40%")
    comes_back(sim)
    assert cycled(sim) == (before[0] + 1, before[1] + 1)
    assert request(daemon) == "", "this host stays"


def test_this_host_stays_and_wakes_others(sim):
    """The daemon switches the UPS off itself; with the mains the output is on and hosts are woken."""
    with contextlib.ExitStack() as stack:
        sleepers = [stack.enter_context(contextlib.closing(Sleeper(i))) for i in (1, 2, 3, 4)]
        nas, dead, late, silent = sleepers
        text = f"shutdown {{ {QUICK} this-host = no host-shutdown-time = 6 }}"
        text += WAKES.format(*sleepers)
        daemon = stack.enter_context(Daemon(config=config(sim, text)))
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        outage_without_this_host(sim, daemon, sleepers)
        for host in (dead, late, silent):
            host.wait_woken()
        assert "FSD" not in status(daemon), "who is woken now would go down again"
        assert not nas.was_woken(), "its turn was first, but the battery is too low"
        sim.cmd("battery 60%")
        nas.wait_woken()
        nas.wait_woken()
        nas.boot()
        wait_until(lambda: "Host nas is up again" in daemon.log(), 30)
        wait_until(lambda: "Host dead is not up again" in daemon.log(), 30)
        # nobody can know whether it is up: no false alarm
        wait_until(lambda: "Host silent was woken; nobody looks" in daemon.log(), 30)
        assert "Host dead is up" not in daemon.log() and "silent is not up" not in daemon.log()
        # one packet is all it gets: a daemon that starts again must look for it all the same
        daemon.stop(signal.SIGKILL)
        daemon.start()
        late.boot()
        wait_until(lambda: "Host late is up again" in daemon.log(), 30)
        wait_until(lambda: policy(daemon)["state"] == "normal", 30)
        assert not late.was_woken() and "is not up again" not in daemon.log()


# --- no late hook can run ------------------------------------------------------------------------------


def test_armed_early(sim):
    """The UPS counts down while the host halts, and is back with the mains."""
    early = "arm-early = yes host-shutdown-time = 60 }"
    slow = "shutdown { on-battery = 600 warning = 599 mains-stable = 1 method = request "
    with Daemon(config=config(sim, slow + early)) as daemon:
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        before = cycled(sim)
        sim.cmd("mains off")
        wait_until(lambda: policy(daemon)["state"] == "warning", 30)
        sim.cmd("mains on")
        wait_until(lambda: policy(daemon)["state"] == "normal", 30)
        assert sim.writes() == [] and request(daemon) == "" and "FSD" not in status(daemon)

        daemon.reload(config(sim, f"shutdown {{ {QUICK} {early}"))
        sim.cmd("mains off")
        wait_until(lambda: request(daemon), 60)
        assert not armed(sim), "the host has not been told yet"
        take(daemon)
        wait_until(lambda: armed(sim), 30, "the UPS counting down")
        # not the six seconds of a late hook: the host is still halting
        assert sim.get()["timers"]["pair_off"] > 6 and sim.reg(1024) != 0 and sim.reg(1044) == 1
        assert "\nups ups " not in (daemon.runtime_dir / "host-shutdown.taken").read_text()
        daemon.stop()  # as the system does now
        goes_off(sim, 100)
        another_boot(daemon)
        comes_back(sim, 100)
        assert cycled(sim) == (before[0] + 1, before[1] + 1)
        written = len(sim.writes())
        daemon.start()
        wait_until(lambda: status(daemon)[0] == "OL", 30)
        wait_until(lambda: policy(daemon)["state"] == "normal", 30)
        assert request(daemon) == "" and not taken(daemon)
        later = sim.writes()[written:]
        assert all(w["base"] in (1044, 1045) for w in later), "nothing goes off again"


# --- two UPSes ----------------------------------------------------------------------------------------


def test_one_of_two_supplies_is_enough():
    with Sim("--esn", "21022900000000000001") as left, Sim("--esn", "21022900000000000002") as right:
        text = f"""
ups "left" {{ port = "{left.port}" }}
ups "right" {{ port = "{right.port}" }}
shutdown {{ {QUICK.replace("on-battery = 1", "")} minimum-supplies = 1 }}
feed "left" {{ supplies = 1 on-battery = 1 }}
feed "right" {{ supplies = 1 on-battery = 1 }}
"""
        with Daemon(config=text) as daemon:

            def ups(name):
                return next(u for u in policy(daemon)["ups"] if u["name"] == name)

            wait_until(lambda: ups("left")["known"] and ups("right")["known"], 30)
            left.cmd("mains off")
            wait_until(lambda: ups("left")["failed"], 30)
            assert policy(daemon)["state"] == "on-battery" and policy(daemon)["sequence"] is None
            assert request(daemon) == "" and left.writes() == right.writes() == []
            right.cmd("mains off")
            wait_until(lambda: request(daemon), 60)
            for name in ("left", "right"):
                assert f"\nups {name} return\n" in request(daemon)
            assert left.reg(1044) == 1 and right.reg(1044) == 1


# --- two daemons ----------------------------------------------------------------------------------------


def test_second_daemon_on_the_same_ups(sim):
    """It says who has the UPS, commands nothing, and takes over when the other one has gone."""
    text = config(sim, f"shutdown {{ {QUICK} }}\n" 'user "a" { password = "b" instcmds = {"ALL"} }')
    with Daemon(config=config(sim)) as first:
        wait_until(lambda: status(first)[0] == "OL", 30)
        with Daemon(config=text) as second:
            wait_until(lambda: f"ups2000d (pid {first.process.pid})" in second.log(), 30)
            assert "stop one of the two" in second.log()
            sim.cmd("mains off")
            wait_until(lambda: "OB" in status(first), 30)
            with second.nut() as nut:
                assert nut.cmd("USERNAME a") == "OK" and nut.cmd("PASSWORD b") == "OK"
                with pytest.raises(NutError, match="DRIVER-NOT-CONNECTED"):
                    nut.cmd("INSTCMD ups shutdown.return")
            assert policy(second)["state"] == "normal" and not policy(second)["ups"][0]["known"]
            assert request(second) == "" and sim.writes() == []
            sim.cmd("mains on")
            wait_until(lambda: status(first)[0] == "OL", 30)
            first.stop()
            wait_until(lambda: status(second)[0] == "OL", 30)
