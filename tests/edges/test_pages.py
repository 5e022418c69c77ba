"""The pages that texts name: looked for once a day, left out when they are not there."""

import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jobs import links as job
from jobs import tasks
from notifier import catalog, links, runtime
from notifier.catalog.links import Links
from notifier.clock import real
from notifier.core.vocabulary import Channel
from notifier.models import PageCheck


class Site:
    """The pharmacy's own web site, over https, with pages that come and go."""

    def __init__(self, folder: Path) -> None:
        self.answers: dict[str, tuple[int, str]] = {}
        self.seen: list[str] = []
        self.certificate = folder / "site.pem"
        self.certificate.write_bytes(_certificate())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(timeout=10)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.seen.append(self.path)
                status, to = site.answers.get(self.path, (404, ""))
                self.send_response(status)
                if to:
                    self.send_header("Location", to)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    kept = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return kept + made.public_bytes(serialization.Encoding.PEM)


@pytest.fixture
def site(tmp_path, monkeypatch):
    one = Site(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(one.certificate))
    yield one
    one.stop()


@pytest.fixture
def own(clinic, site, tmp_path):
    """The pharmacy has pages of its own: the process is started anew with its folder."""
    folder = tmp_path / "catalog"
    folder.mkdir()
    pages = "\n".join(f'{page} = ""' for page in ("home_infusion", "first_dose_checklist", "caregiver_checklist"))
    (folder / "links.toml").write_text(
        f'domains = ["localhost"]\n[en]\n{pages}\nline_care = ""\n'
        f'when_to_call = "{site.url}/when-to-call"\ncontact = "{site.url}/contact"\n'
    )
    parts = runtime.current()
    object.__setattr__(parts, "catalog", catalog.load(folder))
    return parts.catalog


def seen(url: str) -> PageCheck:
    with runtime.reading() as session:
        return session.get_one(PageCheck, url)


def test_a_text_names_a_page_that_is_there_and_the_number_when_it_is_gone(clinic, own, site):
    ivy = clinic.active("Ivy")
    ivy.texts("HELP")
    assert "https://" not in ivy.last  # nobody has looked yet
    site.answers["/contact"] = (200, "")
    tasks.look_for_pages()
    clinic.world.clock.passes(minutes=10)
    ivy.texts("HELP")
    assert ivy.last.endswith(f" More: {site.url}/contact")
    with runtime.transaction() as session:
        for url in own.links.urls():
            links.record(session, url, None, real_now=real() - timedelta(days=1))
    del site.answers["/contact"]
    tasks.look_for_pages()
    assert seen(f"{site.url}/contact").why == "it answers 404"
    clinic.world.clock.passes(minutes=10)
    ivy.texts("HELP")
    assert "https://" not in ivy.last
    assert "800-555-0100" in ivy.last


def test_a_message_of_the_journey_names_its_page_and_an_urgent_answer_never_does(clinic, own, site):
    site.answers |= {"/when-to-call": (200, ""), "/contact": (200, "")}
    tasks.look_for_pages()
    ivy = clinic.patient("Ivy", welcomed=True)
    clinic.ordered(ivy, "2026-11-24 10:00")
    clinic.verified(ivy)
    values = {"brand": "Pharmko", "phone": "+18005550100"}
    with runtime.reading() as session:
        there = links.alive(session)
    assert own.render("M13", "en", Channel.SMS, values, there).endswith(f" More: {site.url}/when-to-call")
    assert own.render("M13", "es", Channel.SMS, values, there).endswith(f" Vea: {site.url}/when-to-call")
    ivy.texts("I have a fever of 102")
    assert "https://" not in ivy.last


def test_each_page_is_looked_for_once_a_day_and_a_lost_one_each_hour(clinic, own, site):
    site.answers["/contact"] = (200, "")
    tasks.look_for_pages()
    tasks.look_for_pages()
    assert sorted(site.seen) == ["/contact", "/when-to-call"]
    with runtime.reading() as session:
        urls, later = own.links.urls(), real() + timedelta(hours=1)
        assert links.due(session, urls, later) == [f"{site.url}/when-to-call"]
        assert links.due(session, urls, real() + timedelta(days=1)) == urls
        assert [row.url for row in links.lost(session, urls)] == [f"{site.url}/when-to-call"]


def test_a_page_that_leads_elsewhere_is_not_ours(site):
    named = Links(("localhost",), {})
    site.answers |= {
        "/moved": (301, "/there"),
        "/there": (200, ""),
        "/sold": (302, f"https://127.0.0.1:{site.server.server_port}/there"),
        "/plain": (302, "http://localhost:9/"),
    }
    assert job.missing(f"{site.url}/moved", named) is None
    assert job.missing(f"{site.url}/sold", named) is not None
    assert job.missing(f"{site.url}/plain", named) is not None
    assert "does not answer" in job.missing("https://localhost:9/", named)


def test_a_rehearsal_never_knocks_at_the_real_pages(clinic):
    tasks.look_for_pages()  # under a clock of its own, with the pages that are shipped
    with runtime.reading() as session:
        assert session.query(PageCheck).count() == 0
