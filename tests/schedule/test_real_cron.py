"""Debian's cron, for real: in a mount namespace of its own, so that neither this machine's tables nor its jobs are met."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.schedule.projects import project
from tests.voyage.harness import PortMaker, cargo

#: Own tables, own process file, none of the machine's jobs; then cron, then what the test wants to know.
SCRIPT = r"""
set -eu
mount --bind "$SPOOL" /var/spool/cron
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /etc/cron.d
mount --bind /dev/null /etc/crontab
cron -f &
CRON=$!
trap 'kill $CRON' EXIT
printf '5 4 * * * /usr/bin/backup\n' | crontab -
cd /
"$PYTHON" "$REAL/manage.py" filemaker_schedule install images --as cron --every 1m --limit 3 --no-trial
set +e
"$PYTHON" "$TRIED/manage.py" filemaker_schedule install images --as cron --every 6h --limit 100 >"$OUT/said" 2>&1
echo $? >"$OUT/code"
crontab -l >"$OUT/installed"
for i in $(seq 100); do
  grep -qs '"exit": [0-9]' "$REAL/var/log/images.heartbeat.json" && break
  sleep 0.2
done
"$PYTHON" "$REAL/manage.py" filemaker_schedule remove images --as cron
crontab -l >"$OUT/one"
"$PYTHON" "$TRIED/manage.py" filemaker_schedule remove images --as cron
crontab -l >"$OUT/none"
"""


def _can_unshare() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return (
        subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode == 0
    )


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.skipif(shutil.which("cron") is None, reason="cron is not installed (Debian: apt-get install cron)")
def test_cron_starts_what_was_installed(make_port: PortMaker, tmp_path: Path) -> None:
    if not _can_unshare():
        pytest.skip("needs root and mount namespaces, to leave this machine's own tables alone")
    spool, out = tmp_path / "cron", tmp_path / "out"
    for folder in (spool, out):
        folder.mkdir()
    (spool / "crontabs").mkdir(mode=0o1730)
    shutil.chown(spool / "crontabs", "root", "crontab")
    (spool / "crontabs").chmod(0o1730)
    with make_port(cargo(8)) as port:
        real = project(tmp_path / "100% it's a clinic", port)
        tried = project(tmp_path / "another", port)
        plain = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("FILEMAKER_", "UNLADE_", "DJANGO_", "AWS_"))
        }
        places = {"SPOOL": spool, "OUT": out, "REAL": real, "TRIED": tried, "PYTHON": sys.executable}
        done = subprocess.run(
            ["unshare", "-m", "/bin/sh", "-c", SCRIPT],
            env={**plain, **{name: str(path) for name, path in places.items()}},
            capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        said = (out / "said").read_text() + done.stderr
        assert (done.returncode, (out / "code").read_text()) == (0, "0\n"), said
        assert "cron started it" in said and "Its trial went well" in said
        # The real one brought three files, the trial none.
        assert sum(port.downloads().values()) in (3, 6, 8)
        beat = json.loads((real / "var" / "log" / "images.heartbeat.json").read_text())
        assert (beat["exit"], beat["token"]) == (0, "")
        assert "3 unlinked" in (real / "var" / "log" / "images.log").read_text()
        assert (real / "var" / "log" / "images.out").read_text() == ""
    installed, one, none = ((out / name).read_text() for name in ("installed", "one", "none"))
    assert str(tried) in installed and "100\\% it" in installed and "-trial" not in installed
    assert str(tried) in one and "100\\% it" not in one
    assert none == "5 4 * * * /usr/bin/backup\n"
