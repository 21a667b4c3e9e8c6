"""Certificates are verified, and a further authority (the one of MAX) can be trusted by a setting."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from index.domain.source import SourceState
from tests.crawlers.conftest import Stand

ANSWER = b'{"messages": []}'


class Max(http.server.BaseHTTPRequestHandler):
    """A MAX without messages."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate of an authority nobody knows, for 127.0.0.1, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path / "ca.pem"
    path.write_bytes(secret + built.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture
def secure_max(certificate: Path) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Max)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"https://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_rest(seconds: float) -> None: ...

    monkeypatch.setattr("crawlers.pace.rest", no_rest)


def test_a_certificate_nobody_vouches_for_is_refused(stand: Stand, secure_max: str) -> None:
    stand.overrides["max_api_url"] = secure_max
    source = stand.watch("max", "-1", with_comments=False)
    stand.crawl(source)
    assert stand.health(source).state is SourceState.FAILING


def test_the_authority_of_the_setting_is_trusted(stand: Stand, secure_max: str, certificate: Path) -> None:
    stand.overrides |= {"max_api_url": secure_max, "max_ca_file": str(certificate)}
    source = stand.watch("max", "-1", with_comments=False)
    stand.crawl(source)
    assert stand.health(source).state is SourceState.FINE
