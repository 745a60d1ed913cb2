"""Writes `sigv4.json`: requests that botocore, AWS's own library, signs. `pip install botocore==1.43.11`, which nothing else
here needs.

    python vectors/sigv4_botocore.py
"""

import datetime
import json
from pathlib import Path
from unittest import mock

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

CASES = [
    # name, region, host, target, time, secret's character, token, body
    ("decrypt", "eu-central-1", "kms.eu-central-1.amazonaws.com", "TrentService.Decrypt", 1_790_000_000, "k", "token", "{}"),
    ("new_year", "us-east-1", "kms.us-east-1.amazonaws.com", "TrentService.GenerateDataKey", 1_767_225_599, "/", "a+b/c==", '{"KeyId":"x"}'),
    ("midnight", "cn-north-1", "kms.cn-north-1.amazonaws.com.cn", "TrentService.DescribeKey", 1_767_225_600, "+", "t" * 900, '{"KeyId":"ä"}'),
    ("epoch", "us-gov-west-1", "kms.adyton.test", "TrentService.ListGrants", 0, "0", "0", ""),
    ("leap_day", "eu-central-1", "kms.adyton.test", "TrentService.GetKeyPolicy", 1_835_395_200, "Z", "=", " "),
]


def signed(region: str, host: str, target: str, time: int, secret: str, token: str, body: str) -> dict[str, str]:
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": target}
    request = AWSRequest("POST", f"https://{host}/", headers=headers, data=body.encode())
    now = datetime.datetime.fromtimestamp(time, datetime.UTC).replace(tzinfo=None)
    with mock.patch("botocore.auth.get_current_datetime", return_value=now):
        SigV4Auth(Credentials("AKIAIOSFODNN7EXAMPLE", secret, token), "kms", region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def main() -> None:
    out = []
    for name, region, host, target, time, character, token, body in CASES:
        secret = character * 40
        headers = signed(region, host, target, time, secret, token, body)
        out.append(
            {
                "name": name, "region": region, "host": host, "target": target, "time": time, "body": body,
                "access_key_id": "AKIAIOSFODNN7EXAMPLE", "secret_access_key": secret, "session_token": token,
                "headers": headers,
            }
        )
    path = Path(__file__).resolve().parent / "sigv4.json"
    path.write_text(json.dumps(out, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
