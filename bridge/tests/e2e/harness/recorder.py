"""A TCP relay that keeps what clients said, so that it can be said again, cut or bent."""
import contextlib
import socket
import threading


class Recorder:
    """Relays to `target`; `said` holds what each connection's client sent."""

    def __init__(self, target: str | None = None):
        self.target, self.said = target, []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                host, port = self.target.split(":")
                server = socket.create_connection((host, int(port)))
                said = bytearray()
                self.said.append(said)
                threading.Thread(target=relay, args=(client, server, said), daemon=True).start()
                threading.Thread(target=relay, args=(server, client, bytearray()), daemon=True).start()

    def longest(self) -> bytes:
        """The connection that did the work; others only asked for metadata."""
        return bytes(max(self.said, key=len))

    def close(self):
        self._listener.close()


def relay(source: socket.socket, sink: socket.socket, said: bytearray):
    with contextlib.suppress(OSError):
        while chunk := source.recv(65_536):
            said += chunk
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


def connect(address: str, seconds: float = 10) -> socket.socket:
    host, port = address.rsplit(":", 1)
    sock = socket.create_connection((host, int(port)), timeout=seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def until_closed(sock: socket.socket, limit: int = 4 << 20) -> int:
    """Reads till the other side closes; how much it sent. Fails after the socket's timeout."""
    total = 0
    try:
        while chunk := sock.recv(65_536):
            total += len(chunk)
            assert total < limit, "it goes on and on"
    except ConnectionError:
        pass
    except TimeoutError:
        raise AssertionError("the connection stayed open") from None
    return total


def say(address: str, octets: bytes) -> int:
    """Sends it, says no more, and waits for the close."""
    with connect(address) as sock:
        with contextlib.suppress(OSError):  # refused before it was all said
            sock.sendall(octets)
            sock.shutdown(socket.SHUT_WR)
        return until_closed(sock)
