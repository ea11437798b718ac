"""The CloudFormation that SAM makes of template.yaml, for the tests of this folder."""

import pytest

from infra.checks.cloudformation import Template
from infra.checks.translated import PROJECT, translated

__all__ = ["PROJECT"]


@pytest.fixture(scope="session")
def template() -> Template:
    """Return the translated template, with every parameter at its default."""
    return translated()
