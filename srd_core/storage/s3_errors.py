"""What botocore raises, as the errors of this project: what may pass with time, what will not, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    FlexibleChecksumError,
    HTTPClientError,
    IncompleteReadError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.exceptions import ConnectionError as UnreachableError

from srd_core.addresses import without_user
from srd_core.errors import ConflictError, StorageError, TransientStorageError

_PASSING = frozenset({"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "Throttling", "ThrottlingException", "InternalError"})
_CREDENTIALS = "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_ENDPOINT_URL, and what the account may do"


def status_of(error: ClientError) -> int:
    """HTTP status of an answer that says no; 0 if there is none."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _from_answer(error: ClientError, uri: str) -> StorageError:
    code, status = str(error.response.get("Error", {}).get("Code", "")), status_of(error)
    said = f"the server answers {status} {code}".rstrip()
    if status == 412:
        return ConflictError(f"{uri} has changed since it was listed", hint="Run again when nobody writes to the source")
    if (status >= 500 and status != 501) or status in (409, 429) or code in _PASSING:
        return TransientStorageError(f"{uri}: {said}", hint="Try again later")
    if code == "NoSuchBucket":
        return StorageError(f"{uri}: there is no such bucket", hint="Check the name and AWS_ENDPOINT_URL, or create the bucket")
    if status == 404:
        return StorageError(f"{uri} does not exist", hint="Check the key")
    if status in (401, 403):
        return StorageError(f"{uri}: access is denied ({said})", hint=_CREDENTIALS)
    return StorageError(f"{uri}: {said}", hint="Check that the server supports this request")


def _told(error: Exception, uri: str) -> str:
    """What the library says, which may hold the endpoint's address."""
    return f"{uri}: {without_user(str(error))}"[:300]


@contextmanager
def translated(uri: str) -> Iterator[None]:
    """Raise StorageError, TransientStorageError or ConflictError about `uri` for whatever botocore raises inside."""
    try:
        yield
    except ClientError as error:
        raise _from_answer(error, uri) from error
    except (NoCredentialsError, PartialCredentialsError) as error:
        raise StorageError(f"{uri}: no usable credentials", hint=_CREDENTIALS) from error
    except (HTTPClientError, UnreachableError, IncompleteReadError, FlexibleChecksumError) as error:
        raise TransientStorageError(_told(error, uri), hint="Check AWS_ENDPOINT_URL and the network, and try again") from error
    except (BotoCoreError, ValueError) as error:
        raise StorageError(_told(error, uri), hint="Check the bucket's name and AWS_ENDPOINT_URL") from error
