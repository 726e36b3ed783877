"""The door of every connection: sockets go to Channels, requests to Django's WSGI handler on lasting threads.

Stock Django under ASGI hops between threads and opens database connections per request; a few threads that
live as long as the process serve the same view several times faster (bench/http.py prints by how much).
Small bodies are read before a thread is taken and long answers are sent by threads of their own, so that
neither a slow sender nor a slow reader keeps the others waiting.
"""

import asyncio
import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote_to_bytes

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import URLPattern, get_resolver, re_path

Message = dict[str, Any]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

SMALL_BODY = 1_048_576
STREAMS = 16
OWN_NAMES = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


class Upload(io.RawIOBase):
    """A large body, read from the connection as far as the view asks for it, and no further."""

    def __init__(self, receive: Receive, loop: asyncio.AbstractEventLoop) -> None:
        self.receive, self.loop = receive, loop
        self.pending, self.more = memoryview(b""), True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.pending and self.more:
            message = asyncio.run_coroutine_threadsafe(_body_part(self.receive), self.loop).result()
            self.pending, self.more = memoryview(message["body"]), message["more_body"]
        part, self.pending = self.pending[: len(buffer)], self.pending[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


async def _body_part(receive: Receive) -> Message:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ConnectionResetError("The client left before its request was complete")
    return {"body": message.get("body", b""), "more_body": message.get("more_body", False)}


async def _whole_body(receive: Receive, ceiling: int) -> bytes:
    """The body, or its first part as soon as that passes the ceiling."""
    parts, size, more = [], 0, True
    while more and size <= ceiling:
        message = await _body_part(receive)
        parts.append(message["body"])
        size, more = size + len(message["body"]), message["more_body"]
    return b"".join(parts)


def _environ(scope: Scope) -> dict[str, Any]:
    """The WSGI environment of a request; names with an underscore are dropped, they could pose as others."""
    host, port = scope.get("server") or ("localhost", 80)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": scope.get("root_path", ""),
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin1"),
        "QUERY_STRING": scope["query_string"].decode("latin1"),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 0),
        "SERVER_PROTOCOL": "HTTP/" + scope["http_version"],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue
        key = OWN_NAMES.get(name) or "HTTP_" + name.decode("latin1").upper().replace("-", "_")
        text = value.decode("latin1")
        if key in environ:
            text = environ[key] + ("; " if key == "HTTP_COOKIE" else ",") + text
        environ[key] = text
    return environ


class OnThreads:
    """An ASGI application that answers with a WSGI application on `threads` lasting threads.

    A chunked body, whose length nobody declared, is read up to `ceiling` bytes; what is longer arrives with
    its first part and a length over the ceiling, so that the site's own rule for sizes refuses it.
    """

    def __init__(self, handler: Callable[..., Any], threads: int, ceiling: int) -> None:
        self.handler, self.ceiling = handler, ceiling
        self.web = ThreadPoolExecutor(threads, thread_name_prefix="web")
        self.streams = ThreadPoolExecutor(STREAMS, thread_name_prefix="stream")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        environ = _environ(scope)
        try:
            environ["wsgi.input"] = await self.body(environ, receive, loop)
        except ConnectionResetError:
            return
        start, content, response = await loop.run_in_executor(self.web, self.answer, environ)
        await send(start)
        if response is None:
            await send({"type": "http.response.body", "body": content})
        else:
            await self.stream(response, receive, send, loop)

    async def body(self, environ: dict[str, Any], receive: Receive, loop: asyncio.AbstractEventLoop) -> Any:
        declared = environ.get("CONTENT_LENGTH", "")
        if "HTTP_TRANSFER_ENCODING" in environ:
            whole = await _whole_body(receive, self.ceiling)
            environ["CONTENT_LENGTH"] = str(len(whole))
            return io.BytesIO(whole)
        if declared in {"", "0"}:
            return io.BytesIO()
        if int(declared) > SMALL_BODY:
            return io.BufferedReader(Upload(receive, loop), 65_536)
        return io.BytesIO(await _whole_body(receive, SMALL_BODY))

    def answer(self, environ: dict[str, Any]) -> tuple[Message, bytes, Any]:
        """Run the request; a response that streams is handed back unread, any other is read and closed."""
        start: Message = {"type": "http.response.start"}

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            start["status"] = int(status[:3])
            start["headers"] = [(k.lower().encode("latin1"), v.encode("latin1")) for k, v in headers]

        response = self.handler(environ, start_response)
        if getattr(response, "streaming", False):
            return start, b"", response
        try:
            content = b"".join(response)
        finally:
            response.close()
        if not response.has_header("Content-Length") and start["status"] not in {204, 304}:
            start["headers"].append((b"content-length", b"%d" % len(content)))
        return start, content, None

    async def stream(
        self, response: Any, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop
    ) -> None:
        """Send chunk after chunk, each when the one before has left, until the end or until the client goes."""
        watch = asyncio.create_task(_departure(receive))

        def run() -> None:
            try:
                for chunk in _while_here(response, watch):
                    part = {"type": "http.response.body", "body": chunk, "more_body": True}
                    asyncio.run_coroutine_threadsafe(send(part), loop).result()  # type: ignore[arg-type]
            finally:
                response.close()

        try:
            await loop.run_in_executor(self.streams, run)
            await send({"type": "http.response.body", "body": b""})
        finally:
            watch.cancel()


async def _departure(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue


def _while_here(response: Any, watch: asyncio.Task[None]) -> Iterator[bytes]:
    for chunk in response:
        if watch.done():
            return
        yield chunk


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """Ready as soon as it is asked; a worker whose supervisor dies stops by itself."""
    await receive()
    wakes.attach()
    parent = multiprocessing.parent_process()
    if parent is not None:
        asyncio.get_running_loop().add_reader(parent.sentinel, os.kill, os.getpid(), signal.SIGTERM)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    """Refuse a handshake at an address that no app claims."""
    await send({"type": "websocket.close", "code": 4404})


os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_wsgi = get_wsgi_application()
import activity.urls  # noqa: E402 - needs the apps, which the line above loads
from activity import wakes  # noqa: E402
from identity.sockets import SocketKeeper  # noqa: E402
from traffic import ingest  # noqa: E402

get_resolver().url_patterns  # noqa: B018 - loads every view now, not during the first request

sockets: list[URLPattern] = [*activity.urls.sockets]
anywhere_else = re_path("", no_such_socket)  # type: ignore[arg-type]  # Channels routes applications, not views
pages = OnThreads(django_wsgi, settings.WEB_THREADS, max(size for _, size in settings.BODY_LIMITS))


def http(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
    """Visits have a short way of their own; everything else is Django's."""
    return (ingest.app if scope["path"] in ingest.PATHS else pages)(scope, receive, send)


application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": SocketKeeper(URLRouter([*sockets, anywhere_else])),
        "lifespan": lifespan,
    }
)
