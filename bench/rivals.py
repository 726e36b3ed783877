"""What bench/visits.py measures against: the bare limit of the server, and a counter in memory with FastAPI."""

import json
import multiprocessing
from typing import Any


async def bare(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Decode the body, reply. Nothing can be faster behind the same server."""
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    json.loads(body)
    reply = b'{"success":true,"visit_count":1,"message":"Visit logged successfully. Total visits: 1"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


def counter() -> Any:
    """A FastAPI application that counts in a `multiprocessing.Manager`: shared by processes, gone at a restart."""
    from fastapi import FastAPI
    from pydantic import BaseModel

    class Visit(BaseModel):
        user_id: str
        page_url: str
        user_agent: str | None = None
        ip_address: str | None = None
        referrer: str | None = None

    manager = multiprocessing.get_context("fork").Manager()
    total, lock = manager.Value("i", 0), manager.Lock()
    app = FastAPI()

    @app.post("/visit")
    async def visit(asked: Visit) -> dict[str, Any]:
        with lock:
            total.value += 1
            number = total.value
        return {
            "success": True,
            "visit_count": number,
            "message": f"Visit logged successfully. Total visits: {number}",
        }

    return app
