"""What a generated row says besides who, when, where: one shape for each possible outcome."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from activity.generator.people import PROVIDERS, BaseProvider

REFUSED_SIGN_IN = ["role_missing", "group_missing", "attribut_mismatch", "wrong_credentials"]
REFUSED_ACCESS = ["role_missing", "group_missing", "attribut_mismatch", "profile_missing"]

# What a row has beside the columns below, in the order of the canonical JSON (`activity.sealing`).
OWN_COLUMNS = ("audit_id", "source_ip", "timestamp", "trace_id", "user_id", "user_login")
BEFORE_AUDIT, AFTER_AUDIT = ("action",), (
    "category", "details", "domain", "info", "object_id", "object_type", "provider_id", "provider_name",
    "provider_protocol", "provider_type", "reason", "result", "source_admin",
)  # fmt: skip
SHAPE_COLUMNS = (*BEFORE_AUDIT, *AFTER_AUDIT)


def _members(columns: tuple[str, ...], values: Mapping[str, Any]) -> str:
    picked = {column: values[column] for column in columns}
    return json.dumps(picked, separators=(",", ":"), ensure_ascii=False, sort_keys=True)[1:-1]


@dataclass(frozen=True, eq=False, slots=True)
class Shape:
    """The columns that many rows share, with the pieces of canonical JSON they amount to.

    Compared by identity, so that writers can remember by shape what they made of it.
    """

    domain: str
    category: str
    action: str
    result: str
    reason: str | None = None
    info: str | None = None
    provider: BaseProvider | None = None
    source_admin: str | None = None
    object_type: str | None = None
    object_id: str | None = None
    details: Mapping[str, Any] | None = None
    before_audit: str = field(init=False)
    after_audit: str = field(init=False)

    def __post_init__(self) -> None:
        values = self.columns()
        object.__setattr__(self, "before_audit", "{" + _members(BEFORE_AUDIT, values) + ',"audit_id":"')
        object.__setattr__(self, "after_audit", '",' + _members(AFTER_AUDIT, values) + ',"source_ip":"')

    def columns(self) -> dict[str, Any]:
        """The shared columns by name; provider ids are the nominal 1..8."""
        named = {column: getattr(self, column, None) for column in SHAPE_COLUMNS}
        if self.provider is not None:
            named |= {f"provider_{name}": value for name, value in self.provider.columns().items()}
        return named


@dataclass(frozen=True, eq=False, slots=True)
class Who:
    """The person a row is about, with the end of the canonical JSON."""

    user_id: str | None
    login: str | None
    tail: str = field(init=False)

    def __post_init__(self) -> None:
        values = {"user_id": self.user_id, "user_login": self.login}
        object.__setattr__(self, "tail", _members(("user_id", "user_login"), values) + "}")


NOBODY = Who(None, None)
IDPS = [provider for provider in PROVIDERS if provider.type == "idp"]
SPS = [provider for provider in PROVIDERS if provider.type == "sp"]


def _autorisation(action: str, **columns: Any) -> Shape:
    return Shape("activity", "autorisation", action, **columns)


def _failures(action: str, provider: BaseProvider, infos: list[str]) -> list[Shape]:
    """The failures of one action as one list in which each reason has its share (rule 5): 4 slots a reason."""
    place = provider.type.upper()
    outcomes = [("unknown_user", f"Unknown in {place}")] * 4 + [
        ("account_locked", f"Account locked in {place}")
    ] * 4
    outcomes += [("permission_denied", info) for info in infos]
    if action == "authentication":
        outcomes += [("timeout", "No response from user")] * 4
    made = {
        outcome: _autorisation(action, result="fail", reason=outcome[0], info=outcome[1], provider=provider)
        for outcome in outcomes
    }
    return [made[outcome] for outcome in outcomes]


def _authentications() -> tuple[list[Shape], list[Shape]]:
    """Successes by IdP; failures as IdP × reason × info, to be picked uniformly."""
    success = [_autorisation("authentication", result="success", provider=idp) for idp in IDPS]
    failures = [shape for idp in IDPS for shape in _failures("authentication", idp, REFUSED_SIGN_IN)]
    return success, failures


def _accesses() -> list[Shape]:
    """SP × outcome in equal shares: of 36 slots an SP, 24 succeed and 12 fail (rule 4: 2/3)."""
    slots = []
    for sp in SPS:
        slots += [_autorisation("access", result="success", provider=sp)] * 24
        slots += _failures("access", sp, REFUSED_ACCESS)
    return slots


SIGNED_IN, NOT_SIGNED_IN = _authentications()
ACCESSES = _accesses()
SYNTHETIC = [
    _autorisation(
        "access",
        result="fail",
        reason="unknown_user",
        info="Unknown in KT",
        provider=sp,
        details={"synthetic": True},
    )
    for sp in SPS
]


def _created(domain: str, action: str, object_type: str, object_id: str, **columns: Any) -> Shape:
    return Shape(
        domain,
        "management",
        action,
        "success",
        source_admin="init-system",
        object_type=object_type,
        object_id=object_id,
        **columns,
    )


def person_created(uuid: str) -> Shape:
    """The first row of a person (rule 1)."""
    return _created("identity", "create_user", "user", uuid)


def provider_created(provider: BaseProvider) -> Shape:
    """The first row of a provider (rule 2)."""
    return _created("activity", "create_provider", "provider", str(provider.id), provider=provider)
