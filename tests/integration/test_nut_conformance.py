"""The NUT network protocol, row by row (the numbers are those of the conformance checklist in
docs/protocol.md), then Debian's own clients against the same server.

By default the rows run against nut_fixture (path in NUT_FIXTURE). With NUT_TARGET=host:port they
run against any server that shows the fixture's UPSes and users, a stock upsd for instance; what
needs the fixture's control channel is skipped then.
"""

import os
import re
import resource
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading
import time

import pytest

from nut import upsmon_runs

TARGET = os.environ.get("NUT_TARGET")
FIXTURE = os.environ.get("NUT_FIXTURE", "build/bin/nut_fixture")
TIMEOUT = 10.0


class Conn:
    def __init__(self, server):
        self.sock = socket.create_connection((server.host, server.port), TIMEOUT)
        self.buf = b""
        if server.ca:
            self.starttls(server.ca)

    def starttls(self, ca):
        assert self.ask("STARTTLS") == "OK STARTTLS"
        assert self.buf == b""
        self.sock = ssl.create_default_context(cafile=ca).wrap_socket(
            self.sock, server_hostname="localhost")

    def send(self, text):
        self.sock.sendall(text if isinstance(text, bytes) else text.encode())

    def line(self, timeout=TIMEOUT):
        """The next line without its LF, or None at the end of the stream."""
        end = time.monotonic() + timeout
        while b"\n" not in self.buf:
            self.sock.settimeout(max(0.001, end - time.monotonic()))
            try:
                data = self.sock.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                assert self.buf == b"", f"cut line {self.buf!r}"
                return None
            self.buf += data
        line, self.buf = self.buf.split(b"\n", 1)
        return line.decode("latin-1")

    def reply(self):
        """One reply; a list's lines joined by " / "."""
        line = self.line()
        if line is None or not line.startswith("BEGIN LIST"):
            return line
        lines = [line]
        while not lines[-1].startswith("END LIST"):
            lines.append(self.line())
        return " / ".join(lines)

    def ask(self, request):
        self.send(request if isinstance(request, bytes) else request + "\n")
        return self.reply()

    def login(self, user, password):
        assert self.ask(f'USERNAME "{user}"') == "OK"
        assert self.ask(f'PASSWORD "{password}"') == "OK"
        return self

    def silent(self, seconds=0.2):
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return False
        return not self.buf and not select.select([self.sock], [], [], seconds)[0]

    def close(self):
        self.sock.close()


