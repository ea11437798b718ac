"""The signing keys of sources: the content of a secret, and how often unauthenticated callers can cause a read."""

import base64
import json
import re
import traceback
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from provisioner.credentials.cache import (
    MAX_FAILURES,
    STALE_IF_ERROR_SECONDS,
    TTL_SECONDS,
    SecretCache,
    SecretMissing,
    SecretUnavailable,
    SecretUnreadable,
    SecretUnusable,
)
from provisioner.ingest.schemes import SCHEMES
from provisioner.ingest.signing_keys import (
    MAX_SECRETS,
    MIN_REFETCH_SECONDS,
    Keys,
    make_signing_keys_cache,
    parse_signing_keys,
)
from tests.fakes import Clock
from tests.unit.credentials.test_tenants import DELETED, MemorySecrets, client_error

STRIPE = SCHEMES["stripe"]
GOOD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OLD, NEW = (
    json.dumps({"secrets": ["whsec_old_0123456789"]}),
    json.dumps({"secrets": ["whsec_old_0123456789", "whsec_new_0123456789"]}),
)


@pytest.fixture
def clock() -> Clock:
    return Clock(0)


@pytest.fixture
def secrets() -> MemorySecrets:
    return MemorySecrets(stripe=OLD)


@pytest.fixture
def reported() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def keys(secrets: MemorySecrets, clock: Clock, reported: list[tuple[str, str]]) -> SecretCache[Keys]:
    def report(source: str, reason: str) -> None:
        reported.append((source, reason))

    return make_signing_keys_cache(secrets, "prefix", clock, lambda _name: STRIPE, report)


def test_trap_11_several_secrets_are_active() -> None:
    assert parse_signing_keys(STRIPE, NEW) == ((b"whsec_old_0123456789", b"whsec_new_0123456789"), [])


def test_trap_3_a_key_is_decoded_as_its_scheme_requires() -> None:
    text = json.dumps({"secrets": [GOOD]})
    [stripe], _ = parse_signing_keys(STRIPE, text)
    [standard], _ = parse_signing_keys(SCHEMES["standard-webhooks"], text)
    assert stripe == b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert len(standard) == 24


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "it must be"),
        ("s3cret", "it must be"),
        ('"s3cret', "it starts with a quotation mark but is not valid JSON"),
        ('{"secrets": ["s3cret"', "it starts with { but is not valid JSON"),
        ("[" * 100_000, "it must be"),
        ('["s3cret"]', "it must be"),
        ('{"secret": "s3cret"}', "it must be"),
        ('{"secrets": "s3cret"}', "it must be"),
        ('{"secrets": []}', "it must be"),
        (json.dumps({"secrets": ["s3cret"] * (MAX_SECRETS + 1)}), "it must be"),
        ('{"secrets": ["s3cret", 7]}', "secrets[0] has fewer than 16 characters; secrets[1] is not a string"),
        ('{"secrets": ["s3cret", ""]}', "secrets[0] has fewer than 16 characters; secrets[1] is empty"),
        ('{"secrets": ["s3cret s3cret s3cret"]}', "secrets[0] contains a space"),
        ('{"secrets": ["\\"s3cret-s3cret-s3cret\\""]}', "secrets[0] has quotation marks around it"),
        ('{"secrets": ["Bearer s3cret-s3cret-s3cret"]}', "secrets[0] begins with Bearer"),
        ('{"secrets": ["s3cret-s3cret\\ns3cret-s3cret"]}', "secrets[0] contains a line break"),
        ('{"secrets": ["s3cret-s3cret-s3cret\\ud800"]}', "secrets[0] contains a line break or another control"),
        ('{"secrets": ["sk_live_s3crets3crets3cret"]}', "secrets[0] begins like another key"),
    ],
)
def test_silent_an_invalid_secret_is_rejected_and_not_shown(text: str, reason: str) -> None:
    with pytest.raises(SecretUnreadable, match=re.escape(reason)) as caught:
        parse_signing_keys(STRIPE, text)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value)) + repr(caught.value)


