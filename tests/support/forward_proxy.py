"""A forward proxy that leads every host to the service under test, for clients whose host is fixed.

It speaks TLS with a certificate of its own, as `CONNECT` to it and as a proxy that is itself asked
over TLS: old clients do the latter.
"""

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOSTS = ("localhost", "rest.akismet.com", "*.rest.akismet.com", "commentanalyzer.googleapis.com")

_HANDSHAKE = b"\x16"


@dataclass(frozen=True, slots=True)
class ForwardProxy:
    """Where it listens, and the file with its certificate, which a client has to trust."""

    url: str
    certificate: Path


@contextmanager
def running_proxy(folder: Path, service: tuple[str, int]) -> Iterator[ForwardProxy]:
    """A proxy in front of the service at this address and port."""
    certificate = _make_certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(
            target=_accept, args=(listening, context, service), name="proxy", daemon=True
        ).start()
        yield ForwardProxy(f"http://127.0.0.1:{listening.getsockname()[1]}", certificate)
        # Wakes the thread, which `close` alone would not.
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)


def _accept(listening: socket.socket, context: ssl.SSLContext, service: tuple[str, int]) -> None:
    while True:
        try:
            client, _ = listening.accept()
        except OSError:
            return
        threading.Thread(
            target=_serve, args=(client, context, service), name="proxied", daemon=True
        ).start()


def _serve(client: socket.socket, context: ssl.SSLContext, service: tuple[str, int]) -> None:
    """Pass on one connection, asked in one of the two ways."""
    with suppress(OSError), client:
        client.settimeout(30)
        if client.recv(1, socket.MSG_PEEK) == _HANDSHAKE:
            with context.wrap_socket(client, server_side=True) as secret:
                _pass_on(secret, _relative(_head(secret)), service)
            return
        head = _head(client)
        if head.startswith(b"CONNECT "):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            with context.wrap_socket(client, server_side=True) as secret:
                _pass_on(secret, b"", service)
        else:
            _pass_on(client, _relative(head), service)


def _head(client: socket.socket) -> bytes:
    """The first bytes of a request, up to the end of its headers and perhaps beyond."""
    read = b""
    while b"\r\n\r\n" not in read:
        more = client.recv(65_536)
        if not more:
            break
        read += more
    return read


def _relative(head: bytes) -> bytes:
    """The request as the server itself wants it, without the host in its first line."""
    line, _, rest = head.partition(b"\r\n")
    method, address, version = line.split(b" ")
    parts = urlsplit(address.decode())
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    return b" ".join([method, path.encode(), version]) + b"\r\n" + rest


def _pass_on(client: socket.socket, head: bytes, service: tuple[str, int]) -> None:
    with socket.create_connection(service) as server:
        server.sendall(head)
        back = threading.Thread(target=_copy, args=(server, client), daemon=True)
        back.start()
        _copy(client, server)
        back.join(30)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _make_certificate(folder: Path) -> Path:
    """A file with a key and a certificate that it signed itself, for `HOSTS`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.DNSName(host) for host in HOSTS]
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([*names, address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    path = folder / "proxy.pem"
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(pem)
    )
    return path
