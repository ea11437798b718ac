"""Signatures: published vectors, rejected headers, and every trap of the headers, by its number.

The numbers are those of docs/guides/webhooks.md, "Traps".
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence

import pytest

from infra.local.signing import signed_headers
from provisioner.credentials.secret_text import UnusableSecret
from provisioner.ingest.schemes import SCHEMES
from provisioner.ingest.signatures import MAX_SIGNATURES, Delivery, Verified, verify

STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = {
    "standard-webhooks": STANDARD_SECRET,
    "svix": STANDARD_SECRET,
    "stripe": "whsec_Ks0n2bPzQ1vYxW7dRfTgHjLm",
    "github": "It's a Secret to Everybody",
    "shopify": "hush-hush-hush-hush",
    "paddle": "pdl_ntfset_01hv8x29kz0t586xy6zn1a62ny_ouGJPHtD7Hqv",
    "workos": "o6bZ7vX1n9kq2TgW",
    "close": "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c",
    "bearer": "a-static-token-of-auth0",
    "basic": "webhook_user:secret:pass",
}
OTHER_SECRETS = {
    name: f"whsec_{base64.b64encode(b'other' * 6).decode()}" if secret == STANDARD_SECRET else f"00{secret}"
    for name, secret in SECRETS.items()
}
NOW = 1_795_478_005.0
BODY = b'{"type": "customer.created", "id": "evt_1"}'
TIMED = [name for name, scheme in SCHEMES.items() if scheme.tolerance is not None]


def several(headers: Mapping[str, str]) -> dict[str, list[str]]:
    return {name: [value] for name, value in headers.items()}


def signed(name: str, *secrets: str, body: bytes = BODY, at: float = NOW) -> dict[str, list[str]]:
    return several(signed_headers(name, secrets or [SECRETS[name]], body, now=at, delivery_id="msg_1"))


def check(
    name: str, headers: Mapping[str, Sequence[str]], body: bytes = BODY, *secrets: str, now: float = NOW
) -> Verified | None:
    keys = [SCHEMES[name].key(secret) for secret in secrets or [SECRETS[name]]]
    return verify(SCHEMES[name], keys, Delivery(headers, body, now))


def with_header(name: str, value: str | list[str], header: str | None = None) -> dict[str, list[str]]:
    """Properly signed, but for one header."""
    values = value if isinstance(value, list) else [value]
    return signed(name) | {header or SCHEMES[name].signature_header: values}


VECTORS = [
    (
        "standard-webhooks",
        STANDARD_SECRET,
        b'{"test": 2432232314}',
        1614265330,
        {
            "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "webhook-timestamp": "1614265330",
            "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        },
    ),
    (
        "github",
        "It's a Secret to Everybody",
        b"Hello, World!",
        NOW,
        {"x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"},
    ),
    (
        "basic",
        "webhook_user:secret_pass",
        b"{}",
        NOW,
        {"authorization": "Basic d2ViaG9va191c2VyOnNlY3JldF9wYXNz"},
    ),
    (
        "close",
        "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c",
        b'{"event":{"id":"ev_1"}}',
        1544271440,
        {
            "close-sig-timestamp": "1544271440",
            "close-sig-hash": "aea19239fa4bd879a385685780747a52b3fb688938840a1472d9abe71e410db6",
        },
    ),
]


@pytest.mark.parametrize(("name", "secret", "body", "now", "headers"), VECTORS, ids=[each[0] for each in VECTORS])
def test_published_vectors_hold(name: str, secret: str, body: bytes, now: float, headers: dict[str, str]) -> None:
    assert check(name, several(headers), body, secret, now=now)
    assert not check(name, several(headers), body + b" ", secret, now=now) or name == "basic"
    for header, value in headers.items():
        assert not check(name, several(headers | {header: f"{value[:-2]}00"}), body, secret, now=now)


@pytest.mark.parametrize("name", SCHEMES)
class TestEveryScheme:
    def test_a_signed_delivery_is_verified(self, name: str) -> None:
        verified = check(name, signed(name))
        assert verified == Verified("msg_1" if SCHEMES[name].signs_id else None)

    def test_another_secret_is_rejected(self, name: str) -> None:
        assert check(name, signed(name, OTHER_SECRETS[name])) is None

    def test_a_source_without_a_secret_rejects_every_delivery(self, name: str) -> None:
        assert verify(SCHEMES[name], [], Delivery(signed(name), BODY, NOW)) is None

    def test_each_header_is_needed(self, name: str) -> None:
        for header in SCHEMES[name].headers:
            headers = signed(name)
            del headers[header]
            assert check(name, headers) is None
            assert check(name, headers | {header: [""]}) is None
            assert check(name, headers | {header: []}) is None

    @pytest.mark.parametrize("body", [b"", b"\xff\x00{{}}", "{\u00e9}".encode(), b"x" * 300_000])
    def test_any_bytes_can_be_signed(self, name: str, body: bytes) -> None:
        assert check(name, signed(name, body=body), body)

    def test_trap_6_a_repeated_header_is_rejected(self, name: str) -> None:
        for header in SCHEMES[name].headers:
            headers = signed(name)
            assert check(name, headers | {header: headers[header] * 2}) is None
            joined = ", ".join(headers[header] * 2)  # as some gateways hand them on
            assert check(name, headers | {header: [joined]}) is None

    def test_trap_11_either_secret_is_valid_during_a_rotation(self, name: str) -> None:
        old, new = SECRETS[name], OTHER_SECRETS[name]
        for used in (old, new):
            assert check(name, signed(name, used), BODY, old, new)
            assert check(name, signed(name, used), BODY, new, old)

    @pytest.mark.parametrize(
        "value",
        [
            "\x00",
            "é",
            "\ud800",
            "v1,",
            ",",
            ",,",
            "=",
            "==",
            "  ",
            "v1",
            "t=1",
            "Basic",
            "Bearer ",
            "v1=\udfff",
            "a" * 9000,
        ],
    )
    def test_trap_1_a_malformed_header_is_rejected_and_never_an_error(self, name: str, value: str) -> None:
        for header in SCHEMES[name].headers:
            assert check(name, with_header(name, value, header)) is None


class TestMalformedSignatures:
    """Trap 1: every one of them made a reference library fail, or may."""

    @pytest.mark.parametrize(
        "change",
        [
            lambda good: good.replace("v1,", "v1"),  # no comma
            lambda good: good.replace("v1,", "v1,,"),  # two commas
            lambda good: f"{good} ,",
            lambda good: f"{good}  {good}",  # a double space
            lambda good: f" {good}",
            lambda good: f"{good} ",
            lambda good: f"{good}\n",
            lambda good: f"v1,{good}",
            lambda good: good[:-1],  # bad base64
            lambda good: good.replace("v1,", "v1,%"),
            lambda good: good.replace("v1,", "v1a,"),  # a signature of another kind
            lambda good: good.replace("v1,", "V1,"),
            lambda good: good.encode().decode("latin-1") + "\xff",  # bytes that are not UTF-8
            lambda good: " ".join(["v1,AAAA"] * MAX_SIGNATURES + [good]),
        ],
    )
    def test_trap_1_standard_webhooks_rejects_a_malformed_signature(self, change: object) -> None:
        assert callable(change)
        [good] = signed("standard-webhooks")["webhook-signature"]
        assert check("standard-webhooks", with_header("standard-webhooks", change(good))) is None

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("stripe", lambda good: good.replace(",", ";")),
            ("stripe", lambda good: good.replace(",", ", ")),
            ("stripe", lambda good: f"{good},"),
            ("stripe", lambda good: f",{good}"),
            ("stripe", lambda good: good.replace("v1=", "v0=")),
            ("stripe", lambda good: f"{good},t={NOW:.0f}"),
            ("stripe", lambda good: good.partition(",")[2]),
            ("stripe", lambda good: good.partition(",")[0]),
            ("paddle", lambda good: good.replace(";", ",")),
            ("workos", lambda good: good.replace(", ", ",")),
            ("workos", lambda good: good.replace(", ", ",  ")),
            ("github", lambda good: good.removeprefix("sha256=")),
            ("github", lambda good: good.replace("sha256", "sha1")),
            ("github", lambda good: good.upper()),
            ("shopify", lambda good: f"sha256={good}"),
            ("bearer", lambda good: good.removeprefix("Bearer ")),
            ("bearer", lambda good: good.replace(" ", "  ")),
            ("bearer", lambda good: good.replace("Bearer", "Basic")),
            ("basic", lambda good: good.replace("Basic", "Bearer")),
            ("basic", lambda good: good.rstrip("=")),
        ],
    )
    def test_trap_1_other_schemes_reject_a_malformed_signature(self, name: str, change: object) -> None:
        assert callable(change)
        [good] = signed(name)[SCHEMES[name].signature_header]
        assert check(name, with_header(name, change(good))) is None or change(good) == good

    def test_the_name_of_an_authentication_scheme_may_be_in_any_case(self) -> None:
        assert check("bearer", {"authorization": ["bearer a-static-token-of-auth0"]})

    def test_signatures_of_other_kinds_are_passed_over(self) -> None:
        [good] = signed("standard-webhooks")["webhook-signature"]
        assert check("standard-webhooks", with_header("standard-webhooks", f"v1a,c2ln {good} v2,c2ln"))
        [good] = signed("stripe")["stripe-signature"]
        assert check("stripe", with_header("stripe", f"{good},v0=00ff"))

    def test_trap_11_the_sender_may_sign_with_every_active_secret(self) -> None:
        for name in ("standard-webhooks", "svix", "stripe", "paddle"):
            both = signed(name, OTHER_SECRETS[name], SECRETS[name])
            assert check(name, both)


class TestTimestamps:
    @pytest.mark.parametrize("name", TIMED)
    def test_a_delivery_may_be_as_old_or_as_early_as_the_tolerance(self, name: str) -> None:
        tolerance = SCHEMES[name].tolerance
        assert tolerance
        for age in (tolerance, 0, -tolerance):
            assert check(name, signed(name, at=NOW - age))
        for age in (tolerance + 1, -tolerance - 1):
            assert check(name, signed(name, at=NOW - age)) is None

    @pytest.mark.parametrize("name", TIMED)
    def test_a_source_may_have_a_tolerance_of_its_own(self, name: str) -> None:
        keys = [SCHEMES[name].key(SECRETS[name])]
        late = signed(name, at=NOW - 1000)
        assert verify(SCHEMES[name], keys, Delivery(late, BODY, NOW), 1000)
        assert verify(SCHEMES[name], keys, Delivery(late, BODY, NOW), 999) is None

    @pytest.mark.parametrize(
        "timestamp",
        [
            *("1614265330.9", " 1614265330 ", " 1614265330", "1614265330\n", "1.6e9", "+1614265330", "-1614265330", ""),
            *(
                "0x60",
                "16142653301614265330",
                "1_614_265_330",
                "\u0661\u0666\u0661",
                "nan",
                "inf",
                "1614265330, 1614265330",
            ),
        ],
    )
    def test_trap_2_a_timestamp_is_digits_and_nothing_else(self, timestamp: str) -> None:
        """Signed as it is sent, so that only its form is wrong."""
        now = 1_614_265_330
        body = b"{}"
        for name, before in (("standard-webhooks", f"msg_1.{timestamp}."), ("close", timestamp)):
            scheme = SCHEMES[name]
            key = scheme.key(SECRETS[name])
            digest = hmac.new(key, before.encode() + body, hashlib.sha256)
            proof = f"v1,{base64.b64encode(digest.digest()).decode()}" if scheme.id_header else digest.hexdigest()
            headers = {scheme.signature_header: [proof], str(scheme.timestamp_header): [timestamp]}
            headers |= {scheme.id_header: ["msg_1"]} if scheme.id_header else {}
            assert verify(scheme, [key], Delivery(headers, body, now)) is None
        stripe = SCHEMES["stripe"]
        digest = hmac.new(b"secret", f"{timestamp}.".encode() + body, hashlib.sha256)
        header = f"t={timestamp},v1={digest.hexdigest()}"
        assert verify(stripe, [b"secret"], Delivery({"stripe-signature": [header]}, body, now)) is None

    def test_trap_2_a_timestamp_is_signed_as_it_was_sent(self) -> None:
        """Leading zeros are digits, too: what counts is that they were signed."""
        digest = hmac.new(b"secret", b"01795478005.{}", hashlib.sha256).hexdigest()
        for timestamp, holds in (("01795478005", True), ("1795478005", False)):
            headers = {"stripe-signature": [f"t={timestamp},v1={digest}"]}
            assert bool(verify(SCHEMES["stripe"], [b"secret"], Delivery(headers, b"{}", NOW))) is holds

    def test_workos_counts_milliseconds(self) -> None:
        [header] = signed("workos")["workos-signature"]
        assert header.startswith("t=1795478005000, v1=")


class TestKeys:
    def test_trap_3_whsec_means_base64_for_standard_webhooks_and_a_string_for_stripe(self) -> None:
        assert SCHEMES["stripe"].key(STANDARD_SECRET) == STANDARD_SECRET.encode()
        assert SCHEMES["standard-webhooks"].key(STANDARD_SECRET) == base64.b64decode(STANDARD_SECRET[6:])
        assert SCHEMES["svix"].key(STANDARD_SECRET[6:]) == base64.b64decode(STANDARD_SECRET[6:])

    def test_the_first_colon_divides_user_and_password(self) -> None:
        assert check(
            "basic",
            {"authorization": ["Basic " + base64.b64encode(b"user:pass:word-long").decode()]},
            BODY,
            "user:pass:word-long",
        )

    @pytest.mark.parametrize(
        ("name", "secret"),
        [
            ("standard-webhooks", ""),
            ("standard-webhooks", "whsec_"),
            ("standard-webhooks", "whsec_%%%%"),
            ("standard-webhooks", "whsec_" + base64.b64encode(b"short").decode()),
            ("standard-webhooks", "whsec_" + base64.b64encode(b"l" * 65).decode()),
            ("svix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwé"),
            ("stripe", ""),
            ("bearer", "  "),
            ("basic", "no-colon"),
            ("basic", ":password"),
            ("basic", "user:"),
            ("close", "no hex"),
            ("close", ""),
        ],
    )
    def test_silent_an_invalid_secret_is_rejected_and_not_shown(self, name: str, secret: str) -> None:
        with pytest.raises(UnusableSecret) as caught:
            SCHEMES[name].active_key(secret)
        assert len(secret) < 10 or secret not in str(caught.value)


def test_every_rejection_takes_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many digests and comparisons for a delivery without headers as for one that is signed."""
    made: list[str] = []
    digest, compare = hmac.digest, hmac.compare_digest

    def counted_digest(key: bytes, message: bytes, kind: str) -> bytes:
        made.append("digest")
        return digest(key, message, kind)

    def counted_compare(one: bytes, other: bytes) -> bool:
        made.append("compare")
        assert len(one) == len(other)
        return compare(one, other)

    monkeypatch.setattr("provisioner.ingest.signatures.hmac.digest", counted_digest)
    monkeypatch.setattr("provisioner.ingest.signatures.hmac.compare_digest", counted_compare)
    cases: list[dict[str, list[str]]] = [
        signed("stripe"),
        {},
        with_header("stripe", "\ud800"),
        with_header("stripe", "t=1,v1=00,v1=01"),
        signed("stripe", OTHER_SECRETS["stripe"]),
        signed("stripe", at=0),
    ]
    works = []
    for headers in cases:
        made.clear()
        check("stripe", headers, BODY, SECRETS["stripe"], OTHER_SECRETS["stripe"])
        works.append(sorted(made))
    assert works[0].count("digest") == 2
    assert works[0].count("compare") == 2 * MAX_SIGNATURES
    assert all(work == works[0] for work in works)
