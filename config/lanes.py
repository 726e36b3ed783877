"""Threads that ask the database on behalf of asynchronous code; their connections last."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import close_old_connections

Answer = TypeVar("Answer")


class Lane:
    """A few threads of their own, so that a crowd in one lane keeps nobody waiting in another."""

    def __init__(self, name: str, threads: int = 1) -> None:
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def ask(self, question: Callable[..., Answer], *args: Any) -> Answer:
        """What a synchronous function answers."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, self._answer, question, args)

    def _answer(self, question: Callable[..., Answer], args: Any) -> Answer:
        close_old_connections()  # the database may have gone, or come back, since the last question
        try:
            return question(*args)
        finally:
            close_old_connections()
