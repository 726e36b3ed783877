from django.apps import AppConfig


class PunchConfig(AppConfig):
    name = "punch"
    verbose_name = "Punch"
