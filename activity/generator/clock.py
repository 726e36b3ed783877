"""Time as the generator counts it: whole milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MORNING = (6 * HOUR, 10 * HOUR)
AFTERNOON = (13 * HOUR, 15 * HOUR)

# An ISO 8601 time is the text of its day, of its minute of the day and of its millisecond of the minute.
MINUTES_TEXT = [f"T{minute // 60:02d}:{minute % 60:02d}:" for minute in range(24 * 60)]
SECONDS_TEXT = [f"{ms // SECOND:02d}.{ms % SECOND:03d}000Z" for ms in range(MINUTE)]


def milliseconds(moment: datetime) -> int:
    """A moment as milliseconds, rounded down."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def moment(at: int) -> datetime:
    """Milliseconds as an aware moment in UTC."""
    return EPOCH + timedelta(milliseconds=at)


def day_text(at: int) -> str:
    """The day of a moment as YYYY-MM-DD."""
    return (EPOCH + timedelta(milliseconds=at)).date().isoformat()


def next_start(ended: int, wait: int, delay: int) -> int:
    """When a person whose session ended comes back (activity.md 6.3, rule 3).

    `wait` and `delay` are uniform 32-bit draws: the pause, and the delay after the start of a busy window that
    the pause would have jumped over.
    """
    today, of_day = ended - ended % DAY, ended % DAY
    working = (ended // DAY + 3) % 7 < 5  # 1970-01-01 was a Thursday
    if working and (MORNING[0] <= of_day < MORNING[1] or AFTERNOON[0] <= of_day < AFTERNOON[1]):
        return ended + 5 * MINUTE + (wait * (10 * MINUTE + 1) >> 32)
    start = ended + HOUR + (wait * (2 * HOUR + 1) >> 32)
    if working and of_day < AFTERNOON[0]:  # later windows are too far away to be jumped over
        window = today + (MORNING[0] if of_day < MORNING[0] else AFTERNOON[0])
        if start > window:
            start = window + (delay * (15 * MINUTE + 1) >> 32)
    return max(start, ended + 5 * MINUTE)
