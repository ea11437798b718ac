"""Writes the bill of materials of the deployed artifact: CycloneDX 1.6, made from the pinned requirements alone.

``python -m infra.release.bill_of_materials > sbom.json``. The same pins make the same bytes.
"""

import json
import re
import sys
import uuid
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)(?:\s*;[^\\]*)?")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
NAMESPACE = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")  # of URLs, RFC 9562


def bill_of_materials(requirements: str, version: str) -> dict[str, Any]:
    """Return the bill of the artifact of that version. Raises ``ValueError`` for a requirement that is not pinned."""
    components = [_component(each) for each in _entries(requirements)]
    name = f"pkg:github/close-provisioner@{version}"
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, requirements + version)}",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "close-provisioner", "version": version, "bom-ref": name}
        },
        "components": components,
        "dependencies": [{"ref": name, "dependsOn": [each["bom-ref"] for each in components]}],
    }


def _entries(requirements: str) -> list[str]:
    """Return one text for each requirement: its continued lines are joined."""
    joined = re.sub(r"\\\s*\n\s*", " ", requirements)
    return [line for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _component(entry: str) -> dict[str, Any]:
    found = PINNED.match(entry)
    if found is None:
        raise ValueError(f"not pinned: {entry}")
    name, version = found[1].lower().replace("_", "-"), found[2]
    purl = f"pkg:pypi/{name}@{version}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        # One distribution of these, whichever the platform takes: the bill cannot name a single one.
        "properties": [{"name": "sha256", "value": each} for each in HASH.findall(entry)],
    }


def main() -> None:
    """Write the bill of this checkout."""
    version = re.search(r'__version__ = "([^"]+)"', (PROJECT / "functions/provisioner/__init__.py").read_text())
    requirements = (PROJECT / "functions" / "requirements.txt").read_text(encoding="utf-8")
    json.dump(bill_of_materials(requirements, version[1] if version else "0"), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
