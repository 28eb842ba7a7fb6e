"""A sign-in at a terminal, word by word; the simulator plays Cognito."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from fmsim import Simulator
from tests.fmsim.sample import data_set
from unlade.errors import SignInRefused
from unlade.filemaker.claris import SignIn
from unlade.filemaker.cognito import Cognito, Device, SignInOver
from unlade.filemaker.config import ClarisPool
from unlade.signin.asking import Desk, sign_in_at, sign_out

ACCOUNT, PASSWORD = "reader", "s3cret-Wörd"


class Person:
    """Types what a test says, and hears what is said."""

    def __init__(self, *answers: str | Callable[[], str]) -> None:
        self.answers, self.asked, self.heard = list(answers), [], []  # type: ignore[var-annotated]

    def ask(self, prompt: str) -> str:
        self.asked.append(prompt)
        answer = self.answers.pop(0)
        return answer() if callable(answer) else answer

    @property
    def desk(self) -> Desk:
        return Desk(self.ask, self.heard.append)


class Service:
    """A simulated host, and a sign-in there."""

    def __init__(self, **switches: str) -> None:
        self.sim = Simulator(data_set(), switches=switches)
        self.sim.start()
        self.cognito = Cognito(ClarisPool(url=self.sim.url), clock=self.now)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.sim.clock.now(), UTC)

    def text(self) -> str:
        return str(self.sim.cognito()["users"][ACCOUNT]["text_message"])

    def app(self) -> str:
        return str(self.sim.cognito()["users"][ACCOUNT]["authenticator_code"])

    def sign_in(self, person: Person, device: Device | None = None) -> SignIn:
        return sign_in_at(person.desk, self.cognito, ACCOUNT, PASSWORD, device=device, clock=self.now)


@pytest.fixture
def service() -> Iterator[Callable[..., Service]]:
    opened: list[Service] = []

    def make(**switches: str) -> Service:
        opened.append(Service(**switches))
        return opened[-1]

    yield make
    for each in opened:
        each.sim.stop()


def test_without_a_second_factor_nothing_is_asked(service: Any) -> None:
    person, at = Person(), service()
    kept = at.sign_in(person)
    assert (kept.account, kept.device, kept.over, person.asked) == (ACCOUNT, None, "", [])
    assert at.sim.cognito()["calls"]["InitiateAuth REFRESH_TOKEN_AUTH"] == 1  # what is kept has proved itself


def test_a_text_message_with_slips_on_the_way(service: Any) -> None:
    at = service(mfa="sms")
    person = Person("abc", "000000", lambda: f" {at.text()[:3]} {at.text()[3:]} ")
    at.sign_in(person)
    assert person.asked == ["Code from the text message to +*******1234: "] * 3
    assert person.heard == ["A code is six digits.", "That code is not right; try again."]
    assert at.sim.cognito()["calls"]["RespondToAuthChallenge SMS_MFA"] == 2  # what is no code is not sent


def test_an_authenticator_and_a_device_that_is_remembered(service: Any) -> None:
    at = service(mfa="totp", device_tracking="always")
    first = at.sign_in(Person(at.app))
    assert first.device is not None
    again = at.sign_in(Person(), first.device)
    assert again.device == first.device and again.refresh_token != first.refresh_token
    at.sim.change_account(forget_devices=True)
    at.sim.advance(60)  # a code works once
    third = at.sign_in(Person(at.app), first.device)
    assert third.device is not None and third.device.key != first.device.key


def test_two_factors_are_offered(service: Any) -> None:
    at = service(mfa="both")
    person = Person("3", "x", "1", at.text)
    at.sign_in(person)
    assert person.heard[:2] == ["1  text message", "2  authenticator app"]


def test_a_sign_in_that_took_too_long_begins_anew_and_not_for_ever(service: Any) -> None:
    at = service(mfa="sms")

    def late() -> str:
        at.sim.advance(200)
        return at.text()

    person = Person(late, at.text)
    at.sign_in(person)
    assert person.heard == ["That took too long, or had too many wrong codes. It begins anew."]
    with pytest.raises(SignInOver):
        at.sign_in(Person(*[late] * 3))


def test_wrong_codes_have_an_end(service: Any) -> None:
    at = service(mfa="totp")
    with pytest.raises(SignInRefused, match="Too many wrong codes"):
        at.sign_in(Person(*["000000"] * 5))


def test_signing_out_voids_it_there_too(service: Any) -> None:
    at = service(mfa="totp", device_tracking="always")
    kept = at.sign_in(Person(at.app))
    assert sign_out(at.cognito, kept) == ""
    user = at.sim.cognito()["users"][ACCOUNT]
    assert (user["devices"], user["refresh_tokens"]) == ([], 0)
    assert sign_out(at.cognito, kept) == ""  # it was void already
    at.sim.stop()
    assert "cannot be reached" in sign_out(at.cognito, kept)
