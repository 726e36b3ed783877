"""Where identity answers: `api` under /auth/ and /api/auth/, `kitsutrail` under /api/v1/, `pages` under /accounts/."""

from django.urls import URLPattern, URLResolver, path

from identity.api import doors, people
from identity.views import door, security

api: list[URLPattern | URLResolver] = [
    path("register", doors.Register.as_view(), name="register"),
    path("token", doors.Token.as_view(), name="token"),
    path("me", doors.Me.as_view(), name="me"),
    path("refresh", doors.Refresh.as_view(), name="refresh"),
    path("logout", doors.Logout.as_view(), name="logout"),
]
kitsutrail: list[URLPattern | URLResolver] = [
    path("users/", people.PeopleList.as_view(), name="people"),
    path("users/login/<str:login>", people.PersonByLogin.as_view(), name="person-by-login"),
    path("users/<str:uuid>", people.OnePerson.as_view(), name="person"),
]
well_known: list[URLPattern | URLResolver] = [
    path("jwks.json", doors.SigningKeys.as_view(), name="signing-keys"),
]
pages: list[URLPattern | URLResolver] = [
    path("login/", door.login, name="login"),
    path("logout/", door.logout, name="logout"),
    path("security/", security.overview, name="security"),
    path("security/password/", security.change_password, name="change-password"),
    path("security/second-factor/", security.enrol, name="enrol-factor"),
    path("security/second-factor/confirm/", security.confirm, name="confirm-factor"),
    path("security/second-factor/remove/", security.remove, name="remove-factor"),
    path("security/sign-ins/others/end/", security.end_others, name="end-others"),
    path("security/sign-ins/<uuid:sign_in>/end/", security.end_sign_in, name="end-sign-in"),
    path("security/devices/<int:device>/revoke/", security.revoke_device, name="revoke-device"),
]
