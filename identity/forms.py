"""What a person types on the pages of identity."""

from django import forms
from django.utils.translation import gettext_lazy as _


def _current_password(label: str) -> forms.CharField:
    widget = forms.PasswordInput({"autocomplete": "current-password"})
    return forms.CharField(label=label, max_length=1024, strip=False, widget=widget)


class SignInForm(forms.Form):
    username = forms.CharField(
        label=_("Login or e-mail"),
        max_length=254,
        widget=forms.TextInput(
            {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    password = _current_password(_("Password"))


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Code from your authenticator app"),
        max_length=64,
        help_text=_("Six digits; a recovery code works too."),
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false", "autofocus": True}
        ),
    )


class PasswordForm(forms.Form):
    password = _current_password(_("Your password"))


class NewPasswordForm(forms.Form):
    password = _current_password(_("Current password"))
    new_password = forms.CharField(
        label=_("New password"),
        max_length=1024,
        strip=False,
        help_text=_("At least 8 characters, not a common one."),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