@pytest.mark.parametrize("text", [f"{GOOD}\n", f" {GOOD}", f"\ufeff{GOOD}\r\n", f"{GOOD}\u200b"])
@pytest.mark.parametrize("name", ["stripe", "standard-webhooks", "svix", "github", "shopify", "paddle", "workos"])
def test_field_4_white_space_around_a_pasted_secret_is_not_a_part_of_it(name: str, text: str) -> None:
    pasted, reasons = parse_signing_keys(SCHEMES[name], json.dumps({"secrets": [text]}))
    assert (pasted, reasons) == parse_signing_keys(SCHEMES[name], json.dumps({"secrets": [GOOD]}))
    assert reasons == []
    assert parse_signing_keys(SCHEMES[name], f"\n{json.dumps(json.dumps({'secrets': [text]}))}")[0] == pasted


@pytest.mark.parametrize(
    ("name", "good", "bad", "reason"),
    [
        ("standard-webhooks", GOOD, f"v1,{GOOD}", "begins with v1, and a comma"),
        ("svix", GOOD, "ep_2abcdefghijklmnopqrstuvwxyz", "is not base64 after whsec_"),
        ("svix", GOOD, f"'{GOOD}'", "has quotation marks around it"),
        ("stripe", GOOD, f"v1,{GOOD}", "begins like another key or id of the sender"),
        ("stripe", GOOD, "sk_live_51Abcdefghijklmnop", "begins like another key or id of the sender"),
        ("stripe", GOOD, f"{GOOD} {GOOD}", "contains a space"),
        ("stripe", GOOD, "", "is empty"),
        ("stripe", GOOD, None, "is not a string"),
        ("paddle", GOOD, "pdl_live_apikey_01h", "begins like another key or id of the sender"),
        ("workos", GOOD, "sk_test_a2V5XzAxSk", "begins like another key or id of the sender"),
        ("github", GOOD, "s" * 15, "has fewer than 16 characters"),
        ("bearer", "t" * 20, "t" * 19, "has fewer than 20 characters"),
        ("bearer", "t" * 20, f"Bearer {'t' * 20}", "begins with Bearer, which belongs to the header"),
        ("bearer", "t" * 20, f"{'t' * 20} t", "contains a character that a header cannot hold"),
        ("basic", "user:password-12", "user-without-a-password", "does not have the form user:password"),
        ("basic", "a-long-user:password", "a-very-long-user:pass", "has a password of fewer than 8 characters"),
        ("basic", "a-long-user:password", "Basic d2ViaG9vazpwYXNzd29yZA==", "begins with Basic"),
        ("close", "0f" * 32, "0f" * 7, "has fewer than 16 characters"),
        ("close", "0f" * 32, "0g" * 32, "is not hexadecimal"),
    ],
)
def test_field_6_one_bad_entry_leaves_the_good_ones_active(name: str, good: str, bad: object, reason: str) -> None:
    text = json.dumps({"secrets": [good, bad]})
    keys, reasons = parse_signing_keys(SCHEMES[name], text)
    assert keys == parse_signing_keys(SCHEMES[name], json.dumps({"secrets": [good]}))[0]
    [told] = reasons
    assert told.startswith(f"secrets[1] {reason}")
    assert not isinstance(bad, str) or len(bad) < 8 or bad not in told


@pytest.mark.parametrize("length", [24, 25, 26, 32, 64])
def test_the_padding_of_a_secret_may_be_cut_off(length: int) -> None:
    """As reported to routecraftjs/routecraft (700): a dashboard or a pipeline drops the "=" at the end."""
    text = "whsec_" + base64.b64encode(bytes(range(length))).decode()
    for secret in (text, text.rstrip("=")):
        held = json.dumps({"secrets": [secret]})
        assert parse_signing_keys(SCHEMES["standard-webhooks"], held) == ((bytes(range(length)),), [])


