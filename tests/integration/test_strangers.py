"""Strangers on the network: TLS, access by network, limits per address, and every kind of patience.

Each attack also asks whether the owner notices: a client in clear must be answered and a mains
failure must be seen as if nobody else were there.
"""

import contextlib
import getpass
import hashlib
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
import sys
import threading
import time

import pytest

from daemon import Daemon
from nut import Nut, NutError, upsmon_runs
from sim import Sim, bin_dir, wait_until

HERE = os.path.dirname(os.path.abspath(__file__))
UPSMON = "/lib/nut/upsmon"  # /sbin/upsmon is a script that asks /etc/nut
USERS = """
user "mon"   { password = "watchword"  upsmon = secondary }
user "admin" { password = "openitup"   actions = {"SET", "FSD"}  instcmds = {"ALL"} }
"""


def have(*programs):
    missing = [p for p in programs if not shutil.which(p) and not os.path.exists(p)]
    return pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")


class Guarded(Daemon):
    """ups2000d over a file with these extra lines; runs as whoever runs the tests."""

    def __init__(self, sim, more="", alias="", **kw):
        super().__init__(config=f'ups "ups" {{ port = "{sim.port}" {alias} }}\n{USERS}{more}',
                         args=("--user", getpass.getuser()), **kw)

    @property
    def ca(self):
        return self.directory / "state" / "tls-cert.pem"

    def tls(self, **kw):
        nut = self.nut()
        nut.starttls(self.ca, **kw)
        return nut


@pytest.fixture
def guarded(sim):
    with Guarded(sim) as running:
        with running.nut() as nut:
            wait_until(lambda: "battery.charge" in nut.vars(), 20)
            wait_until(lambda: ["CMD", "ups", "beeper.enable"] in nut.list("CMD ups"), 20)
        yield running


def outage_is_seen(sim, daemon, within=2.0):
    """Mains off and on again: how long a client in clear waits for OB; fails beyond within s."""
    with daemon.nut() as nut:
        began = time.monotonic()
        sim.cmd("mains off")
        wait_until(lambda: "OB" in nut.get("ups.status").split(), within, "the outage")
        took = time.monotonic() - began
        sim.cmd("mains on")
        wait_until(lambda: "OL" in nut.get("ups.status").split(), within, "the end of the outage")
        return took


def openssl(*args, **kw):
    return subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, text=True,
                          timeout=30, **kw)


def make_certificate(directory, name, days=30, san="DNS:localhost,IP:127.0.0.1"):
    """A pair of files, certificate and key."""
    cert, key = directory / f"{name}.crt", directory / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-keyout", key, "-out", cert, "-days", days, "-subj", f"/CN={name}",
            "-addext", f"subjectAltName={san}")
    key.chmod(0o600)
    return cert, key


def fingerprint(der):
    digest = hashlib.sha256(der).hexdigest().upper()
    return ":".join(digest[i:i + 2] for i in range(0, 64, 2))


# --- STARTTLS ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version, name", [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                                           (ssl.TLSVersion.TLSv1_3, "TLSv1.3")])
def test_218_219_220_session_goes_on_inside(guarded, version, name):
    with guarded.nut() as nut:
        assert nut.login("mon", "watchword") == "OK"
        assert nut.starttls(guarded.ca, version=version).version() == name
        assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 1"
        with pytest.raises(NutError, match="ALREADY-SSL-MODE"):
            nut.cmd("STARTTLS")
        with pytest.raises(NutError, match="ALREADY-SET-USERNAME"):
            nut.cmd("USERNAME mon")
        assert len(nut.vars()) > 20
        assert nut.cmd("LOGOUT") == "OK Goodbye"
        assert nut.line() is None
    with guarded.nut() as nut:
        assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 0"


def test_tracking_is_kept(guarded):
    with guarded.nut() as nut:
        nut.cmd("USERNAME admin")
        nut.cmd("PASSWORD openitup")
        assert nut.cmd("SET TRACKING ON") == "OK"
        nut.starttls(guarded.ca)
        assert nut.cmd("GET TRACKING") == "ON"
        assert nut.cmd("INSTCMD ups beeper.enable").startswith("OK TRACKING ")


