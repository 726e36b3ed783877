import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from activity.callers import Caller
from config.errors import InvalidInput, Refusal
from identity.models import User
from identity.roles import Role
from identity.services import equip
from identity.services.passwords import insist_on_policy


class Command(BaseCommand):
    help = "Makes an administrator, or promotes an account: its password is set anew and its sign-ins end."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", default=os.environ.get("ADMIN_EMAIL"), help="default: ADMIN_EMAIL")
        parser.add_argument(
            "--password", default=os.environ.get("ADMIN_PASSWORD"), help="default: ADMIN_PASSWORD"
        )
        parser.add_argument("--username", help="default: the e-mail address")

    def handle(self, *args: Any, **options: Any) -> None:
        email, password = options["email"], options["password"]
        if not email or not password:
            raise CommandError("Give --email and --password, or set ADMIN_EMAIL and ADMIN_PASSWORD.")
        try:
            person, made = equip(
                email, password, username=options["username"], add=[Role.ADMIN], by=Caller.of_system("system")
            )
        except Refusal as refusal:
            raise CommandError(refusal_words(refusal)) from refusal
        warn_of_weakness(self, password, person)
        self.stdout.write(f"{'Made' if made else 'Promoted'}: {person.username} ({person.email}).")


def warn_of_weakness(command: BaseCommand, password: str, person: User) -> None:
    """Whoever sits at the terminal may choose a weak password, but is told."""
    try:
        insist_on_policy(password, person)
    except InvalidInput as error:
        command.stderr.write(command.style.WARNING(f"Warning: {error.errors[0]['msg']}"))


def refusal_words(refusal: Refusal) -> str:
    """A refusal as one sentence for the terminal."""
    errors = getattr(refusal, "errors", None)
    return "; ".join(f"{error['loc'][-1]}: {error['msg']}" for error in errors) if errors else refusal.detail
