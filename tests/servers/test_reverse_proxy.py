"""The recommended settings of nginx and Caddy, started before a running server: TLS, passwords, limits, headers."""

import gzip
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conftest import free_port, missing
from tests.eventually import PATIENCE_S, eventually
from tests.listening import listens
from tests.repository import REPOSITORY
from tests.servers import test_serve
from wildpost.broker.certificates import make_authority, make_broker_certificate

NAME, PASSWORD = "reserve.example", ("ranger", "a-password-of-a-test")
ACCOUNT_PASSWORD = "correct horse battery"
SETTINGS = REPOSITORY / "configs" / "proxy"
SERVER_HEADERS = ("x-content-type-options", "content-security-policy", "cache-control")


@dataclass
class Front:
    """A running proxy, the server behind it, and a client that trusts the proxy's certificate."""

    client: httpx.Client
    port: int
    plain_port: int
    context: ssl.SSLContext
    pages: subprocess.Popen[str]

    @property
    def origin(self) -> str:
        return f"https://{NAME}:{self.port}"

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Send a request to the proxy under the name of the pages."""
        headers = {"host": f"{NAME}:{self.port}"} | more.pop("headers", {})
        extensions = {"sni_hostname": NAME}
        return self.client.request(method, path, headers=headers, extensions=extensions, **more)

    def connect(self) -> ssl.SSLSocket:
        """Open a TLS connection to the proxy."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)
        return self.context.wrap_socket(plain, server_hostname=NAME)


