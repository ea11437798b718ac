"""Reads templates as they are written, before any translation."""

from pathlib import Path
from typing import Any

import yaml


class _Intrinsics(yaml.SafeLoader):
    """Reads ``!Ref x`` and similar tags as the value after the tag."""


def _what_follows(loader: yaml.SafeLoader, _tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Intrinsics.add_multi_constructor("!", _what_follows)


def read_source(path: Path) -> dict[str, Any]:
    """Return the template in a file. A tag such as ``!Ref x`` is read as ``x``."""
    source: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=_Intrinsics)  # noqa: S506 - a safe loader
    return source
