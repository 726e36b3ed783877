"""The register of devices: who registers one, who revokes one."""

from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from activity.callers import Caller
from activity.models import Domain
from activity.services import recorded
from config.errors import Refusal
from identity.models import Device, DeviceQuerySet, User

SHOWN_OF_FINGERPRINT = 16


class FingerprintTaken(Refusal):
    """A fingerprint belongs to one device for ever, revoked or not."""

    status, detail = 409, "Device with this fingerprint already registered"


class TooManyDevices(Refusal):
    status, detail = 409, "Maximum number of active devices reached"


class DeviceUnknown(Refusal):
    status, detail = 404, "Device not found"


class DeviceNotOwned(Refusal):
    status, detail = 404, "Device not found or not owned by user"


class AlreadyRevoked(Refusal):
    status, detail = 400, "Device is already revoked"


def _refuse_taken(fingerprint: str, owner: User) -> None:
    taken = Device.objects.filter(device_fingerprint=fingerprint).first()
    if taken is not None:
        raise FingerprintTaken(
            f"{FingerprintTaken.detail} for user" if taken.user_id == owner.pk else FingerprintTaken.detail
        )


def register_device(
    owner: User, fingerprint: str, name: str, attestation: str | None = None, *, by: Caller
) -> Device:
    """A new device of this person; FingerprintTaken or TooManyDevices (MAX_ACTIVE_DEVICES_PER_USER)."""
    details: dict[str, Any] = {
        "device_name": name,
        "device_fingerprint": f"{fingerprint[:SHOWN_OF_FINGERPRINT]}...",
    }
    with recorded("device_registered", domain=Domain.PUNCH, by=by, person=owner, details=details) as line:
        User.objects.select_for_update(no_key=True).get(
            pk=owner.pk
        )  # registers of one person wait for each other
        _refuse_taken(fingerprint, owner)
        if Device.objects.of(owner).active().count() >= settings.MAX_ACTIVE_DEVICES_PER_USER:
            raise TooManyDevices
        now = timezone.now()
        device = Device(
            user=owner,
            device_fingerprint=fingerprint,
            device_name=name,
            attestation_data=attestation,
            registered_at=now,
            last_seen_at=now,
        )
        _insert(device, owner)
        line.target = ("device", device.pk)
    return device


def _insert(device: Device, owner: User) -> None:
    try:
        with transaction.atomic():
            device.save(force_insert=True)
    except IntegrityError:  # somebody else registered it since we looked
        _refuse_taken(device.device_fingerprint, owner)
        raise


def _revoke(found: DeviceQuerySet, absent: type[Refusal], by: Caller) -> Device:
    with recorded("device_revoked", domain=Domain.PUNCH, by=by) as line:
        device = found.select_related("user").first()
        if device is None:
            raise absent
        now = timezone.now()
        # the conditional update decides between two who revoke at once
        if not Device.objects.active().filter(pk=device.pk).update(is_revoked=True, revoked_at=now):
            raise AlreadyRevoked
        device.is_revoked, device.revoked_at = True, now
        line.person, line.target = device.user, ("device", device.pk)
        line.details["device_name"] = device.device_name
    return device


def revoke_own_device(device_id: int, *, owner: User, by: Caller) -> Device:
    """The owner gives a device up; DeviceNotOwned, AlreadyRevoked."""
    return _revoke(Device.objects.of(owner).filter(pk=device_id), DeviceNotOwned, by)


def revoke_device(device_id: int, *, by: Caller) -> Device:
    """Somebody else ends a device; DeviceUnknown, AlreadyRevoked."""
    return _revoke(Device.objects.filter(pk=device_id), DeviceUnknown, by)


def retire_devices(owner: User) -> int:
    """Revoke all devices of an account that is being retired, inside the open transaction; how many."""
    return Device.objects.of(owner).active().update(is_revoked=True, revoked_at=timezone.now())
