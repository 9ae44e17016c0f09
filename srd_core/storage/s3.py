"""Objects under an S3 prefix, under the protocol of `base`: conditional writes, conditional reads, checksums both ways.

Endpoint, region and credentials come from where every AWS tool looks (`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, profiles, instance roles).
botocore retries each request; what fails after that is a TransientStorageError if waiting may help. The server must know
`If-None-Match` on writes (AWS, MinIO, SeaweedFS, Ceph and R2 do). Versioned reads and server-side encryption options are not covered.
"""

from __future__ import annotations

import base64
import hashlib
import io
import uuid
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore.exceptions import ClientError

from srd_core.errors import StorageError, TransientStorageError
from srd_core.storage.base import CHUNK, ObjectInfo, altered, checked_key, conflict, file_digest, is_key, short, stream_digest
from srd_core.storage.s3_client import client
from srd_core.storage.s3_errors import status_of, translated

PART = 256 * 2**20
"""Bytes of one part of a large upload; files up to this size go up in one request."""
_ABANDONED = timedelta(days=1)


class S3Storage:
    """`s3://bucket/prefix`. Nothing is contacted before the first call; a copy in another process makes its own connection."""

    def __init__(self, bucket: str, prefix: str = "", part_bytes: int = PART) -> None:
        self._bucket, self._prefix, self._part = bucket, prefix.strip("/"), part_bytes

    def __reduce__(self) -> tuple[object, ...]:
        return (S3Storage, (self._bucket, self._prefix, self._part))

    @property
    def uri(self) -> str:
        """Bucket and prefix."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def list(self, prefix: str = "") -> list[ObjectInfo]:
        """See `Storage.list`. Folder markers (keys that end in `/`) are left out."""
        return sorted((info for info in self._everything(prefix) if is_key(info.key)), key=lambda info: info.key)

    def names(self) -> Iterator[str]:
        """See `Storage.names`: a page at a time. Folder markers are left out."""
        return (info.key for info in self._everything(""))

    def unlisted(self) -> tuple[str, ...]:
        """See `Storage.unlisted`."""
        return tuple(sorted(info.key for info in self._everything("") if not is_key(info.key)))

    def stat(self, key: str) -> ObjectInfo | None:
        """See `Storage.stat`. A missing bucket cannot be told from a missing object here."""
        with translated(self._uri(key)):
            try:
                head = self._client.head_object(**self._at(key))
            except ClientError as error:
                if status_of(error) == 404:
                    return None
                raise
        return ObjectInfo(key, head["ContentLength"], head["ETag"].strip('"'))

    def open(self, key: str, etag: str | None = None) -> BinaryIO:
        """See `Storage.open`. A body that breaks off or fails its checksum raises TransientStorageError while it is read."""
        condition = {} if etag is None else {"IfMatch": f'"{etag}"'}
        with translated(self._uri(key)):
            answer = self._client.get_object(**self._at(key), **condition, ChecksumMode="ENABLED")
        return cast("BinaryIO", io.BufferedReader(_Body(answer["Body"], answer["ContentLength"], self._uri(key)), CHUNK))

    def read_bytes(self, key: str) -> bytes:
        """See `Storage.read_bytes`."""
        with self.open(key) as stream:
            return stream.read()

    def put_file(self, key: str, path: Path, overwrite: bool = False) -> ObjectInfo:
        """See `Storage.put_file`. Files above `part_bytes` go up in parts; the condition is checked when they are joined."""
        try:
            with path.open("rb") as file:
                return self._put(key, file, path.stat().st_size, overwrite)
        except OSError as error:
            raise StorageError(f"{path} cannot be read: {error.strerror or error}", hint="Check the path and its permissions") from error

    def put_bytes(self, key: str, data: bytes, overwrite: bool = False) -> ObjectInfo:
        """See `Storage.put_bytes`."""
        return self._put(key, io.BytesIO(data), len(data), overwrite)

    def digest(self, key: str) -> str:
        """See `Storage.digest`. Reads the object; the server's own checksum is not taken for it."""
        with self.open(key) as stream:
            return stream_digest(stream)

    def tidy(self, folders: Collection[str]) -> None:
        """See `Storage.tidy`: uploads in parts that were begun more than a day ago and never finished."""
        for folder in folders:
            with translated(self.uri):
                pages = self._client.get_paginator("list_multipart_uploads").paginate(
                    Bucket=self._bucket, Prefix=self._at(folder)["Key"] + "/"
                )
                for upload in (upload for page in pages for upload in page.get("Uploads", ())):
                    if datetime.now(UTC) - upload["Initiated"] > _ABANDONED:
                        self._client.abort_multipart_upload(Bucket=self._bucket, Key=upload["Key"], UploadId=upload["UploadId"])

    def alone(self, key: str) -> AbstractContextManager[object]:
        """See `Storage.alone`: nobody waits."""
        return nullcontext()

    def fetch(self, key: str, folder: Path, sha256: str | None = None) -> Path:
        """See `Storage.fetch`. A copy of the same version that is already in `folder` is used again."""
        info = self.stat(key)
        if info is None:
            raise StorageError(f"{self._uri(key)} does not exist", hint="Check the key and the bucket")
        mark = hashlib.sha256(f"{self._uri(key)}\n{info.etag}".encode()).hexdigest()[:16]
        target = folder / f"{mark}-{Path(key).name}"
        if target.exists() and target.stat().st_size == info.size and sha256 in (None, file_digest(target)):
            return target
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{short(target.name)}.{uuid.uuid4().hex}.srd-tmp"
        try:
            content = hashlib.sha256()
            with self.open(key, info.etag) as stream, temporary.open("xb") as file:
                while chunk := stream.read(CHUNK):
                    content.update(chunk)
                    file.write(chunk)
            if sha256 not in (None, content.hexdigest()):
                raise altered(self._uri(key))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)
        return target

    def _everything(self, prefix: str) -> Iterator[ObjectInfo]:
        root = f"{self._prefix}/" if self._prefix else ""
        with translated(self.uri):
            for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=root + prefix):
                for item in page.get("Contents", []):
                    if not item["Key"].endswith("/"):
                        yield ObjectInfo(item["Key"].removeprefix(root), item["Size"], item["ETag"].strip('"'))

    @property
    def _client(self) -> Any:
        with translated(self.uri):
            return client()

    def _uri(self, key: str) -> str:
        return f"{self.uri}/{key}"

    def _at(self, key: str) -> dict[str, str]:
        name = checked_key(key)
        return {"Bucket": self._bucket, "Key": f"{self._prefix}/{name}" if self._prefix else name}

    def _put(self, key: str, source: BinaryIO, size: int, overwrite: bool) -> ObjectInfo:
        digest = stream_digest(source)
        source.seek(0)
        condition = {} if overwrite else {"IfNoneMatch": "*"}
        with translated(self._uri(key)):
            try:
                if size <= self._part:
                    checksum = base64.b64encode(bytes.fromhex(digest)).decode()
                    answer = self._client.put_object(**self._at(key), Body=source, ContentLength=size, ChecksumSHA256=checksum, **condition)
                else:
                    answer = self._put_parts(key, source, condition)
            except ClientError as error:
                if status_of(error) != 412:
                    raise
                if self.digest(key) != digest:
                    raise conflict(self._uri(key)) from None
                return self.stat(key) or ObjectInfo(key, size, "")
        return ObjectInfo(key, size, answer["ETag"].strip('"'))

    def _put_parts(self, key: str, source: BinaryIO, condition: dict[str, str]) -> dict[str, Any]:
        at = self._at(key)
        upload = {**at, "UploadId": self._client.create_multipart_upload(**at, ChecksumAlgorithm="SHA256")["UploadId"]}
        try:
            parts = [self._put_part(upload, number, data) for number, data in enumerate(_cut(source, self._part), start=1)]
            answer: dict[str, Any] = self._client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts}, **condition)
        except BaseException:
            self._client.abort_multipart_upload(**upload)
            raise
        return answer

    def _put_part(self, upload: dict[str, str], number: int, data: bytes) -> dict[str, object]:
        checksum = base64.b64encode(hashlib.sha256(data).digest()).decode()
        answer = self._client.upload_part(**upload, PartNumber=number, Body=data, ChecksumSHA256=checksum)
        return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}


def _cut(source: BinaryIO, size: int) -> Iterator[bytes]:
    while data := source.read(size):
        yield data


class _Body(io.RawIOBase):
    """The body of one GET, which must be as long as its header says."""

    def __init__(self, body: Any, length: int, uri: str) -> None:
        self._body, self._left, self._uri = body, length, uri

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer`; 0 only at the true end."""
        with translated(self._uri):
            data: bytes = self._body.read(len(buffer))
        self._left -= len(data)
        if not data and self._left > 0:
            raise TransientStorageError(f"{self._uri} broke off with {self._left} bytes to come", hint="The connection was cut; try again")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Give the connection back, or drop it if there is more to come."""
        self._body.close()
        super().close()
