"""Shapes of accounts and tokens on the wire."""

from typing import Any

from django.core.validators import EmailValidator
from rest_framework import serializers

from config.inputs import Line, Text
from identity.encryption import normalised
from identity.models import User, valid_username
from identity.roles import Role

LONGEST_KEY = 300  # the column that makes login and e-mail unique without regard to case
STRONGEST = (Role.ADMIN, Role.MANAGER, Role.USER)


class Login(Line):
    """A login: letters, digits and `@ . + - _`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_length=150, validators=[valid_username], **options)

    def run_validators(self, value: str) -> None:
        super().run_validators(value)
        if len(normalised(value)) > LONGEST_KEY:
            self.fail("max_length", max_length=self.max_length)


class Email(Line):
    """An e-mail address by Django's syntax check; nobody asks the DNS."""

    def __init__(self, **options: Any) -> None:
        check = EmailValidator("value is not a valid email address")
        super().__init__(max_length=254, validators=[check], **options)

    def run_validators(self, value: str) -> None:
        super().run_validators(value)
        if len(normalised(value)) > LONGEST_KEY:
            self.fail("max_length", max_length=self.max_length)


class Person(serializers.ModelSerializer):
    """An account in the words of KitsuTrail."""

    id = serializers.UUIDField(source="uuid")
    login = serializers.CharField(source="username")
    firstname = serializers.SerializerMethodField()
    lastname = serializers.SerializerMethodField()
    email = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "login", "firstname", "lastname", "email", "created_at"]

    def get_firstname(self, user: User) -> str | None:
        return user.first_name or None

    def get_lastname(self, user: User) -> str | None:
        return user.last_name or None

    def get_email(self, user: User) -> str | None:
        return user.email or None


class NewPerson(serializers.Serializer):
    login = Login()
    firstname = Line(source="first_name", max_length=150, allow_null=True, allow_blank=True, required=False)
    lastname = Line(source="last_name", max_length=150, allow_null=True, allow_blank=True, required=False)
    email = Email(allow_null=True, allow_blank=True, required=False)


class ChangedPerson(NewPerson):
    login = Login(required=False)


class Account(serializers.ModelSerializer):
    """An account in the words of Chrona: one role, the strongest."""

    email = serializers.SerializerMethodField()
    role = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = ["id", "email", "role", "created_at"]

    def get_email(self, user: User) -> str:
        return user.email or ""

    def get_role(self, user: User) -> str:
        return next((role.value for role in STRONGEST if role in user.roles), Role.USER.value)


class Registration(serializers.Serializer):
    email = Email()
    password = Text(max_length=128)


class PasswordGrant(serializers.Serializer):
    """The form of OAuth 2.0's password grant (RFC 6749, 4.3.2), with a one-time code beside it."""

    username = Text(max_length=254)
    password = Text(max_length=128)
    grant_type = serializers.ChoiceField(["password"], required=False, allow_blank=True)
    scope = Text(required=False, allow_blank=True)
    client_id = Text(required=False, allow_blank=True)
    client_secret = Text(required=False, allow_blank=True)
    otp = Text(max_length=64, required=False, allow_blank=True)


class RefreshGrant(serializers.Serializer):
    refresh_token = Text(max_length=4096)


class SignOut(serializers.Serializer):
    refresh_token = Text(max_length=4096, required=False, allow_null=True)


class TokenPair(serializers.Serializer):
    access_token = serializers.CharField()
    token_type = serializers.CharField()
    expires_in = serializers.IntegerField(help_text="Seconds until the access token expires")
    refresh_token = serializers.CharField()


class PublicKey(serializers.Serializer):
    kty = serializers.CharField()
    use = serializers.CharField()
    alg = serializers.CharField()
    kid = serializers.CharField()
    n = serializers.CharField()
    e = serializers.CharField()


class PublicKeys(serializers.Serializer):
    keys = PublicKey(many=True)
