"""Every command on every kind of UPS the simulator can be, through the real daemon and a NUT
client, in real time. The simulator is the judge: SUCCESS only for what it did, nothing undone that
it could have done, a refusal only with nothing written. Rule and dialects are those of the matrix
in virtual time (simulation/matrix.c), with the mains present.

U2K_MATRIX=small: four dialects (slow builds); full: all of them. Each batch of cells is one daemon
with one simulator for each of its UPSes. The table is printed: pytest -s.
"""

import collections
import contextlib
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from daemon import Daemon
from sim import Sim

COMMANDS = (
    "beeper.enable beeper.disable beeper.toggle test.battery.start.quick test.battery.start.deep "
    "test.battery.stop bypass.start bypass.stop load.on load.off shutdown.return shutdown.stayoff "
    "shutdown.reboot shutdown.reboot.graceful shutdown.default shutdown.stop"
).split()

SMALL = ("", "fc10-silent", "pair-only", "ack-only")
USUAL = (*SMALL, "fc10-refused", "pair-only fc10-silent", "pair-order fc10-silent",
         "arm-1047 fc10-refused", "arm-1048 fc10-silent", "pair-refused", "no-cancel",
         "start-fails", "busy=3", "old-value-ms=3000", "off-ignored", "count-down", "gaps-refused",
         "h-family", "id-basic")
FULL = (*USUAL, "pair-only fc10-refused", "arm-1047 fc10-silent", "arm-1048 fc10-refused",
        "pair-refused=4 busy=2", "cancel-not-pair", "busy-ms", "old-value-ms fc10-silent",
        "old-value-ms pair-only fc10-refused", "restart-1049", "count-down fc10-silent",
        "timer-keeps", "zero-cancels", "max-read=43", "max-read=20", "test-shows-mains",
        "test-stays", "eco-battery-6", "id-none", "id-split", "id-open")

BATCH = 80  # cells at the same time
PERIOD = 0.3  # s between two looks at a UPS or its order
DEADLINE = 150  # s for a command
OFF_DELAY = 6  # s, delay-shutdown, delay-reboot and shutdown.reboot
STOP_AFTER = "36"  # s, of the switch-off that shutdown.stop has to stop
LATER = 100  # s of the UPS's time that are looked at after the outcome
FASTER = 20  # how fast they go

CONFIG = """
user "admin" { password = "a password of this test"  actions = {"SET"}  instcmds = {"ALL"} }
"""

RETURNS = ("shutdown.return", "shutdown.default", "shutdown.reboot", "shutdown.reboot.graceful")
TIMED = (*RETURNS, "shutdown.stayoff", "shutdown.stop")

# Seen while a UPS is identified, so there from the start; all others begin with the command.
INBORN = ("gaps-refused", "max-read", "h-family", "id-")


def monitored_only(dialect):
    """Does the gate of docs/control.md stay closed?"""
    return dialect in ("h-family", "id-basic", "id-none")


def refusal(command, dialect):
    """The refusal to expect (a part of its text), or None."""
    if monitored_only(dialect):
        return "only monitored"
    if dialect == "max-read=20" and command.startswith(("test.battery.start", "bypass.start")):
        return ""  # the alarms cannot be read
    return None


def could(command, dialect):
    """Could the UPS have done it, with the mains present, by a way docs/control.md allows?"""
    has = dialect.__contains__
    if refusal(command, dialect) is not None or has("ack-only"):
        return False
    if command in ("bypass.stop", "load.on"):
        return not has("start-fails")
    if command in ("bypass.start", "load.off"):
        return not has("off-ignored")
    if command == "shutdown.stop":
        return not has("no-cancel") and not has("cancel-not-pair")
    if command in RETURNS:
        return not has("pair-refused") and not (has("fc10") and has("pair-only"))
    return True