def test_older_tls_is_refused(guarded):
    context = ssl.create_default_context(cafile=str(guarded.ca))
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with guarded.nut() as nut:
        assert nut.cmd("STARTTLS") == "OK STARTTLS"
        with pytest.raises(ssl.SSLError):
            context.wrap_socket(nut.socket, server_hostname="localhost")
    wait_until(lambda: "TLS handshake failed" in guarded.log())


@pytest.mark.parametrize("more", ["LIST UPS\n", "GET VAR ups ups.status", "\n", "STARTTLS\n",
                                  "\x16\x03\x01"])
def test_bytes_behind_starttls_are_no_commands(guarded, more):
    """In one packet: the connection is dropped before anything was answered."""
    with guarded.nut() as nut:
        nut.send("STARTTLS\n" + more)
        assert nut.line() is None
    wait_until(lambda: "commands in clear behind STARTTLS" in guarded.log())


def test_clear_text_in_place_of_the_handshake(guarded):
    """Later: it is no handshake, so it ends the connection; no answer in clear comes back."""
    with guarded.nut() as nut:
        assert nut.cmd("STARTTLS") == "OK STARTTLS"
        nut.send("LIST UPS")
        data = b""
        with contextlib.suppress(ConnectionResetError):
            while True:
                got = nut.socket.recv(4096)
                if not got:
                    break
                data += got
        assert b"UPS" not in data
    wait_until(lambda: "TLS handshake failed" in guarded.log())


def test_commands_before_starttls_are_answered_first(guarded):
    with guarded.nut() as nut:
        nut.send("NETVER\nSTARTTLS")
        assert nut.line() == "1.3"
        assert nut.line() == "OK STARTTLS"


def test_large_answers_and_pipelines(guarded):
    """More than sockets hold, in many records, answered in order, while more is being asked."""
    count = 5000
    requests = memoryview(b"LIST CMD ups\nNETVER\n" * count)
    with guarded.tls() as nut:
        tls = nut.socket
        tls.setblocking(False)
        sent, answers = 0, b""
        while not answers.endswith(b"\n1.3\n") or answers.count(b"\n1.3\n") < count:
            waits_for = []
            try:
                answers += tls.recv(65536)
            except ssl.SSLWantReadError:
                waits_for.append(tls)
            try:
                if sent < len(requests):
                    sent += tls.send(requests[sent:sent + 16384])
                    continue
            except ssl.SSLWantWriteError:
                pass
            if waits_for:
                assert any(select.select([tls], [tls] if sent < len(requests) else [], [], 10))
    one = answers[:answers.index(b"\n1.3\n") + 5]
    assert one.startswith(b"BEGIN LIST CMD ups\n") and one.endswith(b"END LIST CMD ups\n1.3\n")
    assert answers == one * count


# --- certificates ------------------------------------------------------------------------------


def test_own_certificate(sim):
    with Guarded(sim) as daemon:
        state = daemon.directory / "state"
        key = state / "tls-key.pem"
        assert oct(key.stat().st_mode & 0o7777) == "0o600"
        with daemon.tls() as nut:
            shown = fingerprint(nut.socket.getpeercert(binary_form=True))
        assert f"our own certificate, SHA-256 {shown}" in daemon.log()
        assert str(daemon.ca) in daemon.log()
        daemon.stop()
        daemon.start()
        with daemon.tls() as nut:  # the same after a restart, or clients would have to be told
            assert fingerprint(nut.socket.getpeercert(binary_form=True)) == shown
        for name in ("localhost", "127.0.0.1", socket.gethostname()):
            daemon.tls(name=name).close()
        with daemon.nut() as nut, pytest.raises(ssl.SSLCertVerificationError):
            nut.starttls(daemon.ca, name="elsewhere.example")
        wait_until(lambda: "TLS handshake failed" in daemon.log())


