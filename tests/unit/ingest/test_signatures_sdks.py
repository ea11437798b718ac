"""The senders' own SDKs as oracles: what they sign we verify, what we sign they verify, and neither takes a forgery."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import standardwebhooks
import stripe
import svix.webhooks
from hypothesis import given, settings
from hypothesis import strategies as st
from paddle_billing.Notifications import Secret, Verifier
from paddle_billing.Notifications.PaddleSignature import PaddleSignature
from workos import WorkOSClient
from workos.actions import Actions

from infra.local.signing import signed_headers
from provisioner.ingest.schemes import SCHEMES
from provisioner.ingest.signatures import Delivery, verify
from tests.unit.ingest.test_signatures import SECRETS

BODIES = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
PATIENTLY = settings(deadline=None)  # an SDK may take its time on a busy machine
IDS = st.from_regex(r"\Amsg_[A-Za-z0-9]{1,20}\Z")


def we_verify(name: str, headers: dict[str, str], body: str, now: float | None = None) -> bool:
    keys = [SCHEMES[name].key(SECRETS[name])]
    listed = {header.lower(): [value] for header, value in headers.items()}
    delivery = Delivery(listed, body.encode(), time.time() if now is None else now)
    return verify(SCHEMES[name], keys, delivery) is not None


def we_sign(name: str, body: str, delivery_id: str = "msg_1") -> dict[str, str]:
    return signed_headers(name, [SECRETS[name]], body.encode(), now=time.time(), delivery_id=delivery_id)


@pytest.mark.parametrize(
    ("name", "sdk", "prefix"),
    [("standard-webhooks", standardwebhooks.Webhook, "webhook"), ("svix", svix.webhooks.Webhook, "svix")],
)
class TestStandardWebhooks:
    @PATIENTLY
    @given(body=BODIES, delivery_id=IDS)
    def test_we_verify_their_signature(
        self, name: str, sdk: type[svix.webhooks.Webhook], prefix: str, body: str, delivery_id: str
    ) -> None:
        now = int(time.time())
        signature = sdk(SECRETS[name]).sign(delivery_id, datetime.fromtimestamp(now, UTC), body)
        headers = {f"{prefix}-id": delivery_id, f"{prefix}-timestamp": str(now), f"{prefix}-signature": signature}
        assert we_verify(name, headers, body)
        assert not we_verify(name, headers, f"{body} ")

    @PATIENTLY
    @given(delivery_id=IDS)
    def test_they_verify_our_signature(
        self, name: str, sdk: type[svix.webhooks.Webhook], prefix: str, delivery_id: str
    ) -> None:
        headers, body = we_sign(name, '{"id": "é"}', delivery_id), '{"id": "é"}'
        sdk(SECRETS[name]).verify(body, headers)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            sdk(SECRETS[name]).verify(f"{body} ", headers)


class TestStripeSdk:
    @PATIENTLY
    @given(body=BODIES)
    def test_we_verify_their_signature(self, body: str) -> None:
        header = stripe.WebhookSignature.generate_signature_header(body, SECRETS["stripe"])
        assert we_verify("stripe", {"Stripe-Signature": header}, body)
        assert not we_verify("stripe", {"Stripe-Signature": header}, f"{body} ")

    @PATIENTLY
    @given(body=BODIES)
    def test_they_verify_our_signature(self, body: str) -> None:
        header = we_sign("stripe", body)["stripe-signature"]
        assert stripe.WebhookSignature.verify_header(body, header, SECRETS["stripe"], tolerance=300)
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(f"{body} ", header, SECRETS["stripe"], tolerance=300)


@dataclass
class Request:
    """As the SDK of Paddle wants to see one."""

    headers: dict[str, str]
    body: bytes


class TestPaddleSdk:
    @PATIENTLY
    @given(body=BODIES)
    def test_we_verify_their_signature(self, body: str) -> None:
        now = int(time.time())
        digest = PaddleSignature.calculate_hmac(SECRETS["paddle"], f"{now}:{body}".encode()).hexdigest()
        headers = {"Paddle-Signature": f"ts={now};h1={digest}"}
        assert we_verify("paddle", headers, body, now)
        assert not we_verify("paddle", headers, f"{body} ", now)

    @PATIENTLY
    @given(body=BODIES)
    def test_they_verify_our_signature(self, body: str) -> None:
        headers = {"Paddle-Signature": we_sign("paddle", body)["paddle-signature"]}
        secret = Secret(SECRETS["paddle"])
        assert Verifier().verify(Request(headers, body.encode()), secret)
        assert not Verifier().verify(Request(headers, f"{body} ".encode()), secret)


class TestWorkosSdk:
    @PATIENTLY
    @given(body=BODIES)
    def test_they_verify_our_signature(self, body: str) -> None:
        header = we_sign("workos", body)["workos-signature"]
        webhooks = WorkOSClient(api_key="sk_test", client_id="client_test").webhooks
        webhooks.verify_header(event_body=body, event_signature=header, secret=SECRETS["workos"])
        with pytest.raises(ValueError, match="hash"):
            webhooks.verify_header(event_body=f"{body} ", event_signature=header, secret=SECRETS["workos"])

    def test_we_verify_their_signature(self) -> None:
        """Their SDK signs answers of Actions only, by the same digest over ``{ms}.{json}``."""
        answer = Actions().sign_response(action_type="authentication", verdict="Allow", secret=SECRETS["workos"])
        timestamp = answer["payload"]["timestamp"]
        body = f'{{"timestamp":{timestamp},"verdict":"Allow"}}'
        assert we_verify("workos", {"WorkOS-Signature": f"t={timestamp}, v1={answer['signature']}"}, body)
