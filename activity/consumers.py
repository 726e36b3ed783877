"""The live feed's door: `/ws/activity/`."""

from typing import Any, ClassVar

from activity.feed import Reader, RowOutbox, follower
from activity.queries.search import Filter
from activity.serializers import FilterFields
from config import inputs
from config.errors import InvalidInput
from config.sockets import Code, SignedInConsumer, SocketClosed

LAST = 2**63 - 1


class ActivityFeed(SignedInConsumer):
    """New rows of the trail as they are committed, for readers of the trail.

    The client sends `{"type":"subscribe","after":N?,"filter":{…}?}` or `{"type":"ping"}`; the server sends `hello`,
    `row`, `rows`, `gap` and `pong`.
    """

    room = "activity"
    permission = "activity.read_trail"
    sent_per_second: ClassVar[int | None] = 20
    outbox: RowOutbox

    def new_outbox(self) -> RowOutbox:
        return RowOutbox()

    async def opened(self) -> None:
        self.reader = Reader(self.outbox)
        self.post({"type": "hello", "sequence": await follower().join(self.reader)})

    def left(self) -> None:
        if self.admitted is not None:
            follower().leave(self.reader)

    async def received(self, message: dict[str, Any]) -> None:
        kind = message.pop("type", None)
        if kind == "ping" and not message:
            self.post({"type": "pong"})
        elif kind == "subscribe" and message.keys() <= {"after", "filter"}:
            await self._subscribe(message)
        else:
            raise SocketClosed(Code.BAD_FRAME)

    async def _subscribe(self, message: dict[str, Any]) -> None:
        after, asked = message.get("after"), self._filter(message.get("filter"))
        if after is None:
            self.reader.choose(asked)
        elif isinstance(after, bool) or not isinstance(after, int) or not 0 <= after <= LAST:
            raise SocketClosed(Code.BAD_FRAME)
        else:
            await self.reader.replay(asked, after, follower())

    def _filter(self, fields: Any) -> Filter:
        try:
            return Filter.of(inputs.checked(FilterFields, {} if fields is None else fields, strict=True))
        except InvalidInput:
            raise SocketClosed(Code.BAD_FRAME) from None
