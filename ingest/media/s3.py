"""Media store in an S3-compatible bucket; the object ``prefix/ab/abcdef...`` has the SHA-256 ``abcdef...``."""

import io
import os
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import BinaryIO
from urllib.parse import urlsplit

import msgspec

from contract.errors import StoreUnavailable
from contract.redaction import VariableName
from ingest.media.port import MediaMissing, check_hash


class MediaOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the media store, which stores thumbnails and clips.

    Attributes:
        url: ``s3://BUCKET`` or ``s3://BUCKET/PREFIX``; empty: a folder in the data folder.
        endpoint: URL of a store other than Amazon's, such as ``https://minio.example:9000``; empty: Amazon's.
        region: Region of the store; many stores other than Amazon's accept any.
        key_variable: Name of the environment variable with the access key id.
        secret_variable: Name of the environment variable with its secret; settings contain neither.
        timeout_s: Timeout of one request in seconds.
    """

    url: str = ""
    endpoint: str = ""
    region: str = "us-east-1"
    key_variable: VariableName = "WILDPOST_S3_KEY"
    secret_variable: VariableName = "WILDPOST_S3_SECRET"  # noqa: S105, its name
    timeout_s: float = 30.0

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if self.url and (parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query):
            raise ValueError(f"media url {parts.scheme}://...: expected s3://BUCKET/PREFIX, without a key or a secret")
        if self.endpoint and not re.fullmatch(r"https?://[^@/\s]+/?", self.endpoint):
            raise ValueError(
                "media endpoint: expected a URL such as https://minio.example:9000, without a key or a secret"
            )


class S3Media:
    """Media store in an S3-compatible bucket; implements ``MediaStore``."""

    def __init__(self, options: MediaOptions) -> None:
        """Create the S3 client without sending a request.

        Raises:
            OSError: the environment variables of key and secret are not both set.
        """
        from obstore.store import S3Store

        key, secret = (os.environ.get(name, "") for name in (options.key_variable, options.secret_variable))
        if not key or not secret:
            raise OSError(f"{options.url}: {options.key_variable} and {options.secret_variable} are not both set")
        parts = urlsplit(options.url)
        self._name = options.url
        timeout = timedelta(seconds=options.timeout_s)
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            endpoint=options.endpoint.rstrip("/") or None,
            region=options.region,
            access_key_id=key,
            secret_access_key=secret,
            virtual_hosted_style_request=False,
            client_options={"allow_http": options.endpoint.startswith("http:"), "timeout": timeout},
            # Retries here cover a short failure only; for a longer one, the caller retries with back-off.
            retry_config={"max_retries": 2, "retry_timeout": timeout},
        )

    def put(self, data: bytes, sha256: str) -> None:
        """Store the bytes of one thumbnail or clip; see ``MediaStore.put``."""
        self.put_all({sha256: data})

    def put_all(self, contents: Mapping[str, bytes]) -> None:
        """Write the contents to objects in the bucket, one request each; see ``MediaStore.put_all``."""
        import obstore

        for sha256, data in contents.items():
            check_hash(sha256, data)
        for sha256, data in contents.items():
            try:
                # The store verifies the upload, and an object becomes visible only when complete.
                obstore.put(self._store, self._key(sha256), data)
            except (obstore.exceptions.BaseError, OSError) as error:
                raise self._unavailable(f"media of {len(data)} bytes", error) from error

    def open(self, sha256: str) -> BinaryIO:
        """Open the object whose content has the given SHA-256; see ``MediaStore.open``."""
        import obstore

        key = self._key(sha256)
        try:
            return io.BytesIO(obstore.get(self._store, key).bytes())
        except FileNotFoundError as error:
            raise self._missing(sha256, error) from error
        except (obstore.exceptions.BaseError, OSError) as error:
            raise self._unavailable(sha256, error) from error

    def names(self) -> Iterator[str]:
        """Yield the SHA-256 of every object in the bucket, in S3's sorted order; see ``MediaStore.names``."""
        import obstore

        try:
            for batch in obstore.list(self._store):
                for one in batch:
                    name = one["path"].rpartition("/")[2]
                    if re.fullmatch(r"[0-9a-f]{64}", name):
                        yield name
        except (obstore.exceptions.BaseError, OSError) as error:
            raise self._unavailable("the list of media", error) from error

    def _missing(self, sha256: str, error: FileNotFoundError) -> Exception:
        if "NoSuchBucket" in str(error):
            return self._unavailable(sha256, error)
        return MediaMissing(f"no media {sha256} in {self._name}")

    def _unavailable(self, what: str, error: Exception) -> StoreUnavailable:
        code = re.search(r"<Code>(\w+)</Code>", str(error))
        reason = code[1] if code else str(error).partition("\n")[0][:300]
        return StoreUnavailable(f"media in {self._name}: {what}: {reason}")

    def _key(self, sha256: str) -> str:
        # The hash may come from a URL: anything but a hash must not become a key.
        if not re.fullmatch(r"[0-9a-f]{64}", sha256):
            raise MediaMissing(f"{sha256[:100]!r} is not a SHA-256 in lower case hexadecimal")
        return f"{sha256[:2]}/{sha256}"
