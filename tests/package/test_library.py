"""libups2000 as somebody else's program finds it: installed, through pkg-config."""

import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys

import pytest

TREE = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("UPS2000_BIN", TREE / "build-check/gcc/bin")).parent
sys.path.insert(0, str(TREE / "tests/integration"))

from sim import Sim  # noqa: E402


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """cmake --install into a directory of its own; the environment in which pkg-config finds it."""
    root = tmp_path_factory.mktemp("root")
    env = dict(os.environ, DESTDIR=str(root))
    subprocess.run(["cmake", "--install", BUILD, "--component", "dev"], env=env, check=True, stdout=subprocess.DEVNULL)
    pc = next(root.rglob("ups2000.pc"))
    return root, dict(os.environ, PKG_CONFIG_LIBDIR=str(pc.parent), PKG_CONFIG_SYSROOT_DIR=str(root))


def flags(env, *what):
    return subprocess.run(["pkg-config", *what, "ups2000"], env=env, capture_output=True, text=True, check=True).stdout.split()


def compile_c(tmp_path, env, text):
    source = tmp_path / "program.c"
    source.write_text(text)
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-o", tmp_path / "program", source]
    subprocess.run([*command, *flags(env, "--cflags", "--libs")], check=True)
    return tmp_path / "program"


def test_only_its_own_names(installed):
    root, _ = installed
    archive = next(root.rglob("libups2000.a"))
    names = subprocess.run(["nm", "-g", "--defined-only", archive], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^[0-9a-f]+ [A-Z] (\S+)$", names, re.M)
    assert "u2k_client_new" in names
    assert [name for name in names if not name.startswith("u2k_")] == []


def test_lives_beside_other_names(installed, tmp_path):
    """Names of its inside are anybody's."""
    _, env = installed
    program = compile_c(tmp_path, env, """
        #include <stdio.h>
        #include <ups2000/client.h>
        int line_new(void); int session_order(void); int crc16(void);
        int line_new(void) { return 1; }
        int session_order(void) { return 2; }
        int crc16(void) { return 3; }
        int main(void)
        {
            struct u2k_client_config config = { 0 };
            struct u2k_client *client;

            if (u2k_client_new(&config, 1, &client) < 0)
                return 1;
            u2k_client_free(client);
            printf("%d %s\\n", line_new() + session_order() + crc16(), u2k_strerror(U2K_EREFUSED));
            return 0;
        }
    """)
    assert subprocess.run([program], capture_output=True, text=True, check=True).stdout == "6 refused\n"


@pytest.mark.parametrize("header", ["client.h", "error.h", "ups.h"])
@pytest.mark.parametrize("compiler", [["cc", "-std=c11", "-x", "c"], ["clang", "-std=c++11", "-x", "c++"]])
def test_headers_stand_alone(installed, header, compiler):
    """Each for itself, in C and in C++."""
    _, env = installed
    if not shutil.which(compiler[0]):
        pytest.skip(f"no {compiler[0]}")
    text = f"#include <ups2000/{header}>\n#include <ups2000/{header}>\n"
    subprocess.run([*compiler, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags(env, "--cflags"), "-"], input=text, text=True, check=True)


class Reader:
    """The example, reading lines."""

    def __init__(self, program, port):
        self.process = subprocess.Popen([program, port], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, bufsize=1)
        self.seen = []

    def wait_for(self, text):
        while not any(text in line for line in self.seen):
            assert select.select([self.process.stdout], [], [], 60)[0], f"no \"{text}\" within 60 s after {self.seen}"
            line = self.process.stdout.readline()
            assert line, f"ended after {self.seen}: {self.process.stderr.read()}"
            self.seen.append(line.strip())
        self.seen.clear()


def test_example_reads_a_ups(installed, tmp_path):
    root, env = installed
    example = next(root.rglob("examples/read-ups.c"))
    program = compile_c(tmp_path, env, example.read_text())
    with Sim() as sim:
        reader = Reader(program, sim.port)
        try:
            reader.wait_for("on mains, battery at 100 %")
            sim.cmd("mains off")
            reader.wait_for("on battery")
            sim.cmd("mains on")
            reader.wait_for("on mains")
        finally:
            reader.process.send_signal(signal.SIGTERM)
            reader.process.wait(10)
    done = subprocess.run([program, tmp_path / "no-such-port"], capture_output=True, text=True)
    assert done.returncode == 1 and "no-such-port" in done.stderr
