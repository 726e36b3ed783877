from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.generated import write_once
from identity import keys


def make_trail_key(path: Path) -> bool:
    """Make the key that seals the trail, unless it exists; an existing one is never replaced here."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return write_once(path, pem)


class Command(BaseCommand):
    help = "Makes the keys that sign tokens and the key that seals the trail."
    requires_system_checks: list[str] = []  # it mends what they complain about

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--output-dir", type=Path, help="where to put them (as the settings say)")
        parser.add_argument("--key-size", type=int, choices=[2048, 4096], default=2048)
        parser.add_argument("--force", action="store_true", help="replace the keys; old tokens stay valid")
        parser.add_argument("--rotate", action="store_true", help="make the next key the current one")

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path | None = options["output_dir"]
        files = keys.KeyFiles.inside(folder) if folder else keys.KeyFiles.configured()
        trail = folder / "trail_signing_key.pem" if folder else Path(settings.TRAIL_SIGNING_KEY_PATH)
        try:
            self._make(files, options)
            made_trail_key = make_trail_key(trail)
        except (OSError, keys.KeysUnreadable) as error:
            raise CommandError(f"Nothing was made: {error}.") from error
        self.stdout.write(f"{files.private}\n{files.public}")
        if made_trail_key:
            self.stdout.write(str(trail))

    def _make(self, files: keys.KeyFiles, options: dict[str, Any]) -> None:
        exists = files.private.exists() or files.public.exists()
        if options["rotate"]:
            keys.rotate(files, options["key_size"])
        elif options["force"]:
            keys.renew(files, options["key_size"])
        elif exists:
            raise CommandError(
                f"{files.private} or {files.public} exists; use --rotate, or --force to replace it."
            )
        else:
            keys.make(files, options["key_size"])