def test_certificate_of_the_user_and_reload(sim, tmp_path):
    first = make_certificate(tmp_path, "first")
    second = make_certificate(tmp_path, "second")
    config = 'tls {{ certificate = "{}"  key = "{}" }}\n'
    with Guarded(sim, config.format(*first)) as daemon:
        old, in_clear = daemon.nut(), daemon.nut()
        old.starttls(first[0])
        assert not (daemon.directory / "state" / "tls-key.pem").exists()
        base = daemon.config[:-len(config.format(*first))]

        def shown(ca):
            with daemon.nut() as nut:
                return fingerprint(nut.starttls(ca).getpeercert(binary_form=True))

        def starts_with(ca):
            with contextlib.suppress(ssl.SSLError):
                return shown(ca)

        was = shown(first[0])
        daemon.reload(base + config.format(*second))
        wait_until(lambda: starts_with(second[0]), 10, "the new certificate")
        assert old.cmd("NETVER") == "1.3" and in_clear.cmd("NETVER") == "1.3"
        now = shown(second[0])
        assert now != was and now in daemon.log()

        bad = [(first[0], second[1], "does not belong to the certificate"),
               (tmp_path / "gone", second[1], "cannot be read: No such file"),
               (tmp_path / "text", second[1], "holds no certificate")]
        (tmp_path / "text").write_text("no PEM\n")
        for cert, key, why in bad:
            daemon.reload(base + config.format(cert, key))
            wait_until(lambda: re.search(f"error tls: .*{why}.*in use, if any, stays", daemon.log()),
                       10, why)
            assert shown(second[0]) == now
        second[1].chmod(0o644)
        daemon.reload(base + config.format(*second))
        wait_until(lambda: "others than its owner may read it (mode 0644)" in daemon.log())
        assert shown(second[0]) == now
        assert old.cmd("NETVER") == "1.3" and in_clear.cmd("NETVER") == "1.3"
        daemon.reload(base + "nut { starttls = no }")
        with daemon.nut() as nut, pytest.raises(NutError, match="FEATURE-NOT-CONFIGURED"):
            nut.cmd("STARTTLS")
        assert old.cmd("NETVER") == "1.3"
        old.close()
        in_clear.close()


def expired_certificate(directory):
    cert, key = make_certificate(directory, "expired")
    request = directory / "expired.csr"
    openssl("req", "-new", "-key", key, "-subj", "/CN=expired", "-out", request)
    (directory / "index.txt").touch()
    (directory / "serial").write_text("01\n")
    (directory / "ca.cnf").write_text(
        f"[ca]\ndefault_ca=c\n[c]\ndatabase={directory}/index.txt\nserial={directory}/serial\n"
        f"new_certs_dir={directory}\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    openssl("ca", "-batch", "-config", directory / "ca.cnf", "-selfsign", "-keyfile", key,
            "-in", request, "-out", cert, "-startdate", "20200101000000Z",
            "-enddate", "20200201000000Z", "-notext")
    return cert, key


@pytest.mark.parametrize("required", [False, True])
def test_expired_at_start(sim, tmp_path, required):
    cert, key = expired_certificate(tmp_path)
    more = f'tls {{ certificate = "{cert}"  key = "{key}" }}\n'
    more += "nut { require-tls = yes }" if required else ""
    daemon = Guarded(sim, more)
    try:
        if required:
            daemon.launch()
            assert daemon.process.wait(20) == 1
            assert re.search(rf"error.*{cert}: the certificate expired on .*TLS is required",
                             daemon.log())
        else:
            daemon.start()
            assert re.search(rf"error.*{cert}: the certificate expired on .*TLS is off", daemon.log())
            with daemon.nut() as nut, pytest.raises(NutError, match="FEATURE-NOT-CONFIGURED"):
                nut.cmd("STARTTLS")
        check = subprocess.run([bin_dir() / "ups2000d", "--check-config", "--config",
                                daemon.config_path], capture_output=True, text=True, timeout=20)
        assert check.returncode == 1 and "the certificate expired on" in check.stderr
    finally:
        daemon.__exit__()


def test_require_tls(sim):
    with Guarded(sim, "nut { require-tls = yes }") as daemon, daemon.nut() as nut:
        for request in ("GET VAR ups ups.status", "LIST UPS", "USERNAME mon", "PASSWORD x",
                        "LOGIN ups", "FSD ups", "SET VAR ups ups.id x", "INSTCMD ups load.off",
                        "GET TRACKING"):
            with pytest.raises(NutError, match="TLS-NOT-ENABLED"):
                nut.cmd(request)
        assert nut.cmd("VER").startswith("Network UPS Tools upsd ")
        assert nut.cmd("NETVER") == "1.3"
        with pytest.raises(NutError, match="UNKNOWN-COMMAND"):
            nut.cmd("FOO")
        nut.starttls(daemon.ca)
        assert nut.login("mon", "watchword") == "OK"
        assert nut.get("ups.status").startswith("OL")
    with Guarded(sim, "nut { require-tls = remote }") as daemon, daemon.nut() as nut:
        assert nut.get("ups.status").startswith("OL")  # this host itself


