"""The project's settings, plus addresses that only the tests of the server need."""

from config.settings import *  # noqa: F403

ROOT_URLCONF = "tests.served_urls"
