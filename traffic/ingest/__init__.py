"""The way in for visits: `app` answers `/visit` under ASGI, `store_now` writes visits from ordinary code."""

from traffic.ingest.door import PATHS, Door
from traffic.ingest.ledger import Ask, Ledger

app = Door()

__all__ = ["PATHS", "Ask", "Ledger", "app"]