class Server:
    """nut_fixture as a child process; with tls = a directory, its clients speak TLS."""

    def __init__(self, *args, limit=None, tls=None):
        self.host = "127.0.0.1"
        self.ca = os.path.join(tls, "tls-cert.pem") if tls else None
        if tls:
            args = (*args, "--tls", str(tls))
        preexec = None
        if limit:
            def preexec():
                resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        self.orders = []
        self.process = subprocess.Popen([FIXTURE, *args], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=preexec,
                                        stderr=subprocess.PIPE)
        first = self.process.stdout.readline()
        if not first.startswith("PORT "):
            self.error = self.process.stderr.read()
            self.process.wait()
            return
        self.port = int(first.split()[1])
        self.log = []
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()

    def _read_log(self):
        for line in self.process.stderr:
            self.log.append(line)

    def control(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        while True:
            answer = self.process.stdout.readline()
            if answer.startswith("ORDER "):
                self.orders.append(answer[6:].rstrip("\n"))
                continue
            assert answer.startswith("OK"), f"{line}: {answer}"
            self.port = int(answer.split()[1]) or self.port
            return

    def order(self):
        """The orders the back end got since the last call, without their ids."""
        self.control("REFUSE 0")
        got, self.orders = self.orders, []
        return [re.sub(r" TRACKING \S+$", "", o) for o in got]

    def rss_kb(self):
        if self.ca and "ASAN_OPTIONS" in os.environ:
            return 0  # the sanitizer keeps what TLS frees for a while
        with open(f"/proc/{self.process.pid}/status") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])

    def stop(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            code = self.process.wait(TIMEOUT)
            self.reader.join(TIMEOUT)
            assert code == 0, "".join(self.log)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


class Foreign:
    def __init__(self, target):
        self.ca = None
        self.host, port = target.rsplit(":", 1)
        self.port = int(port)

    def control(self, line):
        pytest.skip("needs the fixture's control channel")

    def order(self):
        return None

    def stop(self):
        pass


@pytest.fixture(scope="module", params=["clear", "tls"])
def shared(request, tmp_path_factory):
    if TARGET and request.param == "tls":
        pytest.skip("needs the fixture's certificate")
    tls = tmp_path_factory.mktemp("tls") if request.param == "tls" else None
    server = Foreign(TARGET) if TARGET else Server(tls=tls)
    yield server
    server.stop()


@pytest.fixture(params=["clear", "tls"])
def own(request, tmp_path):
    """A fixture process of the test's own: own() starts one."""
    if TARGET:
        pytest.skip("needs the fixture")
    started = []

    def start(*args, **kw):
        started.append(Server(*args, tls=tmp_path if request.param == "tls" else None, **kw))
        return started[-1]

    yield start
    for server in started:
        server.stop()


# What a client of Python's ssl cannot do: half-close, or be refused before it begins.
IN_CLEAR = pytest.mark.parametrize("own", ["clear"], indirect=True)
SHARED_IN_CLEAR = pytest.mark.parametrize("shared", ["clear"], indirect=True)


@pytest.fixture
def conn(shared):
    c = Conn(shared)
    yield c
    c.close()


def matches(reply, expected):
    if isinstance(expected, tuple):
        return any(matches(reply, e) for e in expected)
    if isinstance(expected, re.Pattern):
        return reply is not None and expected.fullmatch(reply) is not None
    return reply == expected


def eventually(check, seconds=TIMEOUT):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        select.select([], [], [], 0.01)
    assert check()


UNKNOWN_COMMAND = "ERR UNKNOWN-COMMAND"
INVALID = "ERR INVALID-ARGUMENT"
UNKNOWN_UPS = "ERR UNKNOWN-UPS"
STALE = "ERR DATA-STALE"
NOT_CONNECTED = "ERR DRIVER-NOT-CONNECTED"
NO_VAR = "ERR VAR-NOT-SUPPORTED"
DENIED = "ERR ACCESS-DENIED"
STATUS = 'VAR dummy ups.status "OL CHRG"'
VER = re.compile(r"Network UPS Tools upsd .+")
DESC = '"Test \\"quoted\\" \\\\ desc \\# hash"'
ID = '"he\\"l\\\\l\\#o"'
LIST_UPS = (f'BEGIN LIST UPS / UPS dummy {DESC} / UPS nodesc "Description unavailable" / '
            'UPS nodrv "No driver runs" / END LIST UPS')
VARS = [("abc", '"1"'), ("battery.charge", '"100"'), ("device.mfr", '"HUAWEI"'),
        ("driver.version", '"x"'), ("input.transfer.low", '"200"'), ("ups.badrw", '"z"'),
        ("ups.both", '"190"'), ("ups.delay.shutdown", '"20"'), ("ups.id", ID),
        ("ups.status", '"OL CHRG"'), ("ups.test.result", '"x"'), ("Zed", '"1"')]
RW = {"input.transfer.low", "ups.badrw", "ups.both", "ups.delay.shutdown", "ups.id"}


def list_var(name, kind="VAR", status='"OL CHRG"'):
    lines = [f"{kind} {name} {v} {status if v == 'ups.status' else value}" for v, value in VARS
             if kind == "VAR" or v in RW]
    return " / ".join([f"BEGIN LIST {kind} {name}", *lines, f"END LIST {kind} {name}"])


def list_enum(ups, var):
    lines = [f'ENUM {ups} {var} "{v}"' for v in ("190", "200", "a b")]
    return " / ".join([f"BEGIN LIST ENUM {ups} {var}", *lines, f"END LIST ENUM {ups} {var}"])


def unavailable(form, unknown=UNKNOWN_UPS):
    return [(form.format("nope"), unknown), (form.format("nodesc"), STALE),
            (form.format("nodrv"), NOT_CONNECTED)]


# number: requests on a fresh connection and their replies
FRESH = {
    1: [("", UNKNOWN_COMMAND)],
    2: [("\r", UNKNOWN_COMMAND)],
    3: [("  ", UNKNOWN_COMMAND)],
    4: [("# hi", UNKNOWN_COMMAND)],
    5: [("FOO", UNKNOWN_COMMAND)],
    6: [("foo bar", UNKNOWN_COMMAND)],
    7: [(w, UNKNOWN_COMMAND) for w in ("QUIT", "EXIT", "VERSION", "PING", "SETINFO a b")],
    8: [("ATTACH dummy", UNKNOWN_COMMAND), ("DETACH", UNKNOWN_COMMAND)],
    9: [("VER", VER)],
    10: [("ver", VER)],
    11: [("VER x", INVALID)],
    12: [("NETVER", "1.3")],
    13: [("NETVER 1", INVALID)],
    14: [("PROTVER", "1.3"), ("protver", "1.3")],
    15: [("PROTVER x", INVALID)],
    16: [("HELP", re.compile(r"Commands: HELP VER .+"))],
    17: [("HELP me", INVALID)],
    18: [("GET\tVAR\tdummy\tups.status", STATUS)],
    19: [("  GET VAR dummy ups.status  \r", STATUS)],
    20: [("GET VAR dummy ups.st\\atus", STATUS)],
    21: [('GET VAR dummy "ups.\\status"', STATUS)],
    22: [("GET VAR dummy ups.status#c", STATUS), ("GET VAR dummy ups.status # c", STATUS)],
    23: [('"GET" "VAR" "dummy" "ups.status"', STATUS)],
    24: [('GET VAR "dummy"ups.status', STATUS)],
    25: [('GET VAR dum"my" ups.status', UNKNOWN_UPS)],
    26: [(b"GET VAR dummy ups.st\x01atus\n", STATUS), (b"GET VAR dummy ups.status\0\n", STATUS),
         (b"GET VAR dummy \xc3\xa9ups.status\n", STATUS), (b"GET VAR dum\xffmy ups.status\n", STATUS)],
    27: [("GET VAR dummy ups.status=", STATUS)],
    28: [("=GET VAR dummy ups.status", UNKNOWN_COMMAND)],
    29: [('GET VAR dummy "ups.status\nLIST UPS"', NO_VAR), ("NETVER", "1.3")],
    30: [("GET VAR dummy \\\nups.status", STATUS), ("NETVER", "1.3")],
    33: [("GET VAR dummy ups.status" + " w" * 50, STATUS)],
    34: [("X" * 100000, UNKNOWN_COMMAND), ("NETVER", "1.3")],
    35: [("GET VAR dummy " + "x" * 600, NO_VAR)],
    43: [("LOGOUT now", INVALID)],
    45: [("GET", INVALID)],
    46: [("GET FOO", INVALID), ("GET FOO a", INVALID), ("GET FOO a b", INVALID)],
    47: [("GET VAR", INVALID), ("GET VAR dummy", INVALID)],
    48: [("GET VAR dummy ups.status", STATUS)],
    49: [("get var DUMMY UPS.STATUS", 'VAR DUMMY UPS.STATUS "OL CHRG"')],
    50: [("GET VAR dummy ups.status extra junk", STATUS)],
    51: [("GET VAR dummy nope", NO_VAR)],
    52: [("GET VAR nope ups.status", UNKNOWN_UPS)],
    53: [("GET VAR nodesc ups.status", STALE)],
    54: [("GET VAR nodrv ups.status", NOT_CONNECTED)],
    55: [("GET VAR dummy@localhost ups.status", UNKNOWN_UPS)],
    56: [("GET VAR dummy ups.id", f"VAR dummy ups.id {ID}")],
    57: [("GET VAR xyz server.version", re.compile(r'VAR xyz server\.version "[^"]+"'))],
    58: [("GET VAR nodrv server.info", re.compile(r'VAR nodrv server\.info "Network UPS .+"'))],
    59: [("GET VAR dummy SERVER.VERSION", re.compile(r'VAR dummy server\.version ".+"'))],
    60: [("GET VAR xyz server.foo", NO_VAR), ("GET VAR dummy server.", NO_VAR)],
    61: [('GET VAR dummy ""', NO_VAR)],
    62: [('GET VAR "" ups.status', UNKNOWN_UPS)],
    63: [('GET "" dummy x', INVALID)],
    64: [("GET NUMLOGINS", INVALID)],
    65: [("GET NUMLOGINS dummy", "NUMLOGINS dummy 0"),
         ("GET NUMLOGINS DUMMY x", "NUMLOGINS DUMMY 0")],
    66: [("GET NUMLOGINS nope", UNKNOWN_UPS)],
    67: [("GET NUMLOGINS nodesc", (STALE, "NUMLOGINS nodesc 0")),
         ("GET NUMLOGINS nodrv", (NOT_CONNECTED, "NUMLOGINS nodrv 0"))],
    68: [("GET NUMATTACH dummy", INVALID)],
    69: [("GET UPSDESC dummy", f"UPSDESC dummy {DESC}")],
    70: [("GET UPSDESC nodesc", 'UPSDESC nodesc "Unavailable"')],
    71: [("GET UPSDESC nodrv", 'UPSDESC nodrv "No driver runs"')],
    72: [("GET UPSDESC nope", UNKNOWN_UPS), ("GET UPSDESC", INVALID)],
    73: [("GET UPSDESC dummy extra", f"UPSDESC dummy {DESC}")],
    74: [("GET DESC dummy ups.status", re.compile(r'DESC dummy ups\.status "[^"]+"'))],
    75: [("GET DESC dummy zzz", 'DESC dummy zzz "Description unavailable"')],
    76: unavailable("GET DESC {} zzz"),
    77: [(f"GET {w} dummy", INVALID) for w in ("DESC", "CMDDESC", "TYPE")],
    78: [("GET CMDDESC dummy load.off", re.compile(r'CMDDESC dummy load\.off "[^"]+"')),
         ("GET CMDDESC dummy LOAD.OFF", re.compile(r'CMDDESC dummy LOAD\.OFF "[^"]+"'))],
    79: [("GET CMDDESC dummy zz.y", 'CMDDESC dummy zz.y "Description unavailable"')],
    80: unavailable("GET CMDDESC {} load.off"),
    81: [("GET TYPE dummy ups.status", "TYPE dummy ups.status NUMBER")],
    82: [("GET TYPE dummy battery.charge", "TYPE dummy battery.charge NUMBER")],
    83: [("GET TYPE dummy input.transfer.low", "TYPE dummy input.transfer.low RW ENUM NUMBER")],
    84: [("GET TYPE dummy ups.delay.shutdown", "TYPE dummy ups.delay.shutdown RW RANGE NUMBER")],
    85: [("GET TYPE DUMMY UPS.ID", "TYPE DUMMY UPS.ID RW STRING:8")],
    86: [("GET TYPE dummy ups.both", "TYPE dummy ups.both RW ENUM RANGE STRING:5")],
    87: [("GET TYPE dummy ups.badrw", "TYPE dummy ups.badrw RW STRING:0")],
    88: [("GET TYPE dummy nope", NO_VAR), ("GET TYPE dummy server.info", NO_VAR)],
    89: unavailable("GET TYPE {} ups.status"),
    90: [("GET TRACKING", "OFF")],
    91: [("GET TRACKING abc", "ERR FEATURE-NOT-CONFIGURED")],
    92: [("GET UPS", INVALID), ("GET CLIENT dummy", INVALID)],
    93: [(r, INVALID) for r in ("LIST", "LIST FOO", "LIST FOO a b", "LIST TRACKING",
                                "LIST NUMLOGINS dummy")],
    94: [("LIST UPS", LIST_UPS)],
    95: [("LIST UPS extra", LIST_UPS), ("list ups", LIST_UPS), ("LIST UPS # c", LIST_UPS)],
    96: [(r, INVALID) for r in ("LIST VAR", "LIST RW", "LIST CMD", "LIST CLIENT",
                                "LIST ENUM dummy", "LIST RANGE dummy")],
    97: [("LIST VAR dummy", list_var("dummy"))],
    98: [("LIST VAR DUMMY", list_var("DUMMY"))],
    99: [("LIST VAR dummy extra args", list_var("dummy"))],
    100: unavailable("LIST VAR {}"),
    101: [("LIST RW dummy", list_var("dummy", "RW"))],
    102: unavailable("LIST RW {}"),
    103: [("LIST CMD dummy", "BEGIN LIST CMD dummy / CMD dummy Beeper.mute / CMD dummy load.off / "
           "CMD dummy test.battery.start / END LIST CMD dummy")],
    104: unavailable("LIST CMD {}"),
    105: [("LIST ENUM dummy input.transfer.low", list_enum("dummy", "input.transfer.low"))],
    106: [("LIST ENUM dummy battery.charge",
           "BEGIN LIST ENUM dummy battery.charge / END LIST ENUM dummy battery.charge")],
    107: [("LIST ENUM dummy nope", NO_VAR), *unavailable("LIST ENUM {} ups.status")],
    108: [("LIST RANGE dummy ups.delay.shutdown",
           "BEGIN LIST RANGE dummy ups.delay.shutdown / "
           'RANGE dummy ups.delay.shutdown "6" "60" / RANGE dummy ups.delay.shutdown "100" "200" / '
           "END LIST RANGE dummy ups.delay.shutdown")],
    109: [("LIST RANGE dummy battery.charge",
           "BEGIN LIST RANGE dummy battery.charge / END LIST RANGE dummy battery.charge")],
    110: [("LIST RANGE dummy nope", NO_VAR), *unavailable("LIST RANGE {} ups.status")],
    111: [(f"LIST CLIENT {u}", f"BEGIN LIST CLIENT {u} / END LIST CLIENT {u}")
          for u in ("dummy", "nodesc", "nodrv")],
    112: [("LIST CLIENT nope", UNKNOWN_UPS)],
    113: [("LIST CLIENTS dummy", INVALID)],
    114: [("LIST ENUM DUMMY INPUT.TRANSFER.LOW", list_enum("DUMMY", "INPUT.TRANSFER.LOW"))],
    115: [(r, "ERR USERNAME-REQUIRED") for r in (
        "SET", "SET VAR", "SET FOO BAR", "SET TRACKING ON", "INSTCMD", "INSTCMD dummy load.off",
        "LOGIN", "LOGIN dummy", "PRIMARY dummy", "MASTER dummy", "FSD dummy")],
    116: [(r, INVALID) for r in ("USERNAME", "USERNAME a b", "PASSWORD", "PASSWORD a b")],
    117: [("PASSWORD secret", "OK")] + [(r, "ERR USERNAME-REQUIRED") for r in (
        "LOGIN dummy", "FSD", "INSTCMD")] + [
        ("PASSWORD x", "ERR ALREADY-SET-PASSWORD"), ("USERNAME admin", "OK"),
        ("USERNAME admin", "ERR ALREADY-SET-USERNAME")],
    122: [("USERNAME admin", "OK")] + [(r, "ERR PASSWORD-REQUIRED") for r in (
        "LOGIN", "MASTER", "PRIMARY dummy", "FSD dummy", "SET VAR dummy ups.id x",
        "INSTCMD dummy load.off", "SET TRACKING ON")],
    "217, 219": [(r, ("ERR FEATURE-NOT-CONFIGURED", "ERR ALREADY-SSL-MODE"))
                 for r in ("STARTTLS", "STARTTLS x")],
}


@pytest.mark.parametrize("row", FRESH)
def test_fresh(conn, row):
    for request, expected in FRESH[row]:
        reply = conn.ask(request)
        assert matches(reply, expected), (request, reply)


@pytest.mark.parametrize("row, request_, expected", [
    (31, 'GET VAR "a#b" x', UNKNOWN_UPS),
    (159, 'GET VAR dummy "ups#status"', NO_VAR),
])
def test_hash_in_quotes_gets_an_answer(conn, row, request_, expected):
    """Rows 31, 32, 159: stock falls silent."""
    if TARGET:
        pytest.skip("stock is silent here")
    conn.send(request_ + "\nNETVER\n")
    assert conn.reply() == expected
    assert conn.reply() == "1.3"


def test_36_byte_by_byte(conn):
    for byte in b"NETVER":
        conn.send(bytes([byte]))
    assert conn.silent()
    assert conn.ask("") == "1.3"


@SHARED_IN_CLEAR
def test_37_line_without_end_is_discarded(conn):
    conn.send("VER")
    conn.sock.shutdown(socket.SHUT_WR)
    assert conn.line() is None


@SHARED_IN_CLEAR
def test_38_half_close_is_answered(conn):
    conn.send("NETVER\n")
    conn.sock.shutdown(socket.SHUT_WR)
    assert conn.line() == "1.3"
    assert conn.line() is None


def test_39_pipeline(conn):
    conn.send("VER\nNETVER\nLIST UPS\nGET VAR dummy ups.status\n")
    assert matches(conn.reply(), VER)
    assert [conn.reply() for _ in range(3)] == ["1.3", LIST_UPS, STATUS]


def test_42_logout(conn):
    assert conn.ask("LOGOUT") == "OK Goodbye"
    assert conn.line() is None


def test_44_logout_in_a_pipeline(conn):
    conn.send("LOGOUT\nVER\n")
    assert conn.line() == "OK Goodbye"
    if not TARGET:  # stock answers VER too, and closes only later
        assert conn.line() is None


# user, password, requests
RIGHTS = {
    123: ("mon", "monpass", [(r, INVALID) for r in (
        "LOGIN", "LOGIN dummy x", "PRIMARY", "PRIMARY dummy x", "MASTER a b", "FSD", "FSD dummy x")]),
    124: ("mon", "monpass", [("LOGIN nope", UNKNOWN_UPS), ("PRIMARY nope", UNKNOWN_UPS)]),
    "124b": ("sec", "secpass", [("FSD nope", UNKNOWN_UPS)]),
    125: ("mon", "monpass", [
        ("LOGIN dummy", "OK"), ("LOGIN dummy", "ERR ALREADY-LOGGED-IN"),
        ("LOGIN nope", "ERR ALREADY-LOGGED-IN"), ("GET NUMLOGINS dummy", "NUMLOGINS dummy 1"),
        ("LIST CLIENT dummy",
         "BEGIN LIST CLIENT dummy / CLIENT dummy 127.0.0.1 / END LIST CLIENT dummy")]),
    129: ("mon", "monpass", [(f"PRIMARY {u}", "OK PRIMARY-GRANTED")
                             for u in ("dummy", "nodesc", "nodrv")]),
    130: ("mon", "monpass", [("MASTER dummy", "OK MASTER-GRANTED"),
                             ("MASTER DUMMY", "OK MASTER-GRANTED")]),
    131: ("mon", "monpass", [("SET VAR dummy ups.id x", DENIED), ("INSTCMD dummy load.off", DENIED),
                             ("INSTCMD dummy nope", "ERR CMD-NOT-SUPPORTED")]),
    133: ("sec", "secpass", [("PRIMARY dummy", DENIED), ("FSD dummy", DENIED),
                             ("SET VAR dummy nope x", DENIED)]),
    136: ("sec", "secpass", [("LOGIN nodrv", "OK")]),
    "136b": ("sec", "secpass", [("LOGIN nodesc", "OK")]),
    137: ("mon", "wrong", [(r, DENIED) for r in (
        "LOGIN dummy", "PRIMARY dummy", "FSD dummy", "SET VAR dummy nope x",
        "INSTCMD dummy load.off")]),
    138: ("ghost", "x", [("LOGIN dummy", DENIED)]),
    "138b": ("MON", "monpass", [("LOGIN dummy", DENIED)]),
    "138c": ("nopass", "", [("SET VAR dummy ups.id x", DENIED)]),
    139: ("empty", "", [("LOGIN dummy", "OK")]),
    141: ("admin", "secret", [(f"{w} dummy", DENIED) for w in ("LOGIN", "PRIMARY", "MASTER")]),
    142: ("limited", "lim", [("INSTCMD dummy load.off", DENIED),
                             ("INSTCMD dummy TEST.BATTERY.START", "OK"),
                             ("INSTCMD dummy Beeper.mute", DENIED)]),
    146: ("admin", "secret", [(r, INVALID) for r in (
        "SET", "SET VAR", "SET VAR dummy", "SET VAR dummy ups.id", "SET FOO BAR", "SET TRACKING",
        "SET TRACKING maybe")]),
    147: ("admin", "secret", unavailable("SET VAR {} ups.id x")),
    148: ("admin", "secret", [("SET VAR dummy nope x", NO_VAR),
                              ("SET VAR dummy server.info x", NO_VAR)]),
    149: ("admin", "secret", [("SET VAR dummy ups.status x", "ERR READONLY")]),
    150: ("admin", "secret", [("SET VAR dummy ups.badrw x", "ERR SET-FAILED")]),
    151: ("admin", "secret", [("SET VAR dummy ups.id 123456789", "ERR TOO-LONG")]),
    160: ("admin", "secret", [(f"SET VAR dummy input.transfer.low {v}", "ERR INVALID-VALUE")
                              for v in ("195", "0190")]),
    162: ("admin", "secret", [(f"SET VAR dummy ups.delay.shutdown {v}", "ERR INVALID-VALUE")
                              for v in ("5", "61", "99.9", "abc", '""', "-6", "99999999999999999999")]),
    164: ("admin", "secret", [("SET VAR dummy ups.delay.shutdown 60xyz",
                               ("ERR INVALID-VALUE", "OK"))]),
    165: ("admin", "secret", [(f"SET VAR dummy ups.both {v}", "ERR INVALID-VALUE")
                              for v in ("190", "3")]),
    166: ("admin", "secret", [("INSTCMD", INVALID), ("INSTCMD dummy", INVALID)]),
    167: ("admin", "secret", unavailable("INSTCMD {} load.off")),
    168: ("admin", "secret", [("INSTCMD dummy nope", "ERR CMD-NOT-SUPPORTED")]),
    172: ("admin", "secret", [("INSTCMD dummy load.off 10 20", (INVALID, "OK"))]),
    176: ("admin", "secret", [("SET TRACKING on", "OK"), ("GET TRACKING", "ON"),
                              ("SET TRACKING ON extra", "OK"), ('SET TRACKING "ON"', "OK"),
                              ("GET TRACKING bogus", "ERR UNKNOWN"),
                              ('GET TRACKING ""', "ERR UNKNOWN"),
                              ("INSTCMD dummy nope", "ERR CMD-NOT-SUPPORTED"),
                              ("SET VAR dummy ups.id 123456789", "ERR TOO-LONG"),
                              ("SET TRACKING OFF", "OK"), ("GET TRACKING", "OFF")]),
}


@pytest.mark.parametrize("row", RIGHTS)
def test_rights(shared, row):
    user, password, requests = RIGHTS[row]
    other = Conn(shared)
    eventually(lambda: other.ask("GET NUMLOGINS dummy") == "NUMLOGINS dummy 0")
    conn = Conn(shared).login(user, password)
    for request, expected in requests:
        reply = conn.ask(request)
        assert matches(reply, expected), (request, reply)
    conn.close()
    other.close()


# request, what the back end gets: value as quoted, None = no parameter
ORDERS = {
    152: ('SET VAR dummy ups.id "12345678"', 'dummy SET ups.id "12345678"'),
    153: ('SET VAR dummy ups.id "a b\\"c"', 'dummy SET ups.id "a b\\"c"'),
    154: ("SET VAR dummy ups.id a#b", 'dummy SET ups.id "a"'),
    155: ("SET VAR dummy ups.id a=b", 'dummy SET ups.id "a"'),
    156: ('SET VAR dummy ups.id "a=b"', 'dummy SET ups.id "a=b"'),
    157: ('SET VAR dummy ups.id ""', 'dummy SET ups.id ""'),
    158: ("SET VAR DUMMY UPS.ID x extra", 'dummy SET ups.id "x"'),
    "159s": ('SET VAR dummy ups.id "a#b"', 'dummy SET ups.id "a\\#b"'),
    161: ('SET VAR dummy input.transfer.low "a b"', 'dummy SET input.transfer.low "a b"'),
    163: ("SET VAR dummy ups.delay.shutdown 150", 'dummy SET ups.delay.shutdown "150"'),
    169: ("INSTCMD dummy load.off", "dummy INSTCMD load.off"),
    170: ("INSTCMD DUMMY LOAD.OFF", "dummy INSTCMD load.off"),
    171: ("INSTCMD dummy load.off 10", 'dummy INSTCMD load.off "10"'),
    173: ('INSTCMD dummy load.off "a b"', 'dummy INSTCMD load.off "a b"'),
    174: ('INSTCMD dummy load.off ""', 'dummy INSTCMD load.off ""'),
    175: ('INSTCMD dummy load.off "x\\"\\#\\\\"', 'dummy INSTCMD load.off "x\\"\\#\\\\"'),
}


@pytest.mark.parametrize("row", ORDERS)
def test_orders(shared, row):
    request, expected = ORDERS[row]
    shared.order()
    conn = Conn(shared).login("admin", "secret")
    if TARGET and row == "159s":
        pytest.skip("stock is silent here")
    assert conn.ask(request) == "OK"
    assert shared.order() in (None, [expected])
    if not TARGET:
        shared.control("LOSE dummy")
    conn.close()


def test_refused_requests_reach_no_back_end(own):
    server = own()
    conn = Conn(server).login("admin", "secret")
    for request in ("INSTCMD dummy load.off 10 20", "SET VAR dummy ups.delay.shutdown 60xyz"):
        assert conn.ask(request).startswith("ERR INVALID-")
    assert server.order() == []
    conn.close()


@IN_CLEAR
def test_134_two_logins_and_143_144_145_their_ends(own):
    server = own()
    watch = Conn(server)

    def logins():
        return watch.ask("GET NUMLOGINS dummy")

    first = Conn(server).login("mon", "monpass")
    second = Conn(server).login("sec", "secpass")
    assert first.ask("LOGIN dummy") == "OK"
    assert second.ask("LOGIN ALIAS") == "OK"
    assert logins() == "NUMLOGINS dummy 2"
    assert watch.ask("GET NUMLOGINS alias") == "NUMLOGINS alias 2"
    assert watch.ask("LIST CLIENT DUMMY") == (
        "BEGIN LIST CLIENT DUMMY / CLIENT dummy 127.0.0.1 / CLIENT dummy 127.0.0.1 / "
        "END LIST CLIENT DUMMY")
    assert first.ask("LOGOUT") == "OK Goodbye"
    assert first.line() is None
    assert logins() == "NUMLOGINS dummy 1"
    second.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    second.close()
    eventually(lambda: logins() == "NUMLOGINS dummy 0", 0.3)

    third = Conn(server).login("sec", "secpass")
    assert third.ask("LOGIN dummy") == "OK"
    third.sock.shutdown(socket.SHUT_WR)
    assert third.line() is None
    assert logins() == "NUMLOGINS dummy 0"


def tracked(conn, request):
    reply = conn.ask(request)
    assert re.fullmatch(r"OK TRACKING [0-9A-F]{8}-[0-9A-F]{4}-4[0-9A-F]{3}-[89AB][0-9A-F]{3}"
                        r"-[0-9A-F]{12}", reply), reply
    return reply.split()[2]


@pytest.mark.parametrize("code, result", [
    (0, "SUCCESS"), (1, "ERR UNKNOWN"), (2, INVALID), (3, "ERR FAILED"), (99, ("ERR FAILED", "ERR UNKNOWN"))])
def test_178_to_190_tracking(own, code, result):
    server = own()
    conn = Conn(server).login("admin", "secret")
    assert conn.ask("SET TRACKING ON") == "OK"
    id_ = tracked(conn, "INSTCMD dummy load.off 5")
    assert conn.ask(f"GET TRACKING {id_}") == "PENDING"
    server.control(f"TRACKING {id_} {code}")
    assert matches(conn.ask(f"GET TRACKING {id_}"), result)
    assert matches(conn.ask(f"GET TRACKING {id_.lower()} extra"), result)
    assert tracked(conn, "SET VAR dummy ups.id abc") != id_
    other = Conn(server)
    assert other.ask(f"GET TRACKING {id_}") == "ERR FEATURE-NOT-CONFIGURED"
    other.login("mon", "wrong")
    assert other.ask("SET TRACKING ON") == "OK"
    assert matches(other.ask(f"GET TRACKING {id_}"), result)
    assert conn.ask("SET TRACKING OFF") == "OK"
    assert conn.ask(f"GET TRACKING {id_}") == "ERR FEATURE-NOT-CONFIGURED"
    assert conn.ask("SET TRACKING ON") == "OK"
    assert matches(conn.ask(f"GET TRACKING {id_}"), result)


def test_191_lost_order_has_failed(own):
    server = own()
    conn = Conn(server).login("admin", "secret")
    assert conn.ask("SET TRACKING ON") == "OK"
    id_ = tracked(conn, "INSTCMD dummy load.off")
    server.control("LOSE dummy")
    server.control("STATE dummy closed")
    assert conn.ask(f"GET TRACKING {id_}") == "ERR FAILED"
    server.control("STATE dummy stale")
    assert conn.ask("INSTCMD dummy load.off") == STALE


def test_192_results_expire(own):
    server = own("--tracking-delay", "1")
    conn = Conn(server).login("admin", "secret")
    assert conn.ask("SET TRACKING ON") == "OK"
    id_ = tracked(conn, "INSTCMD dummy load.off")
    server.control(f"TRACKING {id_} 0")
    assert conn.ask(f"GET TRACKING {id_}") == "SUCCESS"
    eventually(lambda: conn.ask(f"GET TRACKING {id_}") == "ERR UNKNOWN", 5)


@pytest.mark.parametrize("error, cmd, setting", [
    (-1, INVALID, "ERR INVALID-VALUE"),
    (-8, "ERR INSTCMD-FAILED", "ERR SET-FAILED"),
])
def test_order_refused_at_once(own, error, cmd, setting):
    server = own()
    conn = Conn(server).login("admin", "secret")
    server.control(f"REFUSE {error}")
    assert conn.ask("INSTCMD dummy load.off") == cmd
    server.control(f"REFUSE {error}")
    assert conn.ask("SET VAR dummy ups.id x") == setting
    assert conn.ask("SET TRACKING ON") == "OK"
    server.control(f"REFUSE {error}")
    id_ = tracked(conn, "INSTCMD dummy load.off")
    assert conn.ask(f"GET TRACKING {id_}") == (INVALID if error == -1 else "ERR FAILED")


def test_193_to_201_fsd(own):
    server = own()
    conn = Conn(server).login("mon", "monpass")
    assert conn.ask("LIST VAR dummy") == list_var("dummy")
    assert conn.ask("FSD dummy") == "OK FSD-SET"
    assert conn.ask("FSD dummy") == "OK FSD-SET"
    assert conn.ask("GET VAR dummy ups.status") == 'VAR dummy ups.status "FSD OL CHRG"'
    assert conn.ask("LIST VAR dummy") == list_var("dummy", status='"FSD OL CHRG"')
    server.control('SETINFO dummy ups.status "OB LB"')
    assert conn.ask("GET VAR dummy ups.status") == 'VAR dummy ups.status "FSD OB LB"'
    server.control('SETINFO dummy ups.status "FSD OB LB"')
    assert conn.ask("GET VAR alias ups.status") == 'VAR alias ups.status "FSD OB LB"'
    server.control("STATE dummy closed")
    server.control("STATE dummy stale")
    assert conn.ask("GET VAR dummy ups.status") == STALE
    server.control("STATE dummy ok")
    assert conn.ask("GET VAR dummy ups.status") == 'VAR dummy ups.status "FSD OB LB"'
    server.control("UNFSD dummy")
    server.control('SETINFO dummy ups.status "OL"')
    assert conn.ask("GET VAR dummy ups.status") == 'VAR dummy ups.status "OL"'
    admin = Conn(server).login("admin", "secret")
    assert admin.ask("FSD nodesc") == "OK FSD-SET"
    eventually(lambda: any("orced shutdown" in line and "admin" in line for line in server.log))


def test_202_first_status_is_awaited(own):
    server = own("--wait")
    conn = Conn(server)
    conn.send("NETVER\nGET VAR dummy ups.status\nNETVER\n")
    assert conn.reply() == "1.3"
    other = Conn(server)
    assert other.ask("GET NUMLOGINS dummy") == "NUMLOGINS dummy 0"
    assert conn.silent(0.1)
    server.control("STATE dummy ok")
    assert [conn.reply(), conn.reply()] == [STATUS, "1.3"]


def test_203_but_not_for_ever(own):
    server = own("--wait")
    begin = time.monotonic()
    conn = Conn(server)
    assert conn.ask("GET VAR nodesc ups.status") in (STALE, NOT_CONNECTED)
    assert 0.5 < time.monotonic() - begin < 3


def test_203_held_client_may_leave(own):
    server = own("--wait")
    conn = Conn(server)
    conn.send("GET VAR dummy ups.status\n" * 1000)
    conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()
    server.control("STATE dummy ok")
    assert Conn(server).ask("GET VAR dummy ups.status") == STATUS


def test_204_to_213_data_life(own):
    server = own()
    conn = Conn(server)
    server.control('SETINFO dummy case "Enabled"')
    server.control('SETINFO dummy case "enabled"')
    assert conn.ask("GET VAR dummy case") == 'VAR dummy case "enabled"'
    server.control(f'SETINFO dummy long "{"v" * 400}"')
    assert conn.ask("GET VAR dummy long") == f'VAR dummy long "{"v" * 255}"'
    server.control('SETINFO dummy empty ""')
    assert conn.ask("GET VAR dummy empty") == 'VAR dummy empty ""'
    server.control("DELINFO dummy empty")
    assert conn.ask("GET VAR dummy empty") == NO_VAR
    server.control("ADDCMD dummy zzz")
    server.control("DELCMD dummy load.off")
    assert conn.ask("LIST CMD dummy") == (
        "BEGIN LIST CMD dummy / CMD dummy Beeper.mute / CMD dummy test.battery.start / "
        "CMD dummy zzz / END LIST CMD dummy")


def test_214_removed_ups_cuts_off_its_clients(own):
    server = own()
    inside = Conn(server).login("sec", "secpass")
    outside = Conn(server).login("sec", "secpass")
    assert inside.ask("LOGIN dummy") == "OK"
    assert outside.ask("LOGIN nodesc") == "OK"
    assert outside.ask("LIST VAR dummy") == list_var("dummy")
    server.control("REMOVE dummy")
    assert inside.line() is None
    assert outside.ask("LIST VAR dummy") == UNKNOWN_UPS
    server.control("ADD dummy")
    server.control('SETINFO dummy ups.status "OB"')
    server.control("STATE dummy ok")
    assert outside.ask("LIST VAR dummy") == list_var("dummy", status='"OB"')


def test_215_password_changed_by_reload(own):
    server = own()
    old = Conn(server).login("sec", "secpass")
    server.control("PASSWORD sec other")
    assert old.ask("LOGIN dummy") == DENIED
    assert Conn(server).login("sec", "other").ask("LOGIN dummy") == "OK"


def test_reload_moves_the_listener(own):
    server = own()
    old = Conn(server)
    before = server.port
    server.control("LISTEN 127.0.0.2:0")
    server.host = "127.0.0.2"
    assert server.port != before
    assert Conn(server).ask("NETVER") == "1.3"
    assert old.ask("NETVER") == "1.3"
    server.host, port, server.port = "127.0.0.1", server.port, before
    with pytest.raises(ConnectionRefusedError):
        Conn(server)
    server.host, server.port = "127.0.0.2", port


def test_ipv6(own):
    server = own("--listen", "[::1]:0")
    server.host = "::1"
    conn = Conn(server).login("sec", "secpass")
    assert conn.ask("LOGIN dummy") == "OK"
    assert conn.ask("LIST CLIENT dummy") == (
        "BEGIN LIST CLIENT dummy / CLIENT dummy ::1 / END LIST CLIENT dummy")


@pytest.mark.parametrize("where, reason", [
    ("127.0.0.1:{taken}", "in use"),
    ("192.0.2.1:0", "assign"),
    ("127.0.0.1:http", "number"),
    ("127.0.0.1:70000", "65535"),
    ("[::1:3493", "form"),
    (":3493", "form"),
])
def test_address_that_cannot_be_bound(own, where, reason):
    first = own()
    where = where.format(taken=first.port)
    second = own("--listen", where)
    assert where in second.error and reason in second.error


@IN_CLEAR
def test_216_full_is_said(own):
    server = own("--max", "3")
    conns = [Conn(server) for _ in range(3)]
    assert [c.ask("NETVER") for c in conns] == ["1.3"] * 3
    extra = Conn(server)
    assert extra.line() == DENIED
    assert extra.line() is None
    conns[0].close()
    eventually(lambda: Conn(server).ask("NETVER") == "1.3")


@IN_CLEAR
def test_216_descriptors_run_out(own):
    server = own("--max", "64", limit=40)
    conns, refused = [], None
    for _ in range(60):
        conns.append(Conn(server))
        reply = conns[-1].ask("NETVER")
        if reply != "1.3":
            refused = reply
            break
    assert refused == DENIED
    assert conns[0].ask("NETVER") == "1.3"
    for c in conns:
        c.close()
    eventually(lambda: Conn(server).ask("NETVER") == "1.3")


@IN_CLEAR
def test_221_client_that_never_reads(own):
    server = own()
    deaf = Conn(server)
    deaf.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    deaf.sock.setblocking(False)
    flood = b"LIST VAR dummy\n" * 4096
    sent, idle = 0, 0
    while idle < 20:
        try:
            sent += deaf.sock.send(flood)
            idle = 0
        except BlockingIOError:
            idle += 1
            assert Conn(server).ask("NETVER") == "1.3"
    assert sent < 64 << 20
    assert server.rss_kb() < 40000
    # whoever reads on gets everything in order
    deaf.sock.settimeout(TIMEOUT)
    assert deaf.reply() == list_var("dummy")
    assert deaf.reply() == list_var("dummy")


def test_221_many_clients_that_never_read(own):
    server = own()
    deaf = []
    for _ in range(150):
        c = Conn(server)
        c.sock.setblocking(False)
        deaf.append(c)
    flood = b"LIST VAR dummy\n" * 16384
    for _ in range(40):
        for c in deaf:
            try:
                c.sock.send(flood)
            except OSError:
                pass
        assert Conn(server).ask("NETVER") == "1.3"
    assert server.rss_kb() < 60000
    for c in deaf:
        c.close()
    assert Conn(server).ask("GET VAR dummy ups.status") == STATUS


def test_long_line_of_10_mb(own):
    server = own()
    conn, other = Conn(server), Conn(server)
    before = server.rss_kb()
    for _ in range(160):
        conn.send(b"x" * 65536)
        assert other.ask("NETVER") == "1.3"
    assert conn.ask("") == UNKNOWN_COMMAND
    conn.send(b'GET VAR dummy "')
    for _ in range(16):
        conn.send(b"y \n" * 65536)
    assert conn.ask('"') == NO_VAR
    assert server.rss_kb() < before + 4096


@IN_CLEAR  # Python's ssl cannot send and receive in two threads; test_strangers.py does it in one
def test_100000_commands_at_once(own):
    server = own()
    conn, other = Conn(server), Conn(server)
    count = 100000
    sender = threading.Thread(target=conn.send, args=("GET VAR dummy ups.status\n" * count,))
    sender.start()
    slowest = 0.0
    for i in range(count):
        assert conn.line() == STATUS
        if i % 5000 == 0:
            begin = time.monotonic()
            assert other.ask("NETVER") == "1.3"
            slowest = max(slowest, time.monotonic() - begin)
    sender.join()
    assert slowest < 0.5
    assert server.rss_kb() < 40000


@IN_CLEAR
def test_binary_rubbish(own):
    server = own()
    conn = Conn(server)
    conn.send(bytes(range(256)) * 200)
    conn.sock.shutdown(socket.SHUT_WR)
    while conn.line() is not None:
        pass
    assert Conn(server).ask("NETVER") == "1.3"


def test_223_every_line_ends(conn):
    if TARGET:
        pytest.skip("stock sends 512 bytes without LF here")
    for request in ("GET DESC dummy " + "x" * 600, "GET CMDDESC dummy " + "y" * 600,
                    "GET VAR " + "z" * 600 + " server.info"):
        conn.send(request + "\nNETVER\n")
        line = conn.line()
        assert len(line) <= 511
        assert conn.line() == "1.3"


def test_hashed_password(own):
    server = own()
    others = Conn(server)
    for _ in range(2):  # the second time it is remembered
        conn = Conn(server).login("hashed", "hushed")
        conn.send("LOGIN dummy\nGET NUMLOGINS dummy\nLOGOUT\n")
        assert others.ask("NETVER") == "1.3"
        assert [conn.reply() for _ in range(3)] == ["OK", "NUMLOGINS dummy 1", "OK Goodbye"]
    wrong = Conn(server).login("hashed", "hashed")
    assert wrong.ask("LOGIN dummy") == DENIED
    assert wrong.ask("SET VAR dummy ups.id x") == DENIED
    eventually(lambda: any("login failed from 127.0.0.1 for user hashed" in line
                           for line in server.log))
    assert not any("hushed" in line for line in server.log)


def test_many_wrong_hashes_do_not_block(own):
    server = own()
    conns = [Conn(server).login("hashed", f"wrong{i}") for i in range(100)]
    for c in conns:
        c.send("LOGIN dummy\n")
    assert Conn(server).ask("GET VAR dummy ups.status") == STATUS
    assert {c.reply() for c in conns} == {DENIED}
    assert len([line for line in server.log if "login failed" in line]) <= 10


@pytest.mark.skipif(not os.environ.get("NUT_SLOW"), reason="takes a minute; set NUT_SLOW=1")
@SHARED_IN_CLEAR
def test_40_41_idle_limit(shared):
    nothing, half, active = Conn(shared), Conn(shared), Conn(shared)
    half.send("x")
    begin = time.monotonic()
    while not select.select([nothing.sock], [], [], 5)[0]:
        assert active.ask("NETVER") == "1.3"
        assert time.monotonic() - begin < 70
    assert time.monotonic() - begin > 55
    assert nothing.line() is None and half.line() is None
    assert active.ask("NETVER") == "1.3"


# ---- Debian's clients ------------------------------------------------------------------------


def run(*args, timeout=30, **kw):
    if not shutil.which(args[0]):
        pytest.skip(f"{args[0]} is not installed")
    return subprocess.run(args, capture_output=True, text=True, timeout=timeout, **kw)


@pytest.fixture
def at(own):
    server = own()
    server.at = f"dummy@127.0.0.1:{server.port}"
    return server


def test_upsc(at):
    host = f"127.0.0.1:{at.port}"
    assert run("upsc", "-l", host).stdout.split() == ["dummy", "nodesc", "nodrv"]
    assert "nodrv: No driver runs" in run("upsc", "-L", host).stdout
    assert "ups.status: OL CHRG" in run("upsc", at.at).stdout
    assert 'ups.id: he"l\\l#o' in run("upsc", at.at).stdout
    assert run("upsc", at.at, "ups.status").stdout == "OL CHRG\n"
    login = Conn(at).login("sec", "secpass")
    assert login.ask("LOGIN dummy") == "OK"
    assert "127.0.0.1" in run("upsc", "-c", at.at).stdout
    assert "stale" in run("upsc", f"nodesc@{host}").stderr.lower()
    assert "not connected" in run("upsc", f"nodrv@{host}").stderr.lower()


def test_upscmd(at):
    listed = run("upscmd", "-l", at.at).stdout
    assert "load.off - " in listed and "unavailable" not in listed.split("load.off")[1].split("\n")[0]
    done = run("upscmd", "-u", "admin", "-p", "secret", at.at, "load.off", "10")
    assert "OK" in done.stdout + done.stderr
    assert at.order() == ['dummy INSTCMD load.off "10"']
    wrong = run("upscmd", "-u", "admin", "-p", "no", at.at, "load.off")
    assert "denied" in (wrong.stdout + wrong.stderr).lower()


def end_next_order(server, code):
    """Ends the next tracked order as soon as it comes."""
    def work():
        line = server.process.stdout.readline()
        server.process.stdin.write(f"TRACKING {line.split()[-1]} {code}\n")
        server.process.stdin.flush()
        server.process.stdout.readline()
    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize("code, word", [(0, "SUCCESS"), (3, "FAILED")])
def test_upscmd_and_upsrw_wait(at, code, word):
    worker = end_next_order(at, code)
    done = run("upscmd", "-w", "-u", "admin", "-p", "secret", at.at, "test.battery.start")
    worker.join()
    assert word in (done.stdout + done.stderr).upper()
    worker = end_next_order(at, code)
    done = run("upsrw", "-w", "-s", "ups.id=abc", "-u", "admin", "-p", "secret", at.at)
    worker.join()
    assert word in (done.stdout + done.stderr).upper()


def test_upsrw(at):
    listed = run("upsrw", at.at).stdout
    for text in ("[ups.delay.shutdown]", 'Option: "6-60" SELECTED',
                 'Option: "a b"', "Maximum length: 8"):
        assert text in listed, listed
    done = run("upsrw", "-s", "ups.id=n w", "-u", "admin", "-p", "secret", at.at)
    assert "OK" in done.stdout + done.stderr
    assert at.order() == ['dummy SET ups.id "n w"']
    bad = run("upsrw", "-s", "ups.id=123456789", "-u", "admin", "-p", "secret", at.at)
    assert "TOO-LONG" in bad.stdout + bad.stderr


def test_pynut(at):
    for line in ("REMOVE dummy", "ADD dummy", "STATE dummy ok"):  # it cannot read a desc with quotes
        at.control(line)
    script = ("import sys, PyNUT\n"
              f"c = PyNUT.PyNUTClient(host='127.0.0.1', port={at.port}, login='admin',"
              " password='secret')\n"
              "print(c.GetUPSList(), c.GetUPSVars('dummy')[b'ups.status'],"
              " c.GetUPSCommands('dummy'), c.GetRWVars('dummy'))\n")
    done = run("/usr/bin/python3", "-W", "ignore", "-c", script)
    if "No module named 'PyNUT'" in done.stderr:
        pytest.skip("python3-nut is not installed")
    assert done.returncode == 0, done.stderr
    assert "OL CHRG" in done.stdout and "load.off" in done.stdout and "ups.id" in done.stdout


UPSMON = "/lib/nut/upsmon"  # Debian's /sbin/upsmon asks nut.conf first


@pytest.mark.skipif(not os.path.exists(UPSMON), reason="nut-client is not installed")
def test_upsmon_primary_shuts_down(at, tmp_path):
    fired = tmp_path / "fired"
    flag = tmp_path / "killpower"
    config = tmp_path / "upsmon.conf"
    config.write_text(
        f'MONITOR {at.at} 1 mon monpass primary\nMINSUPPLIES 1\nSHUTDOWNCMD "touch {fired}"\n'
        f"POWERDOWNFLAG {flag}\nPOLLFREQ 1\nPOLLFREQALERT 1\nFINALDELAY 0\nHOSTSYNC 5\n"
        "RUN_AS_USER root\n")
    config.chmod(0o640)
    env = dict(os.environ, NUT_CONFPATH=str(tmp_path), NUT_ALTPIDPATH=str(tmp_path),
               NUT_STATEPATH=str(tmp_path))
    watch = Conn(at)
    other = Conn(at).login("sec", "secpass")
    assert other.ask("LOGIN dummy") == "OK"
    eventually(lambda: not upsmon_runs())  # the one of an earlier test ends a little later
    with open(tmp_path / "log", "w") as log:
        mon = subprocess.Popen([UPSMON, "-D", "-F"], env=env, stdout=log, stderr=log,
                               stdin=subprocess.DEVNULL)
    try:
        eventually(lambda: watch.ask("GET NUMLOGINS dummy") == "NUMLOGINS dummy 2", 15)
        at.control('SETINFO dummy ups.status "OB DISCHRG"')
        eventually(lambda: "on battery" in (tmp_path / "log").read_text(), 15)
        assert not fired.exists()
        at.control('SETINFO dummy ups.status "OB DISCHRG LB"')
        eventually(lambda: watch.ask("GET VAR dummy ups.status") ==
                   'VAR dummy ups.status "FSD OB DISCHRG LB"', 15)
        assert other.ask("LOGOUT") == "OK Goodbye"  # the secondary is gone: the primary goes on
        eventually(fired.exists, 15)
        assert flag.exists()
    finally:
        if mon.poll() is None:
            mon.send_signal(signal.SIGTERM)
        mon.wait(TIMEOUT)
