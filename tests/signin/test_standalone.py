"""Without a Django project: the first command at a terminal signs in, the others go by that."""

from __future__ import annotations

from pathlib import Path

import pytest

from fmsim import Simulator
from tests.fmsim.sample import data_set
from unlade.errors import PersonNeeded
from unlade.standalone.project import settings_of, sign_in


def test_a_claris_id_is_asked_for_once(tmp_path: Path) -> None:
    with Simulator(data_set(), switches={"cloud": "true", "mfa": "totp"}) as sim:
        given = {"FILEMAKER_URL": sim.url, "FILEMAKER_DATABASE": sim.database, "FILEMAKER_AUTH": "claris-id"}
        given |= {"UNLADE_CLARIS_URL": sim.url, "UNLADE_SIGN_IN": "file"}
        settings = settings_of(tmp_path, given, None)
        with pytest.raises(PersonNeeded, match="Nobody has signed in") as caught:
            sign_in(settings, tmp_path, given, None, terminal=False)
        assert "terminal" in caught.value.remedy and not (tmp_path / "sign-in.json").exists()

        typed = ["", sim.account, lambda: sim.cognito()["users"][sim.account]["authenticator_code"]]

        def ask(_: str) -> str:
            word = typed.pop(0)
            return word if isinstance(word, str) else str(word())

        sign_in(settings, tmp_path, given, None, terminal=True, ask=ask, ask_secretly=lambda _: sim.password)
        assert not typed and (tmp_path / "sign-in.json").is_file()
        sign_in(settings, tmp_path, given, None, terminal=False)
        with_password = settings_of(tmp_path, {**given, "FILEMAKER_ACCOUNT": "a", "FILEMAKER_PASSWORD": "b"}, None)
        assert sign_in(with_password, tmp_path, given, None, terminal=False) is with_password