def did(command, states):
    """Did the UPS do it, by what was seen of it from the order to the outcome?"""
    first, last = states[0], states[-1]
    if command == "beeper.toggle":
        return last["muted"] != first["muted"]
    if command.startswith("beeper."):
        return last["muted"] == (command == "beeper.disable")
    if command.startswith("test.battery.start"):
        return any(s["test"] != "none" for s in states)
    if command == "test.battery.stop":
        return last["test"] == "none"
    if command == "bypass.start":
        return last["source"] == 1
    if command == "bypass.stop":
        return last["source"] in (2, 3, 5)
    if command == "load.on":
        return last["output"] and last["startup"] == 3
    if command == "shutdown.stop":
        timers = last["timers"]
        return (last["output_offs"] == first["output_offs"]
                and timers["off"] is None and timers["pair_off"] is None)
    return last["output_offs"] > first["output_offs"]


class Cell:
    """A command on a UPS of its own."""

    def __init__(self, number, command, dialect):
        self.name = f"u{number}"
        self.command = command
        self.dialect = dialect
        self.sim = Sim("--esn", f"2102290{number:013}", "--seed", number + 1, *self.inborn())
        self.outcome = "no outcome"
        self.text = ""
        self.wrong = []
        self.took = 0.0

    def inborn(self):
        if self.dialect == "max-read=20" and self.command in ("test.battery.stop", "bypass.stop"):
            return []  # what they stop could not be started
        return ["--dialect", self.dialect] if self.dialect.startswith(INBORN) else []

    def section(self):
        return (f'ups "{self.name}" {{ port = "{self.sim.port}"  delay-shutdown = {OFF_DELAY}'
                f'  delay-reboot = {OFF_DELAY}  delay-start = 60 }}\n')

    def __str__(self):
        return f"{self.command} on {self.dialect or 'the likely unit'}"

    # --- talking to the daemon and the UPS ------------------------------------------------------

    def wait(self, condition, timeout, what):
        end = time.monotonic() + timeout
        while not (value := condition()):
            assert time.monotonic() < end, f"{what}: not within {timeout} s"
            time.sleep(PERIOD)
        return value

    def order(self, line):
        words = self.nut.cmd(line).split()
        assert words[:2] == ["OK", "TRACKING"], f"{line}: {words}"
        return words[2]

    def answer(self, tracking):
        """Of GET TRACKING, or None while it is pending."""
        self.nut.send(f"GET TRACKING {tracking}")
        answer = self.nut.line()
        return None if answer == "PENDING" else answer

    def do(self, line):
        """A command of the set-up, which must succeed."""
        answer = self.wait(lambda tracking=self.order(line): self.answer(tracking), 60, line)
        assert answer == "SUCCESS", f"to set up: {line}: {answer}"

    def shown(self, var, pattern):
        """Wait until NUT shows it."""

        def shows():
            return re.match(pattern, self.nut.try_get(var, self.name))

        self.wait(shows, 60, f"{var} like {pattern}")

    # --- one run --------------------------------------------------------------------------------

    def prepare(self):
        """Into the state in which the command makes sense."""
        known = "Monitored only" if monitored_only(self.dialect) else "Identified"
        line = f" {self.name}: {known}"
        self.wait(lambda: line in self.daemon.log(), 90, line)
        self.shown("ups.status", "OL")
        if not monitored_only(self.dialect):
            self.shown("ups.power.nominal", "1000")  # commands are closed until it was read
        if self.command == "beeper.enable":
            self.sim.cmd("panel mute")
            self.shown("ups.beeper.status", "disabled")
        if self.command == "load.on":
            self.sim.cmd("panel off")
            self.shown("ups.status", ".*OFF")
        if not monitored_only(self.dialect):
            self.prepare_by_orders()
        if not self.inborn():
            for word in self.dialect.split():
                self.sim.cmd(f"dialect {word} on")

    def prepare_by_orders(self):
        instcmd = f"INSTCMD {self.name}"
        if self.command == "test.battery.stop":
            self.do(f"{instcmd} test.battery.start.deep")
        if self.command == "bypass.stop":
            self.do(f"{instcmd} bypass.start")
        if self.command == "shutdown.return":
            self.shown("ups.start.auto", "yes")
            self.do(f"SET VAR {self.name} ups.start.auto no")
        if self.command == "shutdown.stop":
            self.order(f"{instcmd} shutdown.return {STOP_AFTER}")
            self.wait(lambda: self.sim.get()["timers"]["pair_off"], 30, "the armed pair")

    def run(self, daemon):
        self.daemon = daemon
        try:
            with daemon.nut() as self.nut:
                self.nut.cmd("USERNAME admin")
                self.nut.cmd('PASSWORD "a password of this test"')
                self.nut.cmd("SET TRACKING ON")
                self.prepare()
                self.judge(*self.give())
        except Exception as error:  # any of them is this cell's result
            self.wrong.append(f"{type(error).__name__}: {error}")

    def give(self):
        """The command, until it has its outcome: what the UPS was meanwhile, what was written."""
        states = [self.sim.get()]
        began = time.monotonic()
        tracking = self.order(f"INSTCMD {self.name} {self.command}")

        def over():
            answer = self.answer(tracking)
            states.append(self.sim.get())
            return answer

        self.answered = self.wait(over, DEADLINE, "the outcome")
        self.took = time.monotonic() - began
        said = re.compile(rf" {self.name}: admin from \S+ commands {re.escape(self.command)}: "
                          "(verified|refused|failed)(.*)")
        found = self.wait(lambda: said.search(self.daemon.log()), 10, "the outcome in the log")
        self.outcome, self.text = found[1], found[2].lstrip(": ")
        return states, states[-1]["writes"] - states[0]["writes"]

    def judge(self, states, writes):
        done, able = did(self.command, states), could(self.command, self.dialect)
        refused = refusal(self.command, self.dialect)
        say = self.wrong.append
        if (self.answered == "SUCCESS") != (self.outcome == "verified"):
            say(f"NUT says {self.answered}, the log {self.outcome}")
        if not self.answered.startswith(("SUCCESS", "ERR ")):
            say(f"NUT says {self.answered!r}")
        if self.outcome == "verified" and not done:
            say("verified, but not done")
        if self.outcome != "verified" and done and not self.done_before(states):
            say(f"done, but {self.outcome}")
        if self.outcome == "refused" and writes:
            say(f"refused after {writes} writes")
        if self.outcome == "refused" and (refused is None or refused not in self.text):
            say("refused although nothing stands against it")
        if refused is not None and self.outcome != "refused":
            say("not refused")
        if self.outcome == "failed" and not writes:
            say("failed, but nothing was written")
        if able and self.outcome != "verified":
            say("undone although the UPS could")
        if not able and self.outcome == "verified":
            say("verified although the UPS cannot")
        if self.command in TIMED[:-1]:
            self.judge_time(states)
        if not self.command.startswith("test."):
            self.judge_later(states)

    def done_before(self, states):
        """A state that was there already is not done by the command."""
        return did(self.command, [states[0], states[0]])

    def judge_time(self, states):
        for state in states:
            if state["output_offs"] > states[0]["output_offs"]:
                after = state["time"] - states[0]["time"]
                if after < OFF_DELAY - 0.1:
                    self.wrong.append(f"off {after:.1f} s after the order")
                return

    def judge_later(self, states):
        """The return, the borrowed settings, nothing that fires late."""
        verified = self.outcome == "verified"
        spoilt = any(w in self.dialect for w in ("ack-only", "no-cancel", "cancel-not-pair",
                                                 "start-fails"))
        last = states[-1]
        self.sim.cmd(f"speed {FASTER}")
        if verified and not spoilt and self.command in RETURNS:
            self.wait(lambda: self.sim.get()["source"] == 2, 30, "the return")
            start = 0 if self.command == "shutdown.return" else 1
            self.wait(lambda: self.sim.get()["autostart"] == start, 60, "1044 given back")
            last = self.sim.get()
        if verified and not spoilt and self.command == "bypass.stop":
            self.wait(lambda: self.sim.get()["bypass_option"] == 0, 60, "1045 given back")
        end = last["time"] + LATER
        now = self.wait(lambda: (s := self.sim.get())["time"] > end and s, 60, "time to pass")
        if now["output_offs"] != last["output_offs"] and not spoilt:
            self.wrong.append(f"went off later, after {self.outcome}")
        if now["output_ons"] != last["output_ons"] and self.command == "shutdown.stayoff":
            self.wrong.append("came back after stayoff")


