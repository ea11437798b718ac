"""The signing keys of sources: the content of a secret, and how often unauthenticated callers can cause a read."""

import json
import traceback
from collections.abc import Callable

import pytest

from provisioner.credentials.cache import TTL_SECONDS, SecretCache, SecretMissing, SecretUnavailable, SecretUnreadable
from provisioner.ingest.schemes import SCHEMES
from provisioner.ingest.signing_keys import (
    MAX_SECRETS,
    MIN_REFETCH_SECONDS,
    Keys,
    make_signing_keys_cache,
    parse_signing_keys,
)
from tests.fakes import Clock
from tests.unit.credentials.test_tenants import MemorySecrets, client_error

STRIPE = SCHEMES["stripe"]
OLD, NEW = json.dumps({"secrets": ["whsec_old"]}), json.dumps({"secrets": ["whsec_old", "whsec_new"]})


@pytest.fixture
def clock() -> Clock:
    return Clock(0)


@pytest.fixture
def secrets() -> MemorySecrets:
    return MemorySecrets(stripe=OLD)


@pytest.fixture
def keys(secrets: MemorySecrets, clock: Clock) -> SecretCache[Keys]:
    return make_signing_keys_cache(secrets, "prefix", clock, lambda _name: STRIPE)


def test_trap_11_several_secrets_are_active() -> None:
    assert parse_signing_keys(STRIPE, NEW) == (b"whsec_old", b"whsec_new")


def test_trap_3_a_key_is_decoded_as_its_scheme_requires() -> None:
    text = json.dumps({"secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]})
    [stripe], [standard] = parse_signing_keys(STRIPE, text), parse_signing_keys(SCHEMES["standard-webhooks"], text)
    assert stripe == b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert len(standard) == 24


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it is not valid JSON"),
        ("s3cret", "it is not valid JSON"),
        ('{"secrets": ["s3cret"', "it is not valid JSON"),
        ("[" * 100_000, "it is not valid JSON"),
        ('["s3cret"]', "it must be"),
        ('{"secret": "s3cret"}', "it must be"),
        ('{"secrets": "s3cret"}', "it must be"),
        ('{"secrets": []}', "it must be"),
        (json.dumps({"secrets": ["s3cret"] * (MAX_SECRETS + 1)}), "it must be"),
        ('{"secrets": ["s3cret", 7]}', "it is not a string"),
        ('{"secrets": ["s3cret", ""]}', "it is empty"),
    ],
)
def test_silent_an_invalid_secret_is_rejected_and_not_shown(text: str, reason: str) -> None:
    with pytest.raises(SecretUnreadable, match=reason) as caught:
        parse_signing_keys(STRIPE, text)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


def test_a_rotated_secret_is_noticed_when_a_delivery_is_rejected(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock
) -> None:
    old = keys.get("stripe")
    secrets.secrets["prefix/stripe"] = NEW
    clock.advance(MIN_REFETCH_SECONDS)
    assert keys.get("stripe") == old
    assert keys.get("stripe", old) == (b"whsec_old", b"whsec_new")
    assert secrets.reads == 2


def test_a_rotated_secret_is_noticed_in_time_without_a_rejection(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock
) -> None:
    keys.get("stripe")
    secrets.secrets["prefix/stripe"] = NEW
    clock.advance(TTL_SECONDS + 1)
    assert len(keys.get("stripe")) == 2


def reject(keys: SecretCache[Keys]) -> None:
    keys.get("stripe", keys.get("stripe"))


def miss(keys: SecretCache[Keys]) -> None:
    with pytest.raises(SecretMissing):
        keys.get("clerk")


@pytest.mark.parametrize("ask", [reject, miss])
def test_unauthenticated_callers_cannot_cause_repeated_reads(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock, ask: Callable[[SecretCache[Keys]], None]
) -> None:
    for _ in range(100):
        ask(keys)
    assert secrets.reads == 1
    clock.advance(MIN_REFETCH_SECONDS)
    ask(keys)
    ask(keys)
    assert secrets.reads == 2


def test_a_secret_that_is_stored_later_is_found(keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock) -> None:
    with pytest.raises(SecretMissing):
        keys.get("clerk")
    secrets.secrets["prefix/clerk"] = OLD
    clock.advance(MIN_REFETCH_SECONDS)
    assert keys.get("clerk") == (b"whsec_old",)


def test_a_cached_secret_is_used_while_secrets_manager_fails(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock
) -> None:
    known = keys.get("stripe")
    secrets.fails = client_error("InternalServiceError")
    clock.advance(TTL_SECONDS + 1)
    assert keys.get("stripe") == known
    with pytest.raises(SecretUnavailable):
        keys.get("clerk")


def test_silent_the_cache_hides_its_values(keys: SecretCache[Keys]) -> None:
    keys.get("stripe")
    assert "whsec" not in repr(keys)