def program(name: str, package: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if found is None:
        missing(f"{name} is not installed (Debian: apt-get install {package})")
    assert found
    return found


def replaced(text: str, changes: dict[str, str]) -> str:
    """Return settings with the places that an operator changes; each must be there."""
    for old, new in changes.items():
        assert old in text, f"the recommended settings have no {old!r}"
        text = text.replace(old, new)
    return text


def nginx(folder: Path, port: int, plain: int, pages: int) -> tuple[list[str], list[str]]:
    """Write nginx's settings; return the commands that check and run them."""
    (folder / "pages.htpasswd").write_text(":{PLAIN}".join(PASSWORD) + "\n")
    changes = {"/etc/wildpost/": f"{folder}/", "127.0.0.1:8420": f"127.0.0.1:{pages}"}
    changes |= {"listen [::]:80;": "", "listen [::]:443 ssl default_server;": "", "listen [::]:443 ssl http2;": ""}
    changes |= {"listen 80;": f"listen 127.0.0.1:{plain};", "listen 443 ssl": f"listen 127.0.0.1:{port} ssl"}
    (folder / "wildpost.conf").write_text(replaced((SETTINGS / "nginx.conf").read_text(), changes))
    temporary = "".join(f"{part}_temp_path {folder}/{part};\n" for part in ("proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;\n" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off;\n{user}pid {folder}/pid;\nerror_log {folder}/log;\nevents {{ }}\nhttp {{\naccess_log off;\n"
        f"client_body_temp_path {folder}/body;\n{temporary}include {folder}/wildpost.conf;\n}}\n"
    )
    command = [program("nginx", "nginx-light"), "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]
    return [*command, "-t"], command


def caddy(folder: Path, port: int, plain: int, pages: int) -> tuple[list[str], list[str]]:
    """Write Caddy's settings; return the commands that check and run them."""
    found = program("caddy", "caddy")
    hashed = subprocess.run(
        [found, "hash-password", "--plaintext", PASSWORD[1]], capture_output=True, text=True, check=True
    ).stdout.strip()
    changes = {"/etc/wildpost/tls/": f"{folder}/tls/", "127.0.0.1:8420 {": f"127.0.0.1:{pages} {{"}
    changes |= {"$2a$14$REPLACE.THIS.HASH": hashed, "\nreserve.example {": f"\n{NAME}:{port} {{\n\tbind 127.0.0.1"}
    changes |= {"admin off": f"admin off\n\thttp_port {plain}\n\thttps_port {port}\n\tdefault_bind 127.0.0.1"}
    changes |= {"\n\tdefault_bind 127.0.0.1": ""}
    (folder / "Caddyfile").write_text(replaced((SETTINGS / "Caddyfile").read_text(), changes))
    words = ["--config", f"{folder}/Caddyfile", "--adapter", "caddyfile"]
    return [found, "validate", *words], [found, "run", *words]


def answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a program listens on a port."""
    eventually(lambda: listens(port) or process.poll() is not None, f"a program on port {port}; its output: {log}")
    assert process.poll() is None, log.read_text()


@pytest.fixture(scope="module", params=[nginx, caddy], ids=["nginx", "caddy"])
def front(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("proxy")
    authority = make_authority("Test")
    certificate = make_broker_certificate(authority, [NAME])
    (folder / "tls").mkdir()
    (folder / "tls" / "fullchain.pem").write_bytes(certificate.certificate)
    (folder / "tls" / "privkey.pem").write_bytes(certificate.key)
    context = ssl.create_default_context(cadata=authority.certificate.decode())
    port, plain, pages = free_port(), free_port(), free_port()
    write: Callable[[Path, int, int, int], tuple[list[str], list[str]]] = request.param
    check, run = write(folder, port, plain, pages)
    environment = os.environ | {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    checked = subprocess.run(check, capture_output=True, text=True, check=False, env=environment)
    assert checked.returncode == 0, checked.stderr
    (folder / "data").mkdir()
    settings = folder / "server.toml"
    settings.write_text(
        f'[broker]\nport = 9\n[web]\nport = {pages}\nproxies = ["127.0.0.1"]\n[review]\nhosts = ["{NAME}"]\n'
    )
    command = [*test_serve.WILDPOST, "serve", str(settings), "--data", str(folder / "data")]
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, text=True)
        proxy = subprocess.Popen(run, stdout=output, stderr=output, env=environment)
    try:
        answers(pages, server, folder / "output")  # type: ignore[arg-type]
        answers(port, proxy, folder / "output")
        with httpx.Client(
            base_url=f"https://127.0.0.1:{port}", verify=context, trust_env=False, auth=PASSWORD, timeout=PATIENCE_S
        ) as client:
            found = Front(client, port, plain, context, server)
            assert found.ask("GET", "/api/events").status_code == 401
            test_serve.add_administrator(folder / "data", ACCOUNT_PASSWORD)
            form = {"name": "zhao", "password": ACCOUNT_PASSWORD}
            answer = found.ask("POST", "/sign-in", data=form, headers={"origin": found.origin})
            assert answer.headers["set-cookie"].startswith("__Host-wildpost="), answer.text
            yield found
    finally:
        for process in (proxy, server):
            process.terminate()
            process.wait(PATIENCE_S)


def test_a_reader_with_the_password_sees_the_pages_over_tls(front: Front) -> None:
    answer = front.ask("GET", "/?lang=en", headers={"accept": "text/html"})
    assert answer.status_code == 200
    assert "<html" in answer.text
    assert answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "Secure" in answer.headers["set-cookie"]
    assert front.ask("GET", "/", auth=None).status_code == 401
    assert front.ask("GET", "/", auth=("ranger", "wrong")).status_code == 401


def test_a_decision_from_the_pages_own_origin_is_taken_and_from_others_refused(front: Front) -> None:
    body = {"event_id": "none", "outcome": "confirmed"}
    codes = {
        origin: front.ask("POST", "/verdicts", json=body, headers={"origin": origin}).status_code
        for origin in (front.origin, front.origin.replace("https", "http"), "https://evil.example", f"https://{NAME}")
    }
    assert list(codes.values()) == [404, 403, 403, 403], codes


@pytest.mark.parametrize(
    ("method", "path", "more", "code"),
    [
        ("GET", "/", {}, 200),
        ("GET", "/nothing", {}, 404),
        ("GET", "/", {"auth": None}, 401),
        ("DELETE", "/", {}, 405),
        ("POST", "/verdicts", {"content": bytes(70_000)}, 413),
        ("POST", "/verdicts", {"content": bytes(1_000_000)}, 413),
        ("GET", "/healthz", {}, 404),
        ("GET", "/metrics", {}, 404),
    ],
)
def test_every_answer_has_each_security_header_once(
    front: Front, method: str, path: str, more: dict[str, Any], code: int
) -> None:
    answer = front.ask(method, path, headers={"origin": front.origin}, **more)
    assert answer.status_code == code
    for name in SERVER_HEADERS:
        assert len(answer.headers.get_list(name)) == 1, name


def test_no_client_can_claim_an_address_a_scheme_or_a_host(front: Front) -> None:
    claims = {"x-forwarded-proto": "http", "x-forwarded-host": "evil.example", "x-forwarded-for": "127.0.0.1"}
    answer = front.ask("GET", "/?lang=en", headers=claims | {"forwarded": "proto=http;host=evil.example"})
    assert answer.status_code == 200
    assert "strict-transport-security" in answer.headers
    assert "evil" not in answer.text


def test_another_name_is_not_answered(front: Front) -> None:
    refused = False
    try:
        answer = front.ask("GET", "/", headers={"host": "evil.example"})
        refused = answer.status_code in (404, 421) or not answer.content
    except httpx.TransportError:
        refused = True
    assert refused
    with pytest.raises((ssl.SSLError, OSError)), socket.create_connection(("127.0.0.1", front.port)) as plain:
        front.context.wrap_socket(plain, server_hostname="evil.example")


def test_without_tls_a_reader_is_sent_to_tls(front: Front) -> None:
    answer = httpx.get(f"http://127.0.0.1:{front.plain_port}/trends", headers={"host": NAME}, trust_env=False)
    assert answer.status_code in (301, 308)
    assert answer.headers["location"].startswith(f"https://{NAME}")


def test_pages_are_compressed(front: Front) -> None:
    headers = {"accept-encoding": "gzip", "accept": "text/html"}
    with front.client.stream(
        "GET", "/", headers=headers | {"host": f"{NAME}:{front.port}"}, extensions={"sni_hostname": NAME}
    ) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert b"<html" in gzip.decompress(b"".join(answer.iter_raw()))


def test_a_connection_without_a_request_is_closed(front: Front) -> None:
    with front.connect() as silent:
        silent.sendall(b"GET / HTTP/1.1\r\nHost: reserve.example\r\nX: ")
        silent.settimeout(45)  # nginx's own limit is 60 s
        assert b" 200 " not in silent.recv(1000)


def test_headers_that_are_too_large_are_refused(front: Front) -> None:
    answer = front.ask("GET", "/", headers={"x": "a" * 40_000})
    assert answer.status_code in (400, 414, 431)


def test_while_the_server_is_down_the_proxy_says_so(front: Front) -> None:
    """The last test of each proxy: it ends the server."""
    front.pages.terminate()
    front.pages.wait(PATIENCE_S)
    answer = front.ask("GET", "/")
    assert answer.status_code == 502
    assert answer.headers["cache-control"] == "no-store"
