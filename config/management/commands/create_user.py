from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from activity.callers import Caller
from config.errors import Refusal
from config.management.commands.create_admin import refusal_words, warn_of_weakness
from identity.roles import Role
from identity.services import equip


class Command(BaseCommand):
    help = (
        "Makes an account with these roles, or gives an existing one exactly these roles and this password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", required=True)
        parser.add_argument("--username", help="default: the e-mail address")
        parser.add_argument(
            "--role",
            action="append",
            choices=[role.value for role in Role],
            help="may be repeated; default: user",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            person, made = equip(
                options["email"],
                options["password"],
                username=options["username"],
                roles=options["role"] or [Role.USER],
                by=Caller.of_system("system"),
            )
        except Refusal as refusal:
            raise CommandError(refusal_words(refusal)) from refusal
        warn_of_weakness(self, options["password"], person)
        self.stdout.write(f"{'Made' if made else 'Set'}: {person.username} ({', '.join(person.roles)}).")
