"""What is recorded: outages, energy, readings, events; and disks that are full, broken or gone."""

import csv
import io
import json
import os
import signal
import subprocess
import time

import pytest

from daemon import Daemon
from sim import bin_dir, wait_until

ENV = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC", "TERM": "dumb"}


def cli(daemon, *args):
    return subprocess.run(
        [str(bin_dir() / "ups2000"), "--socket", str(daemon.socket), *args],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=ENV)


def get(daemon, target):
    """A GET of the local API; the status when it is not 200."""
    curl = subprocess.run(
        ["curl", "-s", "-w", "\n%{http_code}", "--unix-socket", str(daemon.socket), "http://x/api/v1" + target],
        capture_output=True, text=True, timeout=60)
    body, _, status = curl.stdout.rpartition("\n")
    return json.loads(body) if status == "200" else int(status or 0)


def energy(daemon, ups="ups"):
    answer = get(daemon, f"/ups/{ups}")
    return answer["energy"] if isinstance(answer, dict) else None


def measured(daemon, seconds):
    """Wait until energy was measured over so many seconds; returns the counters."""
    return wait_until(lambda: (e := energy(daemon)) and e["measured_s"] >= seconds and e, 60, "energy")


def outages(daemon):
    answer = get(daemon, "/outages")
    return answer["outages"] if isinstance(answer, dict) else []


def kinds(daemon):
    return [event["kind"] for event in get(daemon, "/events")["events"]]


def wait_for_kind(daemon, kind):
    wait_until(lambda: kind in kinds(daemon), 60, kind)


def database(daemon):
    return daemon.directory / "state" / "history.db"