# --- other people's clients --------------------------------------------------------------------


class StarttlsProxy(threading.Thread):
    """Says STARTTLS for a client that cannot, then only moves bytes."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.target = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        client, _ = self.listener.accept()
        server = socket.create_connection(("127.0.0.1", self.target), 10)
        server.sendall(b"STARTTLS\n")
        answer = b""
        while not answer.endswith(b"\n"):
            answer += server.recv(1)
        assert answer == b"OK STARTTLS\n"

        def move(a, b):
            with contextlib.suppress(OSError):
                while data := a.recv(65536):
                    b.sendall(data)
                b.shutdown(socket.SHUT_WR)

        other = threading.Thread(target=move, args=(server, client), daemon=True)
        other.start()
        move(client, server)
        other.join()
        for s in (client, server, self.listener):
            s.close()


@have("openssl")
@pytest.mark.parametrize("option", ["-tls1_3", "-tls1_2"])
def test_openssl_s_client(guarded, option):
    proxy = StarttlsProxy(guarded.nut_ports()[0])
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", option, "-CAfile",
         guarded.ca, "-verify_return_error", "-verify_hostname", "localhost", "-quiet"],
        input="NETVER\nGET VAR ups ups.status\nLOGOUT\n", capture_output=True, text=True, timeout=20)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[0] == "1.3"
    assert "OL" in result.stdout and "OK Goodbye" in result.stdout


@have("openssl")
def test_openssl_s_client_with_another_certificate_refuses(guarded, tmp_path):
    stranger, _ = make_certificate(tmp_path, "stranger")
    proxy = StarttlsProxy(guarded.nut_ports()[0])
    result = subprocess.run(
        ["openssl", "s_client", "-connect", f"127.0.0.1:{proxy.port}", "-CAfile", stranger,
         "-verify_return_error", "-quiet"], input="NETVER\n", capture_output=True, text=True,
        timeout=20)
    assert result.returncode != 0 and "1.3" not in result.stdout


@have("upsc")
def test_debian_upsc_uses_tls_by_itself(guarded):
    port = guarded.nut_ports()[0]
    result = subprocess.run(["upsc", f"ups@127.0.0.1:{port}", "ups.status"], capture_output=True,
                            text=True, timeout=20)
    assert result.stdout.startswith("OL") and "Connected to NUT server 127.0.0.1 in SSL" in result.stderr


@have(UPSMON, "certutil")
@pytest.mark.skipif(os.geteuid() != 0, reason="Debian's upsmon must be started as root")
@pytest.mark.parametrize("trusted", [True, False])
def test_debian_upsmon_checks_the_certificate(sim, guarded, tmp_path, trusted):
    """FORCESSL 1 and CERTVERIFY 1: with our certificate in its database it monitors, else not."""
    database = tmp_path / "nss"
    database.mkdir()
    subprocess.run(["certutil", "-N", "-d", database, "--empty-password"], check=True, timeout=30)
    if trusted:
        subprocess.run(["certutil", "-A", "-d", database, "-n", "ups2000", "-t", "P,,", "-i",
                        guarded.ca], check=True, timeout=30)
    port = guarded.nut_ports()[0]
    fired = tmp_path / "fired"
    (tmp_path / "upsmon.conf").write_text(
        f"MONITOR ups@localhost:{port} 1 mon watchword secondary\nMINSUPPLIES 1\n"
        f'SHUTDOWNCMD "touch {fired}"\nPOLLFREQ 1\nPOLLFREQALERT 1\nFINALDELAY 0\n'
        f"RUN_AS_USER root\nCERTPATH {database}\nCERTVERIFY 1\nFORCESSL 1\n")
    (tmp_path / "upsmon.conf").chmod(0o640)
    wait_until(lambda: not upsmon_runs(), 20, "the end of another upsmon")
    env = {**os.environ, "NUT_CONFPATH": str(tmp_path), "NUT_STATEPATH": str(tmp_path)}
    log_path = tmp_path / "log"
    with open(log_path, "w") as log:
        mon = subprocess.Popen([UPSMON, "-D", "-F"], env=env, stdout=log, stderr=log,
                               stdin=subprocess.DEVNULL)
    try:
        with guarded.nut() as nut:
            if not trusted:
                wait_until(lambda: "TLS handshake failed" in guarded.log(), 20)
                assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 0"
                return
            wait_until(lambda: nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 1", 20)
            sim.cmd("mains off")
            wait_until(lambda: "on battery" in log_path.read_text(), 20)
            sim.cmd("mains on")
            wait_until(lambda: "on line power" in log_path.read_text(), 20)
            assert not fired.exists()
    finally:
        # its second process, which monitors, is no child of ours; the first ends with it
        children = subprocess.run(["pgrep", "-P", str(mon.pid)], capture_output=True, text=True)
        for pid in children.stdout.split():
            os.kill(int(pid), signal.SIGTERM)
        if mon.poll() is None:
            mon.terminate()
        mon.wait(20)


def test_pynut_in_clear_beside_tls(guarded):
    module = pytest.importorskip("PyNUT", reason="python3-nut is not installed")
    with guarded.tls() as inside:
        client = module.PyNUTClient(host="127.0.0.1", port=guarded.nut_ports()[0])
        assert b"ups" in client.GetUPSList() or "ups" in client.GetUPSList()
        assert inside.get("ups.status").startswith("OL")


# --- users of NAS systems ----------------------------------------------------------------------


def test_weak_accounts_are_good_where_they_are_named(sim):
    nas = """
    user "monuser" { password = "secret"  upsmon = secondary  weak = yes  networks = {"127.0.0.2"} }
    user "qnap"    { password = "123456"  upsmon = secondary  weak = yes  networks = {"127.0.0.3"} }
    """
    with Guarded(sim, nas, alias='alias = {"qnapups", "nas"}') as daemon:
        port = daemon.nut_ports()[0]
        assert "everybody knows" not in daemon.log()
        with Nut(port, source="127.0.0.2") as synology, Nut(port) as admin, \
                Nut(port, source="127.0.0.3") as qnap:
            assert synology.login("monuser", "secret", "ups") == "OK"
            assert qnap.login("qnap", "123456", "QNAPUPS") == "OK"
            for name in ("ups", "qnapups", "nas"):  # one device, one count
                assert admin.cmd(f"GET NUMLOGINS {name}") == f"NUMLOGINS {name} 2"
            assert len(admin.list("UPS")) == 1
            for source, user, password in (("127.0.0.1", "monuser", "secret"),
                                           ("127.0.0.3", "monuser", "secret"),
                                           ("127.0.0.2", "qnap", "123456")):
                with Nut(port, source=source) as stranger:
                    with pytest.raises(NutError, match="ACCESS-DENIED"):
                        stranger.login(user, password)
            assert "not in the networks of the user" in daemon.log()
            admin.cmd("USERNAME admin")
            admin.cmd("PASSWORD openitup")
            assert admin.cmd("FSD nas") == "OK FSD-SET"
            for client, name in ((synology, "ups"), (qnap, "qnapups")):
                assert client.get("ups.status", name).startswith("FSD ")
        with Nut(port) as later:
            assert later.cmd("GET NUMLOGINS nas") == "NUMLOGINS nas 0"


def test_well_known_pair_is_warned_about(sim):
    with Guarded(sim, 'user "monuser" { password = "secret"  upsmon = secondary }') as daemon:
        assert re.search(r'warning config: .*ups2000\.conf:\d+: user "monuser" has a password that '
                         r'everybody knows: it is refused from other hosts', daemon.log())
        with daemon.nut() as nut:
            assert nut.login("monuser", "secret") == "OK"


# --- limits ------------------------------------------------------------------------------------


def test_failed_logins(sim):
    """This host may fail ten times as often as others; then even the right password must wait."""
    with Guarded(sim, "nut { failed-logins = 2 }") as daemon:
        def attempt(password):
            with daemon.nut() as nut:
                try:
                    return nut.login("mon", password)
                except NutError as error:
                    return str(error)

        for i in range(40):
            assert attempt(f"wrong{i}") == "ACCESS-DENIED"
        assert attempt("watchword") == "ACCESS-DENIED"
        assert daemon.log().count("too many failed logins") == 1
        with daemon.nut() as nut:  # who asks for nothing secret is served
            assert nut.get("ups.status")
        wait_until(lambda: attempt("watchword") == "OK", 10, "forgiveness")


def may_have_namespaces():
    if not shutil.which("unshare") or not shutil.which("ip"):
        return False
    user = [] if os.geteuid() == 0 else ["-r"]
    return subprocess.run(["unshare", *user, "-n", "ip", "link", "set", "lo", "up"],
                          capture_output=True).returncode == 0


@pytest.mark.parametrize("case", ["connect", "login", "set", "instcmd", "fsd", "require_tls",
                                  "per_address", "failed_logins"])
def test_other_addresses(case):
    """In a network namespace of their own, with addresses that are not loopback."""
    if not may_have_namespaces():
        pytest.skip("no network namespace: unshare -n is not permitted here")
    user = [] if os.geteuid() == 0 else ["-r"]
    env = {**os.environ, "NUT_FIXTURE": os.environ.get("NUT_FIXTURE", str(bin_dir() / "nut_fixture"))}
    result = subprocess.run(["unshare", *user, "-n", sys.executable,
                             os.path.join(HERE, "strangers_net.py"), case],
                            capture_output=True, text=True, timeout=120, env=env)
    assert result.returncode == 0, result.stdout + result.stderr


# --- patience ----------------------------------------------------------------------------------


def connections(daemon):
    """TCP connections the daemon has accepted and still holds."""
    directory = f"/proc/{daemon.process.pid}/fd"
    count = 0
    for fd in os.listdir(directory):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            count += os.readlink(os.path.join(directory, fd)).startswith("socket:")
    return count


def open_many(daemon, n, first=b""):
    port = daemon.nut_ports()[0]
    clients = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port), 10)
        if first:
            s.sendall(first)
        clients.append(s)
    return clients


def close_all(clients):
    for s in clients:
        s.close()


def hello():
    """The first bytes a TLS client sends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    out = ssl.MemoryBIO()
    side = context.wrap_bio(ssl.MemoryBIO(), out)
    with contextlib.suppress(ssl.SSLWantReadError):
        side.do_handshake()
    return out.read()


