"""Where repositories are when they are in an object store instead of a folder.

Everything comes from the environment. Each run has a prefix of its own, so that nothing is
overwritten; what it leaves there is for you to delete.
"""

import os
import secrets

NEEDED = ("PEERS_S3_ENDPOINT", "PEERS_S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class Store:
    """An endpoint, a bucket and what opens it."""

    def __init__(self):
        missing = [name for name in NEEDED if not os.environ.get(name)]
        if missing:
            raise SystemExit(f"--s3 needs these variables: {' '.join(missing)}")
        self.endpoint, self.bucket, *self.keys = (os.environ[name] for name in NEEDED)
        self.region = os.environ.get("AWS_REGION", "us-east-1")
        self.run = f"peers-{secrets.token_hex(4)}"
        self.round = 0

    def location(self, form, name):
        """A location in the form that a program wants; another one in each round."""
        prefix = f"{self.run}/{self.round}/{name}"
        return form.format(endpoint=self.endpoint, bucket=self.bucket, region=self.region,
                           prefix=prefix)

    def credentials(self):
        """The variables that most programs know."""
        return {"AWS_ACCESS_KEY_ID": self.keys[0], "AWS_SECRET_ACCESS_KEY": self.keys[1],
                "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region,
                "AWS_ENDPOINT_URL": self.endpoint}
