"""Parse TOML, YAML and JSON files: ``python infra/checks/syntax.py FILE ...``; without files, all that git tracks."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path

import yaml

PARSERS: dict[str, Callable[[str], object]] = {
    ".json": json.loads,
    ".toml": tomllib.loads,
    # Compose only: tags such as CloudFormation's !Sub need no constructor.
    ".yaml": yaml.compose,
    ".yml": yaml.compose,
}


def faults(paths: Iterable[Path]) -> list[str]:
    """Return one line for each file that its parser rejects. Other kinds of files are skipped."""
    found = []
    for path in paths:
        if parse := PARSERS.get(path.suffix):
            try:
                parse(path.read_text(encoding="utf-8"))
            except (ValueError, yaml.YAMLError) as error:
                found.append(f"{path}: {' '.join(str(error).split())}")
    return found


def main(names: list[str]) -> int:
    if not names:
        names = subprocess.run(["git", "ls-files"], check=True, capture_output=True, text=True).stdout.splitlines()  # noqa: S607
    found = faults(path for name in names if (path := Path(name)).is_file())
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
