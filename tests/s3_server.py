"""A server that speaks S3's protocol on a free port: moto's, in this process, keeping its objects in memory."""

import itertools
import urllib.request

from moto.server import ThreadedMotoServer

from ingest.media.s3 import MediaOptions, S3Media

KEY, SECRET = "AKIDEXAMPLE", "not-a-secret"
_NUMBERS = itertools.count()


class S3Server:
    """Runs until it is stopped."""

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self._runs = True
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        self._ask("POST", "moto-api/reset")  # what an earlier one in this process kept

    def bucket(self) -> str:
        """Make a bucket that no other test has."""
        return self.make(f"wildpost-{next(_NUMBERS)}")

    def make(self, name: str) -> str:
        """Make a bucket of this name."""
        self._ask("PUT", name)
        return name

    def _ask(self, method: str, what: str) -> None:
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{what}", method=method), timeout=20).close()

    def options(self, prefix: str = "") -> MediaOptions:
        """Settings for a bucket of its own."""
        return MediaOptions(url=f"s3://{self.bucket()}/{prefix}", endpoint=self.endpoint, timeout_s=5)

    def media(self, prefix: str = "") -> S3Media:
        """Media in a bucket of their own; the environment must hold key and secret."""
        return S3Media(self.options(prefix))

    def stop(self) -> None:
        """Be away, with all that was kept."""
        if self._runs:
            self._server.stop()
        self._runs = False
