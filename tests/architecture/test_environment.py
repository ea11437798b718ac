"""The template sets exactly the environment variables that the functions read."""

from infra.checks.cloudformation import Template
from provisioner.settings import Settings

POWERTOOLS = {"POWERTOOLS_SERVICE_NAME", "POWERTOOLS_METRICS_NAMESPACE", "POWERTOOLS_LOG_LEVEL"}


def test_every_function_gets_exactly_its_settings(template: Template) -> None:
    expected = {name.upper() for name in Settings.model_fields} | POWERTOOLS
    for name, function in template.resources("AWS::Lambda::Function").items():
        assert set(function["Environment"]["Variables"]) == expected, name


def test_the_default_settings_are_valid(template: Template) -> None:
    """Every parameter is at its default, and each reference is replaced by a name."""
    for function in template.resources("AWS::Lambda::Function").values():
        variables = function["Environment"]["Variables"].items()
        Settings.from_env({name: "a-name" if isinstance(value, dict) else str(value) for name, value in variables})
