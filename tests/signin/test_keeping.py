"""Where a sign-in lies: a private file, or the keyring in pieces; and who can read it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import keyring
import pytest
from keyring.backends.fail import Keyring as NoKeyring
from keyring.backends.null import Keyring as NullKeyring

from tests.signin.conftest import Strongbox, text_of
from unlade.errors import SettingsError
from unlade.filemaker.claris import SignIn
from unlade.filemaker.cognito import Device
from unlade.signin.keeping import Keeping
from unlade.signin.keyrings import open_keyring

NOW = datetime(2026, 11, 25, 8, tzinfo=UTC)
DEVICE = Device("us-west-2_1f", "-group", "device-s3cret")
SIGN_IN = SignIn("ada@clinic.example", "us-west-2_P", "client", NOW, "refresh-s3cret" * 150, DEVICE)


@pytest.fixture
def keeping(tmp_path: Path) -> Keeping:
    return Keeping(tmp_path / "state" / "sign-in.json", "file")


def test_a_file_for_its_owner_alone(keeping: Keeping) -> None:
    assert keeping.head() is None and keeping.load() is None and keeping.fingerprint() == ""
    head = keeping.save(SIGN_IN)
    assert keeping.load() == SIGN_IN
    assert (head.kept_in, head.device, head.good_until.year) == ("file", True, 2027)
    if os.name != "nt":
        assert keeping.path.stat().st_mode & 0o777 == 0o600
        assert keeping.path.parent.stat().st_mode & 0o777 == 0o700
        assert not keeping.open_to_others
        keeping.path.chmod(0o644)
        assert keeping.open_to_others
    assert [path.name for path in keeping.path.parent.iterdir()] == ["sign-in.json"]
    keeping.delete()
    keeping.delete()
    assert keeping.load() is None


def test_nothing_but_the_file_shows_a_secret(keeping: Keeping) -> None:
    head = keeping.save(SIGN_IN)
    shown = text_of(head) + text_of(SIGN_IN) + keeping.where(head) + keeping.fingerprint()
    assert "s3cret" not in shown


def test_a_mark_changes_no_fingerprint_and_a_new_sign_in_does(keeping: Keeping) -> None:
    keeping.save(SIGN_IN)
    before = keeping.fingerprint()
    keeping.save(replace(SIGN_IN, over="was ended", over_at=NOW))
    assert keeping.fingerprint() == before
    head = keeping.head()
    assert head is not None and (head.over, head.over_at) == ("was ended", NOW)
    keeping.save(replace(SIGN_IN, refresh_token="another"))
    assert keeping.fingerprint() != before
    assert keeping.load() == replace(SIGN_IN, refresh_token="another")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"account": 3}'])
def test_a_broken_file_says_what_to_do_and_gives_way_to_a_new_sign_in(keeping: Keeping, text: str) -> None:
    keeping.path.parent.mkdir()
    keeping.path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        keeping.load()
    assert "filemaker_login" in caught.value.remedy
    keeping.save(SIGN_IN)
    assert keeping.load() == SIGN_IN


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="written") as caught:
        Keeping(tmp_path / "file" / "sign-in.json", "file").save(SIGN_IN)
    assert "UNLADE_SIGN_IN_FILE" in caught.value.remedy and "s3cret" not in str(caught.value)


def test_the_keyring_holds_the_secrets_and_the_file_none(tmp_path: Path, strongbox: Strongbox) -> None:
    keeping = Keeping(tmp_path / "sign-in.json")
    head = keeping.save(SIGN_IN)
    assert head.kept_in == "keyring" and head.pieces == len(strongbox.entries) == 3
    assert keeping.load() == SIGN_IN
    assert "s3cret" not in keeping.path.read_text() and "secrets" not in json.loads(keeping.path.read_text())
    keeping.save(replace(SIGN_IN, over="was ended", over_at=NOW))
    assert len(strongbox.entries) == 3
    keeping.save(replace(SIGN_IN, refresh_token="short"))
    assert len(strongbox.entries) == 1  # what the former one left is gone
    assert keeping.load() == replace(SIGN_IN, refresh_token="short")
    keeping.delete()
    assert strongbox.entries == {} and not keeping.path.exists()


def test_from_the_keyring_into_a_file_and_back(tmp_path: Path, strongbox: Strongbox) -> None:
    keeping = Keeping(tmp_path / "sign-in.json")
    keeping.save(SIGN_IN)
    assert keeping.save(SIGN_IN, "file").kept_in == "file"
    assert strongbox.entries == {} and keeping.load() == SIGN_IN
    keeping.save(SIGN_IN, "keyring")
    assert strongbox.entries and "s3cret" not in keeping.path.read_text()
    assert keeping.load() == SIGN_IN


def test_a_keyring_that_is_locked_empty_or_gone_names_the_way_out(tmp_path: Path, strongbox: Strongbox) -> None:
    keeping = Keeping(tmp_path / "sign-in.json")
    keeping.save(SIGN_IN)
    strongbox.locked = True
    with pytest.raises(SettingsError, match="cannot be opened") as caught:
        keeping.load()
    assert "--keep file" in caught.value.remedy and "s3cret" not in text_of(caught.value)
    strongbox.locked = False
    strongbox.entries.clear()
    with pytest.raises(SettingsError, match="no longer in the keyring"):
        keeping.load()
    keyring.set_keyring(NoKeyring())
    with pytest.raises(SettingsError, match="no keyring here") as caught:
        keeping.load()
    assert "--keep file" in caught.value.remedy


def test_a_keyring_that_forgets_is_found_out_at_once(tmp_path: Path, strongbox: Strongbox) -> None:
    strongbox.forgetful = True
    with pytest.raises(SettingsError, match="does not give back"):
        Keeping(tmp_path / "sign-in.json").save(SIGN_IN)
    assert not (tmp_path / "sign-in.json").exists()


def test_only_keyrings_that_guard_are_taken(strongbox: Strongbox) -> None:
    assert open_keyring() is not None

    class Plain(Strongbox):
        priority = 0.5  # type: ignore[assignment]

    class Chain(Strongbox):
        priority = 10  # type: ignore[assignment]
        backends: list[object]

    chain = Chain()
    for backend in (NoKeyring(), NullKeyring(), Plain(), chain):
        chain.backends = [Plain(), NullKeyring()]
        keyring.set_keyring(backend)
        assert open_keyring() is None
    chain.backends.append(strongbox)
    assert open_keyring() is not None


def test_without_a_keyring_a_new_sign_in_goes_into_a_file(tmp_path: Path, strongbox: Strongbox) -> None:
    keyring.set_keyring(NoKeyring())
    assert Keeping(tmp_path / "a.json", "auto").save(SIGN_IN).kept_in == "file"
    with pytest.raises(SettingsError, match="no keyring here"):
        Keeping(tmp_path / "b.json", "keyring").save(SIGN_IN)
