from django.apps import AppConfig


class IdentityConfig(AppConfig):
    name = "identity"
    verbose_name = "Identity"

    def ready(self) -> None:
        from identity import (  # noqa: F401, PLC0415 - registering needs settings that are loaded
            checks,
            openapi,
        )
