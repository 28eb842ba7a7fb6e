"""What one writes in an afternoon: requests, boto3, five tries with a fixed pause. Beside it `storm` measures unlade.

    python bench/plain_script.py URL DATABASE ACCOUNT PASSWORD LAYOUT BUCKET [--pause 10] [--endpoint URL]

It signs in, reads the records page by page, downloads each record's image and puts it into a bucket, and skips what is
in the bucket already, so that it can be run again. It is meant to be ordinary, not bad: it has time-outs, a session
that keeps connections, and it goes on after a file that does not come.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import boto3
import requests
from botocore.exceptions import ClientError

TRIES = 5
PAGE = 100


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("url", "database", "account", "password", "layout", "bucket"):
        parser.add_argument(name)
    parser.add_argument("--pause", type=float, default=10.0, help="seconds between two tries")
    parser.add_argument("--endpoint")
    options = parser.parse_args()
    s3 = boto3.client("s3", endpoint_url=options.endpoint)
    http = requests.Session()
    base = f"{options.url}/fmi/data/vLatest/databases/{options.database}"

    def get(url: str, **more: Any) -> requests.Response | None:
        for _ in range(TRIES):
            try:
                reply = http.get(url, timeout=60, **more)
                if reply.status_code == 200:
                    return reply
                print(f"HTTP {reply.status_code}, trying again", file=sys.stderr)
            except requests.RequestException as error:
                print(f"{error}, trying again", file=sys.stderr)
            time.sleep(options.pause)
        return None

    reply = http.post(f"{base}/sessions", json={}, auth=(options.account, options.password), timeout=60)
    reply.raise_for_status()
    headers = {"Authorization": f"Bearer {reply.json()['response']['token']}"}
    offset, done, failed = 1, 0, 0
    while True:
        query = {"_offset": offset, "_limit": PAGE}
        page = get(f"{base}/layouts/{options.layout}/records", headers=headers, params=query)
        if page is None:
            break
        records = page.json()["response"]["data"]
        for record in records:
            fields = record["fieldData"]
            key = f"images/{fields['id']}.jpg"
            try:
                s3.head_object(Bucket=options.bucket, Key=key)
                continue
            except ClientError:
                pass  # it is not there yet
            image = get(fields["image_Full"], headers=headers)
            if image is None:
                print(f"record {record['recordId']}: giving up", file=sys.stderr)
                failed += 1
                continue
            s3.put_object(Bucket=options.bucket, Key=key, Body=image.content)
            done += 1
        offset += PAGE
        if len(records) < PAGE:
            break
    print(f"{done} images, {failed} failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
