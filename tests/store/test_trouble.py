"""What users read when S3 refuses. AWS itself cannot be had here, so its documented answers come from a small server."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from tests.store.conformance import facts_of, make
from unlade.errors import SettingsError, StoreBusy, StoreError, StoreRefused, StoreSlow
from unlade.store import LocalStore, aws, iam_policy, open_store

KEYS = {"AWS_ACCESS_KEY_ID": "key-id", "AWS_SECRET_ACCESS_KEY": "key-secret"}


@dataclass
class Answers:
    """What the server says to every request, and what it was asked."""

    status: int = 200
    code: str = ""
    extra: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    endpoint: str = ""
    server: ThreadingHTTPServer = field(init=False)


@pytest.fixture
def aws_says(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answers]:
    answers = Answers()
    monkeypatch.setitem(aws.RETRIES, "max_retries", 0)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answers.asked.append(f"{self.command} {self.path}")
            body = f"<?xml version='1.0'?><Error><Code>{answers.code}</Code><Message>m</Message>{answers.extra}</Error>".encode()
            self.send_response(answers.status)
            for name, value in answers.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    answers.server = server
    thread.start()
    answers.endpoint = f"http://127.0.0.1:{server.server_port}"
    yield answers
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environ(aws_says: Answers) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": aws_says.endpoint, **KEYS}


Put = Callable[[], object]


@pytest.fixture
def put(environ: dict[str, str], tmp_path: Path) -> Put:
    store = open_store("s3://clinic/fm", environ=environ)
    return lambda: store.put("a/1.jpg", make(tmp_path, b"x"), content_type="image/jpeg", facts=facts_of(b"x"))


@pytest.mark.parametrize(
    ("status", "code", "extra", "kind", "message", "remedy"),
    [
        (301, "PermanentRedirect", "", StoreRefused, "lies in eu-west-1, not in us-east-1", "AWS_REGION=eu-west-1"),
        (400, "AuthorizationHeaderMalformed", "<Region>eu-north-1</Region>", StoreRefused, "lies in eu-north-1", "AWS_REGION=eu-north-1"),
        (403, "RequestTimeTooSkewed", "", StoreRefused, "clock is wrong", "NTP"),
        (400, "ExpiredToken", "", StoreRefused, "sign-in has expired", "Sign in again"),
        (403, "AccessDenied", "", StoreRefused, "s3:PutObject is missing", "--iam-policy"),
        (403, "SignatureDoesNotMatch", "", StoreRefused, "secret key is wrong", "AWS_SECRET_ACCESS_KEY"),
        (404, "NoSuchBucket", "", StoreRefused, "bucket clinic does not exist", "UNLADE_STORE"),
        (403, "QuotaExceeded", "", StoreRefused, "quota", "room"),
        (400, "KMS.DisabledException", "", StoreRefused, "key is disabled", "KMS"),
        (503, "SlowDown", "", StoreSlow, "overloaded", "later"),
        (500, "InternalError", "", StoreBusy, "overloaded", "later"),
        (400, "RequestTimeout", "", StoreBusy, "overloaded", "later"),
        (418, "Teapot", "", StoreError, "answered Teapot", ""),
    ],
)  # fmt: skip
def test_each_refusal_names_cause_and_remedy(
    aws_says: Answers, put: Put, status: int, code: str, extra: str, kind: type[StoreError], message: str, remedy: str
) -> None:
    aws_says.status, aws_says.code, aws_says.extra = status, code, extra
    aws_says.headers = {"x-amz-bucket-region": "eu-west-1"}
    with pytest.raises(kind, match=message) as caught:
        put()
    assert type(caught.value) is kind
    assert remedy in caught.value.remedy
    assert "key-secret" not in str(caught.value) + caught.value.remedy


def test_a_refused_head_has_no_body_to_tell_why(aws_says: Answers, environ: dict[str, str]) -> None:
    aws_says.status, aws_says.code = 403, "AccessDenied"
    with pytest.raises(StoreRefused, match="s3:GetObject") as caught:
        open_store("s3://clinic/fm", environ=environ).head("a")
    assert "s3:ListBucket" in caught.value.remedy


def test_the_probe_reports_and_stops_at_a_refused_write(aws_says: Answers, environ: dict[str, str]) -> None:
    aws_says.status, aws_says.code = 403, "AccessDenied"
    report = open_store("s3://clinic/fm", environ=environ).probe()
    assert [(finding.name, finding.level) for finding in report.findings] == [("write", "error")]
    assert all(" /clinic/fm/.unlade/probe-" in line for line in aws_says.asked)
    with pytest.raises(StoreRefused, match="s3:PutObject"):
        report.check()


def test_a_sign_in_that_has_expired_names_the_command(
    aws_says: Answers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "config").write_text(
        "[profile clinic]\nsso_session = s\nsso_account_id = 1\nsso_role_name = r\nregion = eu-west-1\n"
        "[sso-session s]\nsso_start_url = https://x.invalid/start\nsso_region = eu-west-1\n"
    )
    environ = {
        "AWS_PROFILE": "clinic",
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "AWS_ENDPOINT_URL": aws_says.endpoint,
    }
    report = open_store("s3://clinic/fm", environ=environ).probe()
    assert isinstance(report.error, StoreRefused)
    assert "aws sso login --profile clinic" in report.error.remedy
    assert aws_says.asked == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "empty"), ("ftp://x/y", "no kind of store"), ("s3:///x", "names no bucket"), ("s3://key:secret@bucket/x", "more in it"),
        ("s3://bucket/x?endpoint=y", "more in it"), ("file://host/x", "names a host"),
    ],
)  # fmt: skip
def test_urls_that_make_no_sense(url: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        open_store(url, environ={})
    assert "secret" not in str(caught.value)


def test_a_folder_by_url_and_by_path(tmp_path: Path) -> None:
    for url in (
        (tmp_path / "a b").as_uri(),
        str(tmp_path / "a b"),
        (tmp_path / "a b").as_uri().replace("file://", "file://localhost"),
    ):
        store = open_store(url, environ={})
        assert isinstance(store, LocalStore) and store.root == tmp_path / "a b"


def test_an_endpoint_without_a_scheme() -> None:
    with pytest.raises(SettingsError, match="endpoint"):
        open_store("s3://clinic/fm", environ={"AWS_ENDPOINT_URL": "127.0.0.1:9", **KEYS})


def test_a_ca_file_that_is_not_there(environ: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="AWS_CA_BUNDLE"):
        open_store("s3://clinic/fm", environ={**environ, "AWS_CA_BUNDLE": "/no/such.pem"})


def test_an_own_authority_is_trusted_when_it_is_named(aws_says: Answers, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    aws_says.server.socket = context.wrap_socket(aws_says.server.socket, server_side=True)
    aws_says.status, aws_says.code = 403, "InvalidAccessKeyId"
    environ = {"AWS_ENDPOINT_URL": aws_says.endpoint.replace("http:", "https:")} | KEYS
    with pytest.raises(StoreRefused, match="not trusted") as caught:
        open_store("s3://clinic/fm", environ=environ).probe().check()
    assert "AWS_CA_BUNDLE" in caught.value.remedy
    with pytest.raises(StoreRefused, match="access key does not exist"):
        open_store("s3://clinic/fm", environ={**environ, "AWS_CA_BUNDLE": str(tmp_path / "ca.pem")}).probe().check()


@pytest.mark.parametrize(
    ("endpoint", "kind", "message"),
    [
        ("http://nowhere.invalid", StoreBusy, "cannot be resolved"),
        ("http://127.0.0.1:9", StoreBusy, "does not answer"),
    ],
)
def test_endpoints_that_do_not_work(
    endpoint: str, kind: type[StoreError], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(aws.RETRIES, "max_retries", 0)
    with pytest.raises(kind, match=message):
        open_store("s3://clinic/fm", environ={"AWS_ENDPOINT_URL": endpoint, **KEYS}).probe().check()


def test_the_least_policy_covers_the_prefix_and_removes_only_probes() -> None:
    policy = json.loads(iam_policy("s3://clinic/fm/images"))
    by_action = {
        action: statement["Resource"]
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }
    assert by_action["s3:PutObject"] == by_action["s3:GetObject"] == "arn:aws:s3:::clinic/fm/images/*"
    assert by_action["s3:DeleteObject"] == "arn:aws:s3:::clinic/fm/images/.unlade/probe-*"
    assert by_action["s3:ListBucket"] == "arn:aws:s3:::clinic"
    assert policy["Statement"][0]["Condition"] == {"StringLike": {"s3:prefix": ["fm/images", "fm/images/*"]}}
    with pytest.raises(SettingsError):
        iam_policy("file:///x")


@pytest.mark.parametrize("url", ["az://container/x"])
def test_other_providers_name_their_own_variables(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_CONNECTION_STRING"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError) as caught:
        open_store(url, environ={})
    assert "AZURE_STORAGE_ACCOUNT_NAME" in caught.value.remedy