@pytest.mark.parametrize("secret", ["whsec_!!!!", "whsec_xyz!", "whsec_", "whsec_AA==", "whsec_" + "A" * 33])
def test_a_secret_that_is_not_base64_never_makes_a_weak_key(secret: str) -> None:
    """As reported to openai/openai-node (1887) and corsairdev/corsair (1024): a lenient decoder makes an empty key."""
    with pytest.raises(SecretUnreadable, match=r"base64 after whsec_|hold 24 to 64 bytes|fewer than 16"):
        parse_signing_keys(SCHEMES["standard-webhooks"], json.dumps({"secrets": [secret]}))


def test_a_text_that_signs_as_it_is_is_stored_in_base64() -> None:
    """As reported to polarsource/polar (13522): a sender of Standard Webhooks signs with the text itself."""
    text = "polar_whs_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    scheme = SCHEMES["standard-webhooks"]
    with pytest.raises(SecretUnreadable, match="not base64"):
        parse_signing_keys(scheme, json.dumps({"secrets": [text]}))
    held = json.dumps({"secrets": [base64.b64encode(text.encode()).decode()]})
    assert parse_signing_keys(scheme, held) == ((text.encode(),), [])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{\r\n  "secrets": ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],\r\n}', "starts with { but is not valid JSON"),
        ('{"secrets": [1234567890123456]}', "secrets[0] is not a string"),
        ('{"secrets": "[\\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\\"]"}', "it must be"),
        ('{"secrets": ["\'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\'"]}', "secrets[0] has quotation marks around it"),
    ],
    ids=[
        "darren-reddick/terraform-aws-transfer 23",
        "hashicorp/packer 12813",
        "a table of the console",
        "compose file",
    ],
)
def test_a_reported_text_of_a_secret_is_unusable_with_a_reason(text: str, reason: str) -> None:
    with pytest.raises(SecretUnreadable, match=re.escape(reason)):
        parse_signing_keys(STRIPE, text)


def test_a_binary_secret_says_so(clock: Clock) -> None:
    """As reported to mpyw/suve (469) and s12v/exec-with-secrets (87): it reads as empty, or crashes the reader."""

    class BinarySigningKeys:
        def get_secret_value(self, **_: str) -> dict[str, bytes]:
            return {"SecretBinary": OLD.encode()}

    told: list[str] = []
    keys = make_signing_keys_cache(
        BinarySigningKeys(), "prefix", clock, lambda _name: STRIPE, lambda _name, why: told.append(why)
    )
    with pytest.raises(SecretUnreadable, match="it is binary: store it as a string"):
        keys.get("stripe")
    assert told == ["it is binary: store it as a string"]


@pytest.mark.parametrize("name", SCHEMES)
def test_hole_10_no_scheme_takes_a_secret_that_could_be_guessed(name: str) -> None:
    for secret in ("x", "aa", "u:p", "abc123", "a" * 15):
        with pytest.raises(SecretUnreadable):
            parse_signing_keys(SCHEMES[name], json.dumps({"secrets": [secret]}))


def test_field_6_a_bad_entry_is_reported_at_each_read_and_by_its_index_only(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock, reported: list[tuple[str, str]]
) -> None:
    secrets.secrets["prefix/stripe"] = json.dumps({"secrets": [GOOD, "'s3cret-s3cret-s3cret'"]})
    for _ in range(20):
        assert keys.get("stripe", keys.get("stripe")) == (GOOD.encode(),)
    assert reported == [("stripe", "secrets[1] has quotation marks around it")]
    clock.advance(MIN_REFETCH_SECONDS)
    keys.get("stripe", keys.get("stripe"))
    assert len(reported) == secrets.reads == 2


