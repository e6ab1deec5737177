"""Free ports on 127.0.0.1."""
import random
import socket

_given = set()


def free_port() -> int:
    """A port that nothing listens on, below the kernel's range for outgoing connections."""
    while True:
        port = random.randrange(20_000, 32_000)
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
