"""The parameters of template.yaml as a table in Markdown."""

from pathlib import Path
from typing import Any

import yaml


class _Template(yaml.SafeLoader):
    """A loader that reads CloudFormation's short forms (!Ref and the like) as null: only the parameters matter here."""


_Template.add_multi_constructor("!", lambda _loader, _tag, _node: None)


def parameters(root: Path) -> str:
    """Return one row for each parameter: name, default, description."""
    template = yaml.load((root / "template.yaml").read_text(encoding="utf-8"), Loader=_Template)  # noqa: S506 - a safe loader
    rows = [
        f"| `{name}` | {_default(each['Default'])} | {' '.join(each['Description'].split())} |"
        for name, each in template["Parameters"].items()
    ]
    return "\n".join(["| parameter | default | |", "|---|---|---|", *rows])


def _default(value: Any) -> str:
    return f"`{value}`" if value != "" else ""