def run_batch(cells):
    config = "".join(cell.section() for cell in cells) + CONFIG
    with contextlib.ExitStack() as stack:
        for cell in cells:
            stack.enter_context(cell.sim)
        daemon = stack.enter_context(Daemon(config=config))
        pool = stack.enter_context(ThreadPoolExecutor(len(cells)))
        list(pool.map(lambda cell: cell.run(daemon), cells))
        assert daemon.process.poll() is None, daemon.log()[-4000:]


def show(cells):
    """The table, in the words of docs/control.md: without an entry the command is verified."""
    rows = collections.defaultdict(list)
    for cell in cells:
        word = cell.outcome + (" (!)" if cell.wrong else "")
        rows[cell.dialect].append((COMMANDS.index(cell.command), cell.command, word))
    print("\n\n| unit | not verified |\n|---|---|")
    for dialect, entries in rows.items():
        words = collections.defaultdict(list)
        for _, command, word in sorted(entries):
            if word != "verified":
                words[word].append(command)
        if any(len(commands) == len(COMMANDS) for commands in words.values()):
            words = {word: ["all"] for word in words}
        said = "; ".join(f"{', '.join(commands)}: {word}" for word, commands in words.items())
        print(f"| {dialect or 'likely unit'} | {said} |")
    slowest = max(cells, key=lambda cell: cell.took)
    print(f"\n{len(cells)} cells; the slowest answer: {slowest}, {slowest.took:.0f} s")


