"""Completion in bash, zsh and fish: what stands next comes from the tables and the daemon."""

import os
import pathlib
import subprocess

import pytest

from sim import bin_dir, wait_until

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "completions"


def environment(daemon=None):
    env = {**os.environ, "LC_ALL": "C.UTF-8", "PATH": f"{bin_dir()}:{os.environ['PATH']}",
           "UPS2000_SOCKET": str(daemon.socket) if daemon else "/nonexistent"}
    return env


def candidates(*words, daemon=None):
    done = subprocess.run([bin_dir() / "ups2000", "_complete", "--", *words], capture_output=True,
                          text=True, timeout=30, env=environment(daemon))
    assert done.returncode == 0 and done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("words, some, none", [
    ([""], {"status", "watch", "run", "setup", "help"}, {"_complete", "--json"}),
    (["st"], {"status"}, {"watch"}),
    (["-"], {"--json", "--socket", "--help"}, {"--follow"}),
    (["events", "--"], {"--follow", "--since", "--json"}, {"--port"}),
    (["help", "sc"], {"scan"}, {"status"}),
    (["notify", ""], {"list", "test"}, set()),
    (["prove", ""], {"return"}, set()),
    (["setup", "--password-file", ""], {":files"}, set()),
    (["--socket", "/x", "li"], {"list"}, set()),
    (["nonsense", ""], set(), {"status"}),
    (["probe", "tcp"], {"tcp://"}, set()),
])
def test_without_a_daemon(words, some, none):
    found = set(candidates(*words))
    assert some <= found and not none & found


def test_with_a_daemon(daemon, nut):
    wait_until(lambda: {"input.voltage", "input.frequency"} <= nut.vars().keys(), 30)
    assert candidates("status", "", daemon=daemon) == ["ups"]
    commands = candidates("run", "ups", "", daemon=daemon)
    assert "shutdown.return" in commands and "help" in commands
    # with one UPS its name may be left out
    assert set(candidates("run", "beeper", daemon=daemon)) == {
        "beeper.enable", "beeper.disable", "beeper.toggle", "beeper.mute"} & set(commands)
    assert "ups.delay.shutdown" in candidates("set", "ups.", daemon=daemon)
    assert "input.voltage" not in candidates("set", "ups", "", daemon=daemon)
    assert candidates("get", "ups", "input.v", daemon=daemon) == ["input.voltage"]
    assert candidates("get", "ups", "input.voltage", "input.fr", daemon=daemon) == [
        "input.frequency"]


def test_bash():
    script = f"""source {SCRIPTS}/ups2000.bash
        COMP_WORDS=(ups2000 st) COMP_CWORD=1; _ups2000; echo "${{COMPREPLY[*]}}"
        COMP_WORDS=(ups2000d --check) COMP_CWORD=1; _ups2000_options; echo "${{COMPREPLY[*]}}"
        complete -p ups2000 ups2000d ups2000-sim"""
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True,
                          timeout=60, env=environment())
    assert done.stderr == ""
    assert done.stdout.splitlines()[:2] == ["status", "--check-config"]


def test_zsh():
    """The shell finds the function for each program and can read it."""
    script = f"""fpath=({SCRIPTS} $fpath)
        autoload -U compinit; compinit -u -D
        print -r -- ${{_comps[ups2000]}} ${{_comps[ups2000d]}}
        zsh -n {SCRIPTS}/_ups2000 && print good"""
    done = subprocess.run(["zsh", "-f", "-c", script], capture_output=True, text=True, timeout=60,
                          env=environment())
    assert done.stdout.split() == ["_ups2000", "_ups2000", "good"], done.stderr


def test_fish(tmp_path):
    script = f"source {SCRIPTS}/ups2000.fish; complete -C 'ups2000 st'; complete -C 'ups2000d --ch'"
    env = {**environment(), "HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path),
           "XDG_DATA_HOME": str(tmp_path)}
    done = subprocess.run(["fish", "--no-config", "-c", script], capture_output=True, text=True,
                          timeout=60, env=env)
    assert done.stdout.split() == ["status", "--check-config"], done.stderr
