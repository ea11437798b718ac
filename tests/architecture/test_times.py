"""The chain of times that the guarantees depend on holds in the translated template."""

from typing import Any

from infra.checks.cloudformation import Template

GATEWAY_WAITS_SECONDS = 29  # the most that a REST API waits for its integration, unless a quota is raised
CALLS_TO_CLOSE = 2  # one read of the list and one create
DAY = 86_400


def environment(template: Template) -> dict[str, Any]:
    variables: dict[str, Any] = template.properties("WorkerFunction")["Environment"]["Variables"]
    return variables


def test_the_api_function_answers_before_the_gateway_gives_up(template: Template) -> None:
    for name in ("ApiFunction", "OperatorFunction", "WebhooksFunction"):
        assert template.properties(name)["Timeout"] < GATEWAY_WAITS_SECONDS


def test_the_fallback_delivery_comes_after_the_inline_run(template: Template) -> None:
    delay = int(environment(template)["FALLBACK_DELAY_SECONDS"])
    assert delay > template.properties("ApiFunction")["Timeout"]


def test_a_worker_has_time_for_its_calls_to_close(template: Template) -> None:
    longest_call = float(environment(template)["CLOSE_TIMEOUT_SECONDS"])
    assert template.properties("WorkerFunction")["Timeout"] > CALLS_TO_CLOSE * longest_call


def test_a_lease_outlives_every_function(template: Template) -> None:
    lease = float(environment(template)["LEASE_SECONDS"])
    timeouts = {name: function["Timeout"] for name, function in template.resources("AWS::Lambda::Function").items()}
    assert len(timeouts) == 6
    assert all(lease > timeout for timeout in timeouts.values()), timeouts


def test_a_message_stays_hidden_for_six_timeouts_and_the_batching_window(template: Template) -> None:
    window = template.properties("WorkerFunctionRequests").get("MaximumBatchingWindowInSeconds", 0)
    visibility = template.properties("ProvisioningQueue")["VisibilityTimeout"]
    assert visibility == 6 * template.properties("WorkerFunction")["Timeout"] + window


def test_the_worker_knows_the_last_receive(template: Template) -> None:
    redrive = template.properties("ProvisioningQueue")["RedrivePolicy"]
    assert redrive["maxReceiveCount"] == int(environment(template)["MAX_RECEIVES"])


def test_dead_letters_outlive_messages_and_requests_outlive_dead_letters(template: Template) -> None:
    queue = template.properties("ProvisioningQueue")["MessageRetentionPeriod"]
    dead = template.properties("DeadLetterQueue")["MessageRetentionPeriod"]
    assert queue < dead
    assert dead < int(environment(template)["REQUEST_RETENTION_DAYS"]) * DAY
    assert dead < template.source["Parameters"]["RequestRetentionDays"]["MinValue"] * DAY


def test_waiting_ends_before_the_queue_forgets(template: Template) -> None:
    queue = template.properties("ProvisioningQueue")["MessageRetentionPeriod"]
    assert float(environment(template)["WAIT_LIMIT_SECONDS"]) < queue


def test_a_request_is_remembered_for_longer_than_it_may_wait_for_its_tenant(template: Template) -> None:
    longest = template.source["Parameters"]["TenantWaitDays"]["MaxValue"]
    assert float(environment(template)["TENANT_WAIT_DAYS"]) == 3
    assert longest < template.source["Parameters"]["RequestRetentionDays"]["MinValue"]


def test_the_longest_close_timeout_that_may_be_set_leaves_the_chain_whole(template: Template) -> None:
    longest = template.source["Parameters"]["CloseTimeoutSeconds"]["MaxValue"]
    assert longest < template.properties("ApiFunction")["Timeout"]
    assert CALLS_TO_CLOSE * longest < template.properties("WorkerFunction")["Timeout"]


def test_the_queue_is_polled_within_bounds(template: Template) -> None:
    source = template.properties("WorkerFunctionRequests")
    assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert source["BatchSize"] <= 10
    assert source["ScalingConfig"]["MaximumConcurrency"] >= 2
    assert "ProvisionedPollerConfig" not in source  # Lambda refuses it beside MaximumConcurrency, cfn-lint does not
    assert template.source["Parameters"]["MaximumConcurrency"]["MinValue"] == 2


def test_the_queue_is_polled_as_much_as_asked(template: Template) -> None:
    for asked in (5, 17):
        source = Template(template.source, {"MaximumConcurrency": asked}).properties("WorkerFunctionRequests")
        assert source["ScalingConfig"]["MaximumConcurrency"] == asked
