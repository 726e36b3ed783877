"""What the processes of one installation share about strangers: how often they came."""

from django.db import models


class RateWindow(models.Model):
    """How often one key (such as `login:203.0.113.7`) came since `started_at`."""

    key = models.CharField(max_length=120)
    seconds = models.PositiveIntegerField()
    started_at = models.FloatField(help_text="Unix time")
    count = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "seconds"], name="one_window_per_key")]
        indexes = [models.Index(fields=["started_at"], name="rate_window_started")]

    def __str__(self) -> str:
        return f"{self.key}: {self.count} in {self.seconds} s"
