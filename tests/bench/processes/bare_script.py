"""``python bare_script.py <file> <requests>``: makes the calls that record_calls.py wrote down, so many times.

The shortest script that makes these calls: clients of boto3 and httpx with their defaults, answers read as JSON.
"""

import json
import sys
from pathlib import Path

import boto3
import httpx
import stubbed_world  # type: ignore[import-not-found]
from botocore import xform_name

calls = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
stubbed_world.stub_aws()
stubbed_world.stub_close()
http = httpx.Client()
aws = {name: boto3.client(name) for name in sorted({call[1] for call in calls if call[0] == "aws"})}
methods = {(call[1], call[2]): getattr(aws[call[1]], xform_name(call[2])) for call in calls if call[0] == "aws"}

for _ in range(int(sys.argv[2])):
    for call in calls:
        if call[0] == "aws":
            methods[call[1], call[2]](**call[3])
        else:
            _, method, url, headers, content = call
            http.request(method, url, headers=headers, content=content or None).raise_for_status().json()