def test_222_stalled_handshakes(sim, guarded):
    """Silence, half a ClientHello, a whole one and then silence: cut off after 10 s, not noticed."""
    before = connections(guarded)
    began = time.monotonic()
    clients = open_many(guarded, 150, b"STARTTLS\n")
    for s in clients:
        assert s.recv(100) == b"OK STARTTLS\n"
    first = hello()
    for s in clients[50:100]:
        s.sendall(first[:len(first) // 2])
    for s in clients[100:]:
        s.sendall(first)
    outage_is_seen(sim, guarded)
    with guarded.tls() as nut:
        assert nut.get("ups.status").startswith("OL")
    for s in clients[:100:7]:  # a byte now and then does not help
        with contextlib.suppress(OSError):
            s.sendall(b"\x16")
    wait_until(lambda: connections(guarded) <= before, 14, "the deadline")
    assert time.monotonic() - began > 8
    assert "not finished in time" in guarded.log()
    close_all(clients)


def test_handshake_flood(sim, guarded):
    """Handshakes as fast as four threads can: the others' answers come in time."""
    stop = threading.Event()
    done = []
    port = guarded.nut_ports()[0]
    context = ssl.create_default_context(cafile=str(guarded.ca))

    def flood():
        while not stop.is_set():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as s:
                s.sendall(b"STARTTLS\n")
                s.recv(100)
                context.wrap_socket(s, server_hostname="localhost").close()
                done.append(1)

    threads = [threading.Thread(target=flood) for _ in range(4)]
    for t in threads:
        t.start()
    try:
        wait_until(lambda: len(done) > 100, 30)
        assert outage_is_seen(sim, guarded) < 2
        wait_until(lambda: len(done) > 300, 30)
    finally:
        stop.set()
        for t in threads:
            t.join()


def test_221_slow_readers_in_tls(sim, guarded):
    """Clients that ask for everything and read nothing; their answers stay bounded."""
    port = guarded.nut_ports()[0]
    context = ssl.create_default_context(cafile=str(guarded.ca))
    clients = []
    for _ in range(20):
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(10)
        raw.connect(("127.0.0.1", port))
        raw.sendall(b"STARTTLS\n")
        assert raw.recv(100) == b"OK STARTTLS\n"
        s = context.wrap_socket(raw, server_hostname="localhost")
        s.setblocking(False)
        for _ in range(200):
            try:
                s.send(b"LIST VAR ups\n" * 100)
            except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
                break
        clients.append(s)
    outage_is_seen(sim, guarded)
    with guarded.tls() as nut:
        assert nut.get("ups.status").startswith("OL")
    with open(f"/proc/{guarded.process.pid}/status") as f:
        rss_kb = int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])
    if "ASAN_OPTIONS" not in os.environ:
        assert rss_kb < 80 * 1024
    close_all(clients)


