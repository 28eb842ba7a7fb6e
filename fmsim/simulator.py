"""The simulator inside a test: its own thread and event loop, a free loopback port, and handles on its time and sessions."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar

from fmsim.clock import Clock
from fmsim.dataset import DataSet
from fmsim.folder import read
from fmsim.host import Host, Settings
from fmsim.streaming import MODES, Mode
from fmsim.switches import Switches
from fmsim.wire import Connection

T = TypeVar("T")


class Simulator:
    """A FileMaker host for as long as the `with` block lasts.

    Args:
        dataset: a DataSet, or the path of a data set folder.
        streaming: `open`, `protected`, `bearer` or `first-hit` (CONTRACT A5).
        latency: seconds before every answer.
        bandwidth: bytes a second of the whole host; None: unlimited.
        switches: values by name; `Switches` documents them.
        faults: a fault plan.
        meter_limit: bytes that may be sent before error 953.
        tls: speak TLS, with a certificate of an authority made for this run (`ca_file`).
        seed: of everything that looks random.
        port: 0 takes a free one.
        clock: gives seconds since the epoch; `advance` moves it on.

    Raises:
        ValueError: a switch, fault rule, mode or data set that is not understood.
    """

    def __init__(
        self,
        dataset: DataSet | str | Path,
        *,
        streaming: str = "protected",
        latency: float = 0.0,
        bandwidth: float | None = None,
        switches: Mapping[str, Any] | Iterable[str] = (),
        faults: Iterable[Any] = (),
        meter_limit: int | None = None,
        tls: bool = False,
        seed: int = 1,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        mode: Mode | None = next((known for known in MODES if known == streaming), None)
        if mode is None:
            raise ValueError(f"streaming is one of {', '.join(MODES)}; not {streaming!r}")
        self.data = dataset if isinstance(dataset, DataSet) else read(Path(dataset))
        self._settings = Settings(mode, latency, bandwidth, Switches.of(switches), list(faults), meter_limit, seed)
        self._port, self._tls = port, tls
        self.clock = Clock(clock)
        self._connections: set[Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self.ca_file: str | None = None  #: of the authority that signed the certificate, with `tls`
        self.url = ""
        self._server: asyncio.Server | None = None

    # its life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Listens; returns when it can be reached.

        Raises:
            OSError: the port is taken.
        """
        context = self._context() if self._tls else None
        self._thread = threading.Thread(target=self._loop.run_forever, name="fmsim", daemon=True)
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(context), self._loop).result(30)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Closes every connection and the port."""
        if self._thread is not None and self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(30)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(30)
        if not self._loop.is_running() and not self._loop.is_closed():
            self._loop.close()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    async def _listen(self, context: ssl.SSLContext | None) -> None:
        self._server = await self._loop.create_server(
            lambda: Connection(lambda request, connection: self.host.handle(request, connection), self._connections),
            "127.0.0.1",
            self._port,
            ssl=context,
            backlog=512,
        )
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        self.host = Host(self.data, self._settings, self.clock, self.url)

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.kill()
        await asyncio.sleep(0)
        pending = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        await asyncio.gather(*pending, return_exceptions=True)

    def _context(self) -> ssl.SSLContext:
        import trustme  # only those who ask for TLS need it

        authority = trustme.CA()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("localhost", "127.0.0.1", "::1").configure_cert(context)
        self._folder = tempfile.TemporaryDirectory(prefix="fmsim-")
        path = Path(self._folder.name) / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        self.ca_file = str(path)
        return context

    def _ask(self, question: Callable[[], T]) -> T:
        """Runs a function in the simulator's own thread, between two steps of its loop."""

        async def answer() -> T:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(30)

    # who may log in

    @property
    def database(self) -> str:
        return self.data.database

    @property
    def _account(self) -> Any:
        return next((a for a in self.data.accounts if "fmrest" in a.privileges), self.data.accounts[0])

    @property
    def account(self) -> str:
        """The first account that may use the Data API."""
        return str(self._account.name)

    @property
    def password(self) -> str:
        host = getattr(self, "host", None)  # nobody has changed it before the start
        return str((host.sessions.passwords if host else {}).get(self.account, self._account.password))

    def claris_token(self, minutes: float = 60.0) -> str:
        """A Claris ID token that the simulator takes for so long."""
        return self._ask(lambda: self.host.people.id_token(self.account, minutes, self.clock.now()))

    def cognito(self) -> dict[str, Any]:
        """The object of `GET /-/cognito`: calls of the identity service, each account's codes, devices and tokens."""
        return self._ask(self.host.people.as_json)

    def change_account(self, name: str = "", **wishes: Any) -> None:
        """As `PUT /-/cognito`: `mfa="totp"`, `revoke=True`, `password="new"`, ... of an account (the first one).

        A new password holds for FileMaker accounts (Basic) and Claris IDs alike.

        Raises:
            ValueError: an account or a wish that is not known.
        """
        self._ask(lambda: self.host.change_account(name or self.account, wishes))

    # what tests look at and turn

    def stats(self) -> dict[str, Any]:
        """The object of `GET /-/stats`."""
        return self._ask(self.host.statistics)

    def log(self) -> list[dict[str, Any]]:
        """The lines of `GET /-/log`."""
        return self._ask(lambda: [entry.as_json() for entry in self.host.stats.entries])

    def reset(self) -> None:
        """As `POST /-/reset`."""
        self._ask(self.host.reset)

    def set_faults(self, rules: Iterable[Any]) -> None:
        """As `PUT /-/faults`: rules count from the start or the last reset on, not from now (see fmsim.faults).

        Raises:
            ValueError: a rule is not understood.
        """
        self._ask(lambda: self.host.set_faults(rules))

    def advance(self, seconds: float) -> None:
        """Moves the host's clock on: sessions grow idle, tokens and links age, fault windows close."""
        self._ask(lambda: self.clock.advance(seconds))

    def expire_sessions(self) -> None:
        """As if every session had been idle for too long."""
        self._ask(self.host.sessions.expire_all)

    def kill_sessions(self) -> None:
        """As after a restart of the host: no token is known any more."""
        self._ask(self.host.sessions.end_all)
