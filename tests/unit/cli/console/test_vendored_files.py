"""The files of others are those that their README names, unchanged."""

import hashlib
import re

from close_provisioner.console.page import FOLDER

VENDOR = FOLDER / "static" / "vendor"
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \|.*`(?P<hash>[0-9a-f]{64})` \|$", re.MULTILINE)


def test_each_file_has_the_hash_of_its_release() -> None:
    listed = {row["name"]: row["hash"] for row in ROW.finditer((VENDOR / "README.md").read_text())}
    present = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in VENDOR.glob("*.js")}
    assert present == listed
