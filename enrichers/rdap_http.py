"""One RDAP conversation through ipwhois: at most a few requests, each bounded in time, size and redirects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from http.client import HTTPMessage
from typing import IO, Any, Final, NoReturn
from urllib.error import HTTPError
from urllib.request import (
    BaseHandler,
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from abuse_pipeline.api import IPAddress, LookupUnavailable

_LARGEST_ANSWER: Final = 1_000_000
_CHUNK: Final = 16_384
_MOST_REDIRECTS: Final = 4
_NOT_FOUND: Final = 404


class Conversation:
    """rdap_url: base of the server to ask, None for ARIN's bootstrap. deadline: of `time.monotonic`."""

    def __init__(self, ip: IPAddress, rdap_url: str | None, *, deadline: float, timeout: float) -> None:
        self._ip = ip
        self._url = rdap_url.rstrip("/") if rdap_url else None
        self._watch = _Watch(deadline)
        self._timeout = timeout
        self._net: Any = None

    def network(self) -> dict[str, Any] | None:
        """The registry's answer about the address; None when there is none (404, or no registry hands it out)."""
        import dns.resolver
        from ipwhois.exceptions import IPDefinedError
        from ipwhois.net import Net

        try:
            opener = _opener(self._watch)
            self._net = Net(str(self._ip), timeout=self._timeout, proxy_opener=opener)  # type: ignore[no-untyped-call]
        except IPDefinedError:
            return None
        except dns.resolver.NoResolverConfiguration:
            # `Net` prepares a resolver for ASN look-ups, which we do not even make.
            raise LookupUnavailable("this machine has no name server configured", where="RDAP") from None
        return self._get(f"ip/{self._ip}")

    def entity(self, handle: str) -> dict[str, Any] | None:
        """The full record of an entity that the network's answer only names."""
        return self._get(f"entity/{handle}")

    def described(self, answer: dict[str, Any]) -> Iterator[tuple[str, object]]:
        """Name and prefixes of the network, as ipwhois reads them; nothing when it cannot read them."""
        from ipwhois.exceptions import InvalidNetworkObject
        from ipwhois.rdap import RDAP

        alone = {key: value for key, value in answer.items() if key != "entities"}
        try:
            reader: Any = RDAP(self._net)  # type: ignore[no-untyped-call]
            network = reader.lookup(response=alone, bootstrap=True, retry_count=0)["network"]
        except (InvalidNetworkObject, AttributeError, IndexError, KeyError, TypeError, ValueError):
            # ipwhois trusts the types in the answer; the abuse contact may be readable all the same.
            return
        yield "network_name", network.get("name")
        yield "network", network.get("cidr")

    def _get(self, path: str) -> dict[str, Any] | None:
        from ipwhois.exceptions import HTTPLookupError, HTTPRateLimitError
        from ipwhois.rdap import BOOTSTRAP_URL

        self._watch.begin()
        try:
            answer = self._net.get_http_json(url=f"{self._url or BOOTSTRAP_URL}/{path}", retry_count=0)
        except HTTPRateLimitError:
            raise LookupUnavailable("the registry asks us to wait", where=self._where, todo=self._watch.wait) from None
        except HTTPLookupError:
            if self._watch.status == _NOT_FOUND:
                return None
            raise LookupUnavailable(self._watch.trouble, where=self._where) from None
        if not isinstance(answer, dict):
            raise LookupUnavailable("the answer is no RDAP object (RFC 9083 section 5)", where=self._where)
        return answer

    @property
    def _where(self) -> str:
        return f"RDAP of {self._ip}"


class _Watch:
    """What ipwhois does not tell: the status behind its error, and how long a 429 wants us to wait."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self.begin()

    def begin(self) -> None:
        self.status: int | None = None
        self.wait = ""
        self._problem = ""

    def saw(self, status: int, headers: HTTPMessage) -> None:
        self.status = status
        wait = headers.get("Retry-After", "").strip()
        if wait.isascii() and wait.isdigit() and len(wait) < 8:
            self.wait = f"retry after {wait} s (RFC 9110 section 10.2.3)"

    def remaining(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            self.fail("no answer in time")
        return left

    def fail(self, problem: str) -> NoReturn:
        self._problem = problem
        raise OSError(problem)

    @property
    def trouble(self) -> str:
        if self._problem:
            return self._problem
        if self.status is None:
            return "the server cannot be reached"
        return "the answer is no JSON" if self.status == 200 else f"the server answers with HTTP status {self.status}"


class _Bounds(BaseHandler):
    """Sees every response first, and puts bounds on its body."""

    handler_order = 100

    def __init__(self, watch: _Watch) -> None:
        self._watch = watch

    def http_request(self, request: Request) -> Request:
        request.timeout = self._watch.remaining()
        return request

    def http_response(self, request: Request, response: Any) -> Any:  # noqa: ARG002 - urllib's signature
        self._watch.saw(response.status, response.headers)
        response.read = _bounded_read(response, self._watch)
        return response

    https_request = http_request
    https_response = http_response


def _bounded_read(response: Any, watch: _Watch) -> Any:
    original = response.read1

    def read(amount: int | None = None) -> bytes:  # noqa: ARG001 - a file's signature
        """All of the body, whatever *amount*: ipwhois asks for all, and urllib for the rest after a redirect."""
        parts: list[bytes] = []
        size = 0
        while chunk := _next(original, watch):
            watch.remaining()
            size += len(chunk)
            if size > _LARGEST_ANSWER:
                watch.fail(f"the answer is larger than {_LARGEST_ANSWER} bytes")
            parts.append(chunk)
        return b"".join(parts)

    return read


def _next(original: Callable[[int], bytes], watch: _Watch) -> bytes:
    try:
        return original(_CHUNK)
    except OSError:
        watch.fail("the answer broke off")


class Redirects(HTTPRedirectHandler):
    """Follows a registry to its sister registry, but never from https to anything less."""

    max_redirections = _MOST_REDIRECTS
    max_repeats = 2

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if req.type == "https" and not newurl.lower().startswith("https://"):
            raise HTTPError(req.full_url, code, "redirect away from https", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _opener(watch: _Watch) -> OpenerDirector:
    """Only what RDAP needs: no file:, no ftp:."""
    opener = OpenerDirector()
    opener.addheaders = [("User-Agent", "abuse-pipeline")]
    handlers = (
        ProxyHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        _Bounds(watch),
        Redirects(),
        HTTPErrorProcessor(),
        HTTPDefaultErrorHandler(),
    )
    for handler in handlers:
        opener.add_handler(handler)
    return opener
