"""A Modbus TCP gateway between a client and a simulated one that misbehaves on request."""

import socket
import struct
import threading


def recv_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def recv_adu(sock):
    """One MBAP frame: transaction id, protocol id, unit id, PDU."""
    tid, protocol, length = struct.unpack(">HHH", recv_exactly(sock, 6))
    body = recv_exactly(sock, length)
    return tid, protocol, body[0], body[1:]


def adu(tid, unit, pdu, protocol=0, length=None):
    return struct.pack(">HHHB", tid, protocol, len(pdu) + 1 if length is None else length, unit) + pdu


class Gateway:
    """Passes requests on to a real one; answers go through `spoil(tid, unit, pdu)`, which gives
    bytes, None for nothing, or a list of pieces to be sent one at a time. None: honest."""

    def __init__(self, upstream, spoil=None):
        self.upstream, self.spoil = upstream, spoil
        self.connections = self.requests = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            with client, socket.create_connection(("127.0.0.1", self.upstream), 10) as up:
                while True:
                    tid, _, unit, pdu = recv_adu(client)
                    self.requests += 1
                    up.sendall(adu(tid, unit, pdu))
                    tid, _, unit, pdu = recv_adu(up)
                    spoil = self.spoil
                    out = spoil(tid, unit, pdu) if spoil else adu(tid, unit, pdu)
                    for piece in out if isinstance(out, list) else [out or b""]:
                        client.sendall(piece)
        except OSError:
            pass

    def close(self):
        self.listener.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()
