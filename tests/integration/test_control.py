"""Commands as a person gives them: dry runs, proving the return, delays over restart and reload."""

import json
import subprocess

import pytest

from daemon import Daemon
from nut import NutError
from sim import bin_dir, wait_until

CONFIG = """
ups "ups" {{ port = "{port}"  delay-shutdown = {delay} }}
user "admin" {{ password = "secret"  actions = {{"SET"}}  instcmds = {{"ALL"}} }}
"""


def cli(daemon, *words, timeout=60):
    return subprocess.run(
        [str(bin_dir() / "ups2000"), "--socket", str(daemon.socket), *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout)


def test_dry_run_tells_the_steps_and_writes_nothing(sim, daemon, nut):
    wait_until(lambda: nut.try_get("ups.status") == "OL CHRG", 20, "a status")
    told = cli(daemon, "run", "bypass.start", "--dry-run")
    assert told.returncode == 0, told.stderr
    assert "1045" in told.stdout and "1030" in told.stdout
    steps = json.loads(cli(daemon, "run", "load.off", "--dry-run", "--json").stdout)
    assert any("1030" in step for step in steps)
    assert sim.writes() == []
    assert sim.get()["output"] is True


def test_an_unknown_command_has_no_dry_run(daemon, nut):
    wait_until(lambda: nut.try_get("ups.status") == "OL CHRG", 20, "a status")
    told = cli(daemon, "run", "load.of", "--dry-run")
    assert told.returncode == 66
    assert "load.off" in told.stderr


def test_prove_return_needs_a_word_and_the_mains(sim, daemon, nut):
    wait_until(lambda: nut.try_get("ups.status") == "OL CHRG", 20, "a status")
    assert cli(daemon, "prove", "return").returncode == 77  # nobody there to confirm
    assert cli(daemon, "prove", "everything", "--confirm").returncode == 64
    sim.cmd("mains off")
    wait_until(lambda: "OB" in (nut.try_get("ups.status") or ""), 20, "OB")
    refused = cli(daemon, "prove", "return", "--confirm")
    assert refused.returncode == 77 and "mains" in refused.stderr
    assert sim.writes() == []


def test_prove_return_cycles_the_load(sim, daemon, nut):
    wait_until(lambda: nut.try_get("ups.status") == "OL CHRG", 20, "a status")
    proved = cli(daemon, "prove", "return", "--confirm=ups", timeout=200)
    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert "proved" in proved.stdout
    assert sim.get()["output"] is True
    with daemon.nut() as later:  # the first connection was idle for too long
        assert later.get("ups.status").startswith("OL")


def test_a_delay_a_user_set_wins_until_the_file_changes(sim):
    with Daemon(config=CONFIG.format(port=sim.port, delay=60)) as daemon:
        with daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.status") == "OL CHRG", 20, "a status")
            assert nut.get("ups.delay.shutdown") == "60"
            assert nut.cmd("USERNAME admin") == "OK"
            assert nut.cmd("PASSWORD secret") == "OK"
            with pytest.raises(NutError, match="INVALID-VALUE"):
                nut.cmd("SET VAR ups ups.delay.shutdown 63")
            assert nut.cmd("SET VAR ups ups.delay.shutdown 120") == "OK"
            wait_until(lambda: nut.get("ups.delay.shutdown") == "120", 20, "the new delay")
        kept = daemon.directory / "state" / "ups.json"
        wait_until(kept.exists, 20, "the state file")
        daemon.stop()
        daemon.start()
        with daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.delay.shutdown") == "120", 20, "the kept delay")
            daemon.reload(CONFIG.format(port=sim.port, delay=90))
            wait_until(lambda: nut.get("ups.delay.shutdown") == "90", 20, "the file's new delay")


def test_a_damaged_state_file_is_set_aside(sim):
    daemon = Daemon(config=CONFIG.format(port=sim.port, delay=60))
    state = daemon.directory / "state"
    state.mkdir(mode=0o777)
    state.chmod(0o777)
    (state / "ups.json").write_text('{"format": 1, "owed-1044": 7}')
    with daemon:
        with daemon.nut() as nut:
            wait_until(lambda: nut.try_get("ups.status") == "OL CHRG", 20, "a status")
        assert "cannot be understood" in daemon.log()
        assert (state / "ups.json.damaged").exists()