def test_every_command_on_every_dialect():
    dialects = {"small": SMALL, "full": FULL}.get(os.environ.get("U2K_MATRIX"), USUAL)
    pairs = [(command, dialect) for dialect in dialects for command in COMMANDS]
    # cells that take long together: a batch takes as long as its slowest
    pairs.sort(key=lambda pair: (pair[0] in TIMED, "pair-refused" in pair[1] or not could(*pair)))
    cells = [Cell(number, *pair) for number, pair in enumerate(pairs)]
    for first in range(0, len(cells), BATCH):
        began = time.monotonic()
        run_batch(cells[first:first + BATCH])
        print(f"batch from {first}: {time.monotonic() - began:.0f} s", flush=True)
    cells.sort(key=lambda cell: dialects.index(cell.dialect))
    show(cells)
    wrong = [f"{c}: {'; '.join(c.wrong)} [{c.outcome}: {c.text}]" for c in cells if c.wrong]
    if wrong:
        pytest.fail(f"{len(wrong)} cells contradict:\n" + "\n".join(wrong), pytrace=False)


QUICK, STOP = "test.battery.start.quick", "test.battery.stop"

# command, dialect, tests running before and after, answer, outcome, writes, what is wrong with it
LIES = [
    (QUICK, "", "none quick", "SUCCESS", "verified", 1, ""),
    (QUICK, "ack-only", "none none", "ERR FAILED", "failed", 1, ""),
    (QUICK, "h-family", "none none", "ERR FAILED", "refused", 0, ""),
    (QUICK, "", "none none", "SUCCESS", "verified", 1, "verified, but not done"),
    (QUICK, "", "none quick", "ERR FAILED", "failed", 1, "done, but failed"),
    (QUICK, "", "none none", "ERR FAILED", "failed", 1, "undone although the UPS could"),
    (QUICK, "", "none none", "ERR FAILED", "refused", 0, "refused although nothing stands"),
    (QUICK, "", "none quick", "ERR FAILED", "verified", 1, "NUT says ERR FAILED, the log verified"),
    (QUICK, "h-family", "none none", "ERR FAILED", "refused", 1, "refused after 1 writes"),
    (QUICK, "h-family", "none none", "ERR FAILED", "failed", 1, "not refused"),
    (STOP, "ack-only", "deep none", "SUCCESS", "verified", 1, "verified although the UPS cannot"),
    (STOP, "ack-only", "deep deep", "ERR FAILED", "failed", 0, "nothing was written"),
]


@pytest.mark.parametrize("command,dialect,tests,answer,outcome,writes,wrong", LIES)
def test_the_judge_sees_lies(command, dialect, tests, answer, outcome, writes, wrong):
    cell = Cell.__new__(Cell)
    cell.command, cell.dialect, cell.answered, cell.outcome = command, dialect, answer, outcome
    cell.text, cell.wrong = "it is only monitored", []
    cell.judge([{"test": test} for test in tests.split()], writes)
    assert (wrong in "; ".join(cell.wrong)) if wrong else cell.wrong == []