def test_half_open_peers(sim, guarded):
    """Peers that shut down one direction in every phase and stay."""
    before = connections(guarded)
    clients = []
    for first in (b"", b"STARTTLS\n", b"STARTTLS\n" + hello()[:40], b"GET VAR ups ups.sta",
                  b"USERNAME mon\nPASSWORD watchword\nLOGIN ups\n"):
        for how in (socket.SHUT_WR, socket.SHUT_RD):
            for s in open_many(guarded, 10, first):
                s.shutdown(how)
                clients.append(s)
    outage_is_seen(sim, guarded)
    # who sends no more is closed at once; who only does not read is an idle client
    wait_until(lambda: connections(guarded) <= before + len(clients) // 2, 15)
    with guarded.nut() as nut:
        assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 10"
    close_all(clients)
    wait_until(lambda: connections(guarded) <= before, 15)
    with guarded.nut() as nut:
        assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 0"


def test_rst_storm(sim, guarded):
    """Connections that are reset in every phase."""
    before = connections(guarded)
    port = guarded.nut_ports()[0]
    first = hello()
    stop = threading.Event()
    count = [0]

    def storm():
        phases = (b"", b"VER\n", b"STARTTLS\n", b"LIST VAR ups\n" * 200, b"USERNAME mon\nPASSWORD x\nLOGIN ups\n")
        while not stop.is_set():
            for phase in phases:
                with contextlib.suppress(OSError):
                    s = socket.create_connection(("127.0.0.1", port), 10)
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    s.sendall(phase)
                    if phase == b"STARTTLS\n":
                        s.recv(100)
                        s.sendall(first)
                    s.close()
                    count[0] += 1

    threads = [threading.Thread(target=storm) for _ in range(2)]
    for t in threads:
        t.start()
    try:
        wait_until(lambda: count[0] > 1000, 30)
        outage_is_seen(sim, guarded)
        wait_until(lambda: count[0] > 3000, 60)
    finally:
        stop.set()
        for t in threads:
            t.join()
    wait_until(lambda: connections(guarded) <= before, 15)
    with guarded.nut() as nut:
        assert nut.cmd("GET NUMLOGINS ups") == "NUMLOGINS ups 0"


def test_216_descriptors_run_out(sim, guarded):
    """A limit that shrinks below what is open: newcomers are told, the others are served on."""
    pid = guarded.process.pid
    inside, in_clear = guarded.tls(), guarded.nut()
    used = len(os.listdir(f"/proc/{pid}/fd"))
    was = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 20, was[1]))
    clients = []
    try:
        refused = 0
        for _ in range(60):
            s = Nut(guarded.nut_ports()[0])
            clients.append(s)
            s.send("VER")
            refused += s.line() == "ERR ACCESS-DENIED"
        assert refused >= 35
        assert inside.cmd("NETVER") == "1.3" and in_clear.cmd("NETVER") == "1.3"
        sim.cmd("mains off")
        wait_until(lambda: "OB" in in_clear.get("ups.status").split(), 2)
        sim.cmd("mains on")
        wait_until(lambda: "OL" in inside.get("ups.status").split(), 2)
        assert "no file descriptor is left" in guarded.log()
        while clients:
            clients.pop().close()
        wait_until(lambda: guarded.tls().get("ups.status"), 10)
    finally:
        for s in clients:
            s.close()
        resource.prlimit(pid, resource.RLIMIT_NOFILE, was)
    inside.close()
    in_clear.close()