def test_a_rotated_secret_is_noticed_when_a_delivery_is_rejected(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock
) -> None:
    old = keys.get("stripe")
    secrets.secrets["prefix/stripe"] = NEW
    clock.advance(MIN_REFETCH_SECONDS)
    assert keys.get("stripe") == old
    assert keys.get("stripe", old) == (b"whsec_old_0123456789", b"whsec_new_0123456789")
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


def marked_for_deletion(message: str) -> ClientError:
    return ClientError({"Error": {"Code": "InvalidRequestException", "Message": message}}, "GetSecretValue")


STATES: dict[str, tuple[Exception | str, type[SecretUnusable]]] = {
    "missing": (client_error("ResourceNotFoundException"), SecretMissing),
    "marked for deletion": (marked_for_deletion(DELETED[0]), SecretMissing),
    "access denied": (client_error("AccessDeniedException"), SecretUnreadable),
    "no decryption": (client_error("DecryptionFailure"), SecretUnreadable),
    "throttled": (client_error("ThrottlingException"), SecretUnavailable),
    "down": (client_error("InternalServiceError"), SecretUnavailable),
    "not JSON": ("{s3cret", SecretUnreadable),
    "no good entry": ('{"secrets": ["s3cret"]}', SecretUnreadable),
}


@pytest.mark.parametrize(("state", "kind"), STATES.values(), ids=STATES)
def test_field_6_every_unusable_state_is_remembered(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock, state: Exception | str, kind: type[SecretUnusable]
) -> None:
    if isinstance(state, str):
        secrets.secrets["prefix/stripe"] = state
    else:
        secrets.fails = state
    for read in (1, 2, 3):
        for _ in range(20):
            with pytest.raises(kind) as caught:
                keys.get("stripe")
            shown = "".join(traceback.format_exception(caught.value)) + repr(keys)
            assert "s3cret" not in shown
            assert "about api_" not in shown
        assert secrets.reads == read
        clock.advance(MIN_REFETCH_SECONDS)
    secrets.fails, secrets.secrets["prefix/stripe"] = None, OLD
    assert keys.get("stripe") == (b"whsec_old_0123456789",)


@pytest.mark.parametrize(("state", "kind"), STATES.values(), ids=STATES)
def test_hole_9_the_last_readable_keys_keep_serving(
    keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock, state: Exception | str, kind: type[SecretUnusable]
) -> None:
    known = keys.get("stripe")
    if isinstance(state, str):
        secrets.secrets["prefix/stripe"] = state
    else:
        secrets.fails = state
    clock.advance(TTL_SECONDS + 1)
    if kind is SecretMissing:  # the operator closed the source
        with pytest.raises(SecretMissing):
            keys.get("stripe")
        return
    for _ in range(20):
        assert keys.get("stripe") == known
        with pytest.raises(kind):  # it was rejected: another value is asked for
            keys.get("stripe", known)
    assert secrets.reads == 2
    clock.advance(STALE_IF_ERROR_SECONDS)
    with pytest.raises(kind):
        keys.get("stripe")


def test_hole_9_the_names_that_strangers_invent_do_not_fill_the_memory(
    keys: SecretCache[Keys], secrets: MemorySecrets
) -> None:
    known = keys.get("stripe")
    for number in range(MAX_FAILURES * 2):
        with pytest.raises(SecretMissing):
            keys.get(f"invented-{number}")
    assert len(keys._failures) == MAX_FAILURES
    with pytest.raises(SecretMissing):
        keys.get(f"invented-{MAX_FAILURES * 2 - 1}")
    assert keys.get("stripe") == known
    assert secrets.reads == 1 + MAX_FAILURES * 2


def test_a_secret_that_is_stored_later_is_found(keys: SecretCache[Keys], secrets: MemorySecrets, clock: Clock) -> None:
    with pytest.raises(SecretMissing):
        keys.get("clerk")
    secrets.secrets["prefix/clerk"] = OLD
    clock.advance(MIN_REFETCH_SECONDS)
    assert keys.get("clerk") == (b"whsec_old_0123456789",)


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
