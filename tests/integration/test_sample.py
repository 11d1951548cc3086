"""The sample configuration: it does nothing, explains everything, and tells the truth."""

import pathlib
import re
import subprocess

from sim import bin_dir

TREE = pathlib.Path(__file__).resolve().parents[2]
SAMPLE = TREE / "docs/ups2000.conf"


def uncommented():
    """Without the explanations and without the "#" in front of the defaults."""
    lines = [line for line in SAMPLE.read_text().splitlines() if not line.startswith("##")]
    return "\n".join(line.removeprefix("#") for line in lines) + "\n"


def daemon(*args):
    return subprocess.run([bin_dir() / "ups2000d", *args], capture_output=True, text=True, timeout=60)


def test_says_nothing():
    assert all(line.startswith("#") or not line.strip() for line in SAMPLE.read_text().splitlines())
    assert daemon("--configured", "--config", SAMPLE).returncode == 1


def test_configured(tmp_path):
    conf = tmp_path / "ups2000.conf"
    assert daemon("--configured", "--config", conf).returncode == 1  # none
    assert daemon("--configured", "--port", "/dev/ttyUSB0").returncode == 0
    conf.write_text("/* nothing */\n# ups {\n")
    assert daemon("--configured", "--config", conf).returncode == 1
    conf.write_text("ups {")  # broken is not nothing: starting it tells
    assert daemon("--configured", "--config", conf).returncode == 0


def test_its_defaults_are_good(tmp_path):
    conf = tmp_path / "ups2000.conf"
    conf.write_text(uncommented().replace('run-as = "ups2000"', 'run-as = "root"'))
    done = daemon("--check-config", "--config", conf)
    assert done.returncode == 0, done.stderr


def test_every_key_is_in_it():
    """Each row of the daemon's table, inside its section."""
    table = (TREE / "src/daemon/config_file.c").read_text()
    rows = re.findall(r'^\t\{ "([a-z]*)", "([a-z0-9-]+)", KEY_', table, re.M)
    assert len(rows) > 50
    # Sections are flattened: "ups" { ... } up to the next one.
    text = re.sub(r"(?m)^#+\t*", "", SAMPLE.read_text())
    parts = {"": text}
    for name, body in re.findall(r'(?ms)^([a-z]+)(?: "[^"]*")? \{\n(.*?)^\}', text):
        parts[name] = parts.get(name, "") + body
    missing = [f"{section}.{key}" for section, key in rows if not re.search(rf"(?m)^{key} = ", parts.get(section, ""))]
    assert missing == []
