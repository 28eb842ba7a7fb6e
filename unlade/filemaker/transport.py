"""HTTP to one host and to nowhere else: verified TLS, time-outs, exact counting, typed errors.

Built on httpcore2, the engine under httpx2: its connection pool takes a network backend that can count wire bytes, sends a
request target as it is (container links must stay verbatim, FILEMAKER.md 4.1), keeps no cookies and follows no redirect.
`Accept-Encoding: identity` throughout, because the host's meter counts what it sends before any compression
(FILEMAKER.md 8: the log's payload sizes are those of the plain JSON).
"""

from __future__ import annotations

import errno
import logging
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import httpcore2

from unlade.errors import (
    ConnectionBroken,
    HostTimeout,
    OwnNetworkDown,
    SettingsError,
    SourceError,
    Truncated,
)
from unlade.filemaker.config import FileMakerConfig
from unlade.filemaker.meter import CountingBackend, Meter

#: The wall clock ran that much ahead of the machine's own: the machine slept.
SLEPT = 10.0
#: Idle connections are let go before a usual web server does (Apache: 5 s), so that none closes under a request.
KEEPALIVE = 4.0

_NO_NETWORK = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL}


class Answer:
    """A response whose head is read. Leave nothing open: read `chunks` to the end, or `close`."""

    def __init__(self, response: httpcore2.Response, meter: Meter, trouble: Callable[[Exception], Exception]) -> None:
        self.status = response.status
        self.meter = meter
        self._items = [(k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in response.headers]
        self.headers: Mapping[str, str] = dict(self._items)
        self._response = response
        self._trouble = trouble
        meter.content_length = _length(self.headers)

    def all(self, name: str) -> list[str]:
        """Every value of a header that may come more than once."""
        return [value for key, value in self._items if key == name]

    @property
    def content_type(self) -> str | None:
        return self.headers.get("content-type")

    @property
    def encoded(self) -> bool:
        """The host compressed although it was asked not to."""
        return self.headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}

    def chunks(self) -> Iterator[bytes]:
        """The body, decompressed if need be. Raises `Truncated`, `ConnectionBroken`, `HostTimeout`, `OwnNetworkDown`."""
        try:
            yield from _decoded(self._raw()) if self.encoded else self._raw()
        finally:
            self.close()

    def _raw(self) -> Iterator[bytes]:
        stream = iter(self._response.iter_stream())
        while True:
            try:
                chunk = next(stream, None)
            except _HTTP_ERRORS as error:
                raise self._trouble(error) from None
            if chunk is None:
                self.meter.complete = True
                return
            yield chunk

    def close(self) -> None:
        """Let the connection go; one whose body is not read to the end is closed."""
        self._response.close()


_HTTP_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    OSError,
)


