"""Debian's upsmon for tests: its own configuration and, since its pid file has a fixed path, its own
/run/nut in a mount namespace. Needs root."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from sim import wait_until

UPSMON = "/lib/nut/upsmon"  # /sbin/upsmon is a script that asks /etc/nut
# What it starts with: a file system of its own where its pid file is.
PRIVATE = ["unshare", "--mount", "sh", "-c", 'mkdir -p /run/nut; mount -t tmpfs tmpfs /run/nut && exec "$@"', "-"]


def available():
    return os.path.exists(UPSMON) and os.geteuid() == 0 and shutil.which("unshare")


class Upsmon:
    """One upsmon; SHUTDOWNCMD leaves the file `down` in its directory. prefix: how it is started."""

    def __init__(self, monitor, prefix=(), more=""):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="upsmon-"))
        self.down = self.directory / "down"
        self.flag = self.directory / "killpower"
        self.prefix = list(prefix)
        (self.directory / "upsmon.conf").write_text(
            f'MONITOR {monitor}\nMINSUPPLIES 1\nSHUTDOWNCMD "touch {self.down}"\nPOLLFREQ 1\n'
            f"POLLFREQALERT 1\nHOSTSYNC 10\nDEADTIME 15\nPOWERDOWNFLAG {self.flag}\nFINALDELAY 1\n"
            f"RUN_AS_USER root\n{more}"
        )
        self.process = None

    def start(self):
        with open(self.directory / "log", "a") as log:
            self.process = subprocess.Popen(
                [*self.prefix, *PRIVATE, UPSMON, "-F", "-u", "root"],
                env={**os.environ, "NUT_CONFPATH": str(self.directory)}, stdout=log, stderr=log,
            )  # fmt: skip
        return self

    def log(self):
        return (self.directory / "log").read_text(errors="replace")

    def wait_down(self, timeout=60):
        wait_until(self.down.exists, timeout, f"SHUTDOWNCMD; {self.log()[-400:]}")
        self.process.wait(30)

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)
