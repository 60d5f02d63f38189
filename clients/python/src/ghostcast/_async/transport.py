"""Requests to the service: sent, repeated where that is safe, and their errors raised as our own."""

from __future__ import annotations

from typing import Any

import httpx

from .. import _backend_async as backend
from .._tls import certificates
from .._wire import backoffs, base_of, is_loopback, service_error
from ..errors import ConnectionFailed


class AsyncTransport:
    """The connections of one client."""

    def __init__(self, base_url: str, token: str | None, timeout_s: float, retries: int) -> None:
        self.base_url = base_of(base_url)
        self.timeout_s = timeout_s
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._retries = retries
        # A proxy of the environment does not lead back to this machine.
        self.proxied = not is_loopback(self.base_url)
        self._http = httpx.AsyncClient(
            headers=self.headers, timeout=timeout_s, trust_env=self.proxied, verify=certificates()
        )

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def json(self, method: str, path: str, **options: Any) -> Any:
        """The JSON of an answer; `options` as for `request`."""
        response = await self.request(method, path, **options)
        try:
            return response.json()
        except ValueError:
            # A success that is no JSON comes from something other than the service.
            raise ConnectionFailed(
                f"what listens at {self.base_url} is not the service", may_have_been_done=True
            ) from None

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        params: dict[str, str] | None = None,
        timeout_s: float | None = None,
    ) -> httpx.Response:
        """An answer that is no error.

        A GET is sent again when no connection came about, when it broke, and after 503. Nothing else
        is: it might be done twice.
        """
        tries = self._retries + 1 if method == "GET" else 1
        for left, pause_s in zip(reversed(range(tries)), backoffs(), strict=False):
            try:
                response = await self._http.request(
                    method,
                    self.base_url + path,
                    json=json,
                    params=params,
                    timeout=timeout_s or self.timeout_s,
                )
            except httpx.TransportError as error:
                # An answer that does not come in time has had its time already.
                if left == 0 or isinstance(error, httpx.ReadTimeout):
                    raise self._lost(error) from error
            else:
                if response.is_success:
                    return response
                if left == 0 or response.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                    request_id = response.headers.get("x-request-id")
                    raise service_error(response.status_code, response.content, request_id)
            await backend.sleep(pause_s)
        raise AssertionError("the last try returns or raises")

    def _lost(self, error: httpx.TransportError) -> ConnectionFailed:
        before = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
        is_before = isinstance(error, (*before, httpx.UnsupportedProtocol))
        if is_before:
            what = f"no connection to {self.base_url}"
        elif isinstance(error, httpx.TimeoutException):
            what = f"{self.base_url} has not answered in time"
        else:
            what = f"the connection to {self.base_url} broke before the answer"
        cause = str(error)
        message = f"{what}: {cause}" if cause else what
        return ConnectionFailed(message, may_have_been_done=not is_before)