class Transport:
    """Sends requests to the host of `config`. Safe to use from any thread."""

    def __init__(
        self,
        config: FileMakerConfig,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._config = config
        self._clock = clock
        self._monotonic = monotonic
        self._backend = CountingBackend()
        self._read_timeout = config.read_timeout.total_seconds()
        self._connect_timeout = config.connect_timeout.total_seconds()
        host = f"[{config.host}]" if ":" in config.host else config.host
        default = 443 if config.scheme == "https" else 80
        self._host = _ascii(config.host)
        self._host_header = _ascii(host if config.port == default else f"{host}:{config.port}")
        self._pool = httpcore2.ConnectionPool(
            ssl_context=_ssl_context(config),
            max_connections=None,
            max_keepalive_connections=64,
            keepalive_expiry=KEEPALIVE,
            network_backend=self._backend,
        )
        _quieten()

    def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        content: bytes | None = None,
        *,
        container: bool = False,
        read_timeout: float | None = None,
    ) -> Answer:
        """Send one request to `target` (path and query, already encoded) and read the answer's head.

        Raises `ConnectionBroken`, `HostTimeout`, `OwnNetworkDown` with the wire bytes so far, `SourceError` when the
        certificate is not trusted.
        """
        meter = Meter(container, self._monotonic)
        limit = read_timeout or self._read_timeout
        wall, mono = self._clock(), self._monotonic()

        def trouble(error: Exception) -> Exception:
            slept = (self._clock() - wall).total_seconds() - (self._monotonic() - mono) > SLEPT
            # Where the machine's own clock goes on in sleep, a read that outlives its time-out by far tells the same.
            slept = slept or self._monotonic() - meter.quiet_since > limit + self._connect_timeout + SLEPT
            return self._trouble(error, meter, slept)

        self._backend.current.meter = meter
        try:
            response = self._pool.handle_request(self._request(method, target, headers, content, limit))
        except _HTTP_ERRORS as error:
            raise trouble(error) from None
        finally:
            self._backend.current.meter = None
        return Answer(response, meter, trouble)

    def _request(
        self, method: str, target: str, headers: Mapping[str, str], content: bytes | None, read_timeout: float
    ) -> httpcore2.Request:
        fields: dict[bytes | str, bytes | str] = {
            b"Host": self._host_header,
            b"Accept-Encoding": b"identity",
            b"User-Agent": b"unlade",
        }
        fields |= {name.encode("ascii"): value.encode("latin-1") for name, value in headers.items()}
        if content is not None:
            fields[b"Content-Length"] = str(len(content)).encode()
        timeouts = {"connect": self._connect_timeout, "read": read_timeout, "write": read_timeout, "pool": read_timeout}
        url = httpcore2.URL(
            scheme=self._config.scheme.encode(),
            host=self._host,
            port=self._config.port,
            target=target.encode("ascii"),
        )
        return httpcore2.Request(method, url, headers=fields, content=content, extensions={"timeout": timeouts})

    def _trouble(self, error: Exception, meter: Meter, slept: bool) -> Exception:
        """The typed error for what went wrong on the network. Messages of libraries are not passed on: they may quote."""
        host = self._config.host
        if slept:
            return OwnNetworkDown("This machine slept while it waited for the host", wire=meter.owed)
        if refused := _refused_certificate(error):
            return SourceError(
                f"The certificate of {host} is not trusted: {refused}",
                remedy="Put the certificate of its authority into a PEM file and name it in FILEMAKER_CA_FILE.",
            )
        if _own_network(error):
            return OwnNetworkDown(
                f"{host} cannot be reached from here: no name server or no route",
                remedy="Check this machine's network, and the spelling of FILEMAKER_URL.",
                wire=meter.owed,
            )
        if isinstance(error, httpcore2.TimeoutException):
            return HostTimeout(f"{host} did not answer in time", wire=meter.owed)
        if meter.ended and meter.head:
            return Truncated(f"{host} ended its answer early", wire=meter.owed)
        return ConnectionBroken(f"The connection to {host} was refused or broke", wire=meter.owed)

    def close(self) -> None:
        """Let go of all connections. May be called twice."""
        self._pool.close()


def _ssl_context(config: FileMakerConfig) -> ssl.SSLContext:
    context = httpcore2.default_ssl_context()
    if config.ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(config.ca_file))
        except (ssl.SSLError, OSError) as error:
            raise SettingsError(
                f"FILEMAKER_CA_FILE {config.ca_file} cannot be read as certificates",
                remedy="It must hold certificates in PEM form (-----BEGIN CERTIFICATE-----).",
            ) from error
    return context


def _ascii(host: str) -> bytes:
    return host.encode("ascii" if host.isascii() else "idna")


def _length(headers: Mapping[str, str]) -> int | None:
    if "transfer-encoding" in headers:
        return None  # it overrules a Content-Length (RFC 9112 6.3)
    text = headers.get("content-length", "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _decoded(raw: Iterator[bytes]) -> Iterator[bytes]:
    decoder = zlib.decompressobj(wbits=47)  # gzip or zlib, told by its first bytes
    try:
        for chunk in raw:
            yield decoder.decompress(chunk)
        yield decoder.flush()
    except zlib.error:
        raise Truncated("The host compressed its answer in a way that cannot be read") from None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refused_certificate(error: Exception) -> str:
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            return str(cause.verify_message)
    return ""


def _own_network(error: Exception) -> bool:
    return any(
        isinstance(cause, socket.gaierror) or (isinstance(cause, OSError) and cause.errno in _NO_NETWORK)
        for cause in _causes(error)
    )


class _EventOnly(logging.Filter):
    """Leaves of a record of the HTTP engine only which event it is: at DEBUG it would print cookies and tokens."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = str(record.msg).split(" ", 1)[0], ()
        return True


_EVENT_ONLY = _EventOnly()


def _quieten() -> None:
    for name in ("httpcore2.http11", "httpcore2.connection", "httpcore2.proxy"):
        logging.getLogger(name).addFilter(_EVENT_ONLY)  # adding it twice changes nothing