def sqlite(path, sql):
    """The sqlite3 of Debian is the judge of our file."""
    result = subprocess.run(["sqlite3", "-readonly", str(path), sql], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def restart(daemon, how=signal.SIGTERM):
    daemon.stop(how)
    daemon.start()


def online(daemon):
    wait_until(lambda: get(daemon, "/health")["status"] == "ok", 30)


# --- outages and energy --------------------------------------------------------------------------


def test_an_outage_is_an_object(sim, daemon):
    measured(daemon, 3)
    sim.cmd("mains off")
    wait_until(lambda: outages(daemon), 30)
    began = time.time()
    (outage,) = outages(daemon)
    assert outage["ups"] == "ups" and outage["end"] is None
    assert cli(daemon, "run", "beeper.toggle", "--confirm").returncode == 0
    wait_until(lambda: energy(daemon)["on_battery_s"] >= 6, 30)
    sim.cmd("mains on")
    wait_until(lambda: outages(daemon)[0]["end"], 30)
    ended = time.time()

    (outage,) = outages(daemon)
    assert 6 <= outage["duration_s"] <= ended - began + 5
    assert outage["unseen_s"] < 1
    assert outage["start_charge_percent"] >= outage["lowest_charge_percent"] > 50
    assert outage["depth_percent"] == outage["start_charge_percent"] - outage["lowest_charge_percent"]
    assert 20 < outage["lowest_voltage"] < 28
    # 30 % of 1 kVA at 0.8 W per VA is 240 W; a reading each second at either end may not count
    assert 240 * (outage["duration_s"] - 5) <= outage["energy_j"] <= 240 * (outage["duration_s"] + 3)
    assert [a["kind"] for a in outage["actions"]] == ["command", "command"] or \
        [a["facts"]["name"] for a in outage["actions"]] == ["beeper.toggle"]
    counters = energy(daemon)
    assert counters["outages"] == 1
    assert counters["last_outage"] == outage["start"]
    assert abs(counters["on_battery_s"] - outage["duration_s"]) < 3

    daemon.stop()
    assert sqlite(database(daemon), "PRAGMA integrity_check") == "ok"
    assert sqlite(database(daemon), "SELECT count(*) FROM outage WHERE end_us IS NOT NULL") == "1"


def test_kill_9_costs_less_than_5_seconds(sim, daemon):
    sim.cmd("mains off")
    wait_until(lambda: outages(daemon), 30)
    before = measured(daemon, 12)
    last_event = get(daemon, "/log?limit=1")["events"][0]["id"]
    daemon.stop(signal.SIGKILL)
    daemon.start()
    online(daemon)
    after = wait_until(lambda: energy(daemon), 30)
    assert after["since"] == before["since"]
    assert after["measured_s"] >= before["measured_s"] - 5
    assert after["output_j"] >= before["output_j"] - 5 * 400
    assert after["on_battery_s"] >= before["on_battery_s"] - 5
    assert after["gap_s"] >= before["gap_s"], "the time away is counted as unknown"
    # the same outage goes on, and is no second one
    assert after["outages"] == 1
    assert [o["end"] for o in outages(daemon)] == [None]
    # events go on where they were
    ids = [event["id"] for event in get(daemon, "/events")["events"]]
    assert last_event in ids and max(ids) > last_event and ids == sorted(set(ids))
    sim.cmd("mains on")
    wait_until(lambda: outages(daemon)[0]["end"], 30)
    assert len(outages(daemon)) == 1


def test_counters_only_grow(sim, daemon):
    seen = [measured(daemon, 2)]
    for how in (signal.SIGTERM, signal.SIGTERM):
        restart(daemon, how)
        seen.append(measured(daemon, seen[-1]["measured_s"] + 2))
    for key in ("output_j", "measured_s", "gap_s"):
        values = [counters[key] for counters in seen]
        assert values == sorted(values), key


def test_a_battery_test_has_a_curve(sim, daemon):
    measured(daemon, 2)
    wait_until(lambda: cli(daemon, "run", "test.battery.start.quick", "--confirm").returncode == 0, 60)
    test = wait_until(
        lambda: (t := get(daemon, "/ups/ups/tests")["tests"]) and t[0]["result"] and t[0], 90, "the result")
    assert test["result"] == "passed", test
    assert test["end"] and test["duration_s"] > 3
    assert len(test["curve"]) >= 3
    seconds = [point[0] for point in test["curve"]]
    assert seconds == sorted(set(seconds))
    assert all(20 < point[1] < 30 for point in test["curve"])
    assert test["lowest_voltage"] <= min(point[1] for point in test["curve"]) + 0.1
    assert energy(daemon)["outages"] == 0, "a test is no outage"
    assert "passed" in cli(daemon, "tests").stdout


# --- readings and the command line ----------------------------------------------------------------


def test_history_on_the_command_line(sim, daemon):
    sim.cmd("load 42")
    wait_until(lambda: any(
        p[2] and 40 <= p[2] <= 44 for p in get(daemon, "/ups/ups/history?quantity=ups.load&points=5000")["points"]), 60)
    answer = json.loads(cli(daemon, "history", "ups.load", "--json", "--from", "5m", "--points", "20").stdout)
    assert answer["unit"] == "%" and answer["quantity"] == "ups.load"
    known = [p for p in answer["points"] if p[1] is not None]
    assert known and all(p[1] <= p[2] <= p[3] for p in known)

    rows = list(csv.reader(io.StringIO(cli(daemon, "history", "ups", "ups.load", "--csv", "--from", "5m").stdout)))
    assert rows[0] == ["time", "ups.load min", "ups.load mean", "ups.load max"]
    assert any(row[2] and 25 <= float(row[2]) <= 45 for row in rows[1:])

    table = cli(daemon, "history", "input.voltage", "--from", "2m", "--points", "4")
    assert table.returncode == 0 and "LEAST" in table.stdout
    overview = cli(daemon, "history", "--from", "2m").stdout
    assert "battery.charge" in overview and "Energy" in overview
    assert "Energy" in cli(daemon, "status").stdout
    assert "no outages recorded" in cli(daemon, "outages").stdout

    for args, code, words in (
            (["history", "ups.lod"], 66, "is not recorded"),
            (["history", "rack", "ups.load"], 66, "no UPS"),
            (["history", "ups.load", "--from", "x"], 64, "--from"),
            (["history", "ups.load", "--from", "1m", "--to", "2m"], 64, "before"),
            (["history", "--csv"], 64, "quantity"),
            (["history", "ups.load", "--points", "0"], 64, "--points")):
        result = cli(daemon, *args)
        assert (result.returncode, words in result.stderr) == (code, True), (args, result)


def test_events_of_before_a_restart(sim, daemon):
    online(daemon)
    sim.cmd("mains off")
    wait_for_kind(daemon, "on-battery")
    sim.cmd("mains on")
    wait_for_kind(daemon, "on-line")
    restart(daemon)
    text = cli(daemon, "events", "--limit", "100").stdout
    assert "On battery" in text and "On line" in text
    lines = text.splitlines()
    assert lines == sorted(lines, key=lambda line: line[:19]), "oldest first"
    assert len(cli(daemon, "events", "--limit", "2").stdout.splitlines()) == 2
    log = get(daemon, "/log?limit=3")["events"]
    assert [e["id"] for e in log] == sorted((e["id"] for e in log), reverse=True)
    older = get(daemon, f"/log?limit=3&before={log[-1]['id']}")["events"]
    assert older and older[0]["id"] < log[-1]["id"]


@pytest.mark.parametrize("target", [
    "/ups/ups/history", "/ups/ups/history?quantity=no", "/ups/ups/history?quantity=ups.startup",
    "/ups/ups/history?quantity=ups.load&points=0", "/ups/ups/history?quantity=ups.load&from=9&to=3",
    "/ups/ups/history?quantity=ups.load&from=never", "/log?limit=0", "/log?before=x", "/outages?points=3",
    "/ups/ups/outages?ups=ups"])
def test_bad_questions(http_daemon, target):
    assert get(http_daemon, target) == 400


@pytest.fixture(scope="module")
def http_daemon():
    with Daemon(port="/nonexistent") as running:
        yield running


# --- disks ------------------------------------------------------------------------------------------


def test_switched_off(sim):
    config = f'ups "ups" {{ port = "{sim.port}" }}\nhistory {{ enabled = no }}\n'
    with Daemon(config=config) as daemon:
        online(daemon)
        assert get(daemon, "/outages") == 503
        assert energy(daemon) is None
        assert not database(daemon).exists()


@pytest.mark.parametrize("running", [False, True])
def test_garbage_is_set_aside(sim, running):
    with Daemon(port=sim.port) as daemon:
        before = measured(daemon, 5)
        if not running:
            daemon.stop()
        database(daemon).write_bytes(b"garbage " * 5000)
        if not running:
            for part in ("-wal", "-shm"):
                database(daemon).with_name("history.db" + part).unlink(missing_ok=True)
            daemon.start()
        wait_for_kind(daemon, "history-damaged")
        online(daemon)
        aside = list(database(daemon).parent.glob("history.db.damaged-????????-??????"))
        assert len(aside) == 1
        # SQLite's own last words may lie over the garbage if it was running
        assert running or aside[0].read_bytes().startswith(b"garbage ")
        assert "set aside as" in daemon.log()
        after = measured(daemon, before["measured_s"] + 2 if running else 3)
        if running:
            assert after["output_j"] > before["output_j"] and after["since"] == before["since"]
        wait_until(lambda: get(daemon, "/log?limit=1") != 503, 30)
        restart(daemon)
        assert measured(daemon, 1)["output_j"] >= after["output_j"] - 5 * 400
        daemon.stop()
        assert sqlite(database(daemon), "PRAGMA integrity_check") == "ok"


def test_a_later_schema_is_left_alone(sim):
    with Daemon(port=sim.port) as daemon:
        measured(daemon, 2)
        daemon.stop()
        subprocess.run(["sqlite3", str(database(daemon)), "PRAGMA user_version = 99"], check=True)
        before = database(daemon).read_bytes()
        daemon.start()
        wait_for_kind(daemon, "history-refused")
        assert "later version" in daemon.log()
        online(daemon)
        daemon.stop()
        assert database(daemon).read_bytes() == before


def test_a_directory_that_comes_later(sim, tmp_path):
    path = tmp_path / "disk" / "history.db"
    config = f'ups "ups" {{ port = "{sim.port}" }}\nhistory {{ path = "{path}" }}\n'
    with Daemon(config=config) as daemon:
        wait_for_kind(daemon, "history-fails")
        online(daemon)
        assert get(daemon, "/outages") == 503
        sim.cmd("mains off")
        wait_until(lambda: energy(daemon)["outages"] == 1, 30)
        path.parent.mkdir()
        wait_for_kind(daemon, "history-works")
        wait_until(lambda: outages(daemon), 30, "the outage that waited in memory")
        daemon.stop()
        assert sqlite(path, "SELECT count(*) FROM event WHERE kind = 'on-battery'") == "1"


def test_the_file_vanishes(sim, daemon):
    measured(daemon, 5)
    for file in database(daemon).parent.glob("history.db*"):
        file.unlink()
    wait_until(lambda: database(daemon).exists(), 60)
    before = measured(daemon, 8)
    restart(daemon)
    assert measured(daemon, 8)["since"] == before["since"]


def can_mount():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], capture_output=True).returncode == 0


@pytest.mark.skipif(not can_mount(), reason="needs root, to mount a small file system")
def test_a_full_disk_costs_history_only(sim, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=600k", "none", str(disk)], check=True)
    try:
        config = f'ups "ups" {{ port = "{sim.port}" }}\nhistory {{ path = "{disk}/history.db" }}\n'
        with Daemon(config=config) as daemon, daemon.nut() as nut:
            measured(daemon, 2)
            filler = disk / "filler"

            def eat():
                """Take all that is free, again and again: SQLite gives space back when it fails."""
                with open(filler, "ab", buffering=0) as out:
                    try:
                        while True:
                            out.write(bytes(4096))
                    except OSError:
                        pass
                return "history-fails" in kinds(daemon)

            wait_until(eat, 90, "history-fails")
            sim.cmd("mains off")
            wait_until(lambda: "OB" in (nut.try_get("ups.status") or ""), 30)
            filler.unlink()
            wait_for_kind(daemon, "history-works")
            wait_until(lambda: outages(daemon), 60)

            subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=False)
            sim.cmd("mains on")
            wait_until(lambda: "OL" in (nut.try_get("ups.status") or ""), 30)
            subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=False)
            wait_until(lambda: outages(daemon)[0]["end"], 90)
            daemon.stop()
            assert sqlite(disk / "history.db", "PRAGMA integrity_check") == "ok"
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)
