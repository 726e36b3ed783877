"""What a person types on the pages of identity."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _


def _current_password(label: Any) -> forms.CharField:
    widget = forms.PasswordInput({"autocomplete": "current-password"})
    return forms.CharField(label=label, max_length=1024, strip=False, widget=widget)


class Form(forms.Form):
    """Labels stand above their fields and need no colon."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{"label_suffix": "", **options})


class SignInForm(Form):
    username = forms.CharField(
        label=_("Login or e-mail"),
        max_length=254,
        widget=forms.TextInput(
            {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false", "autofocus": True}
        ),
    )
    password = _current_password(_("Password"))


class CodeForm(Form):
    code = forms.CharField(
        label=_("Code from your authenticator app"),
        max_length=64,
        help_text=_("Six digits; a recovery code works too."),
        widget=forms.TextInput(
            {"autocomplete": "one-time-code", "inputmode": "text", "spellcheck": "false", "autofocus": True}
        ),
    )


class FirstCodeForm(CodeForm):
    """Confirms an enrolment; there are no recovery codes yet."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["code"].help_text = _("Six digits.")
        self.fields["code"].widget.attrs["inputmode"] = "numeric"


class PasswordForm(Form):
    password = _current_password(_("Your password"))


class NewPasswordForm(Form):
    password = _current_password(_("Current password"))
    new_password = forms.CharField(
        label=_("New password"),
        max_length=1024,
        strip=False,
        help_text=_("At least 8 characters, not a common one."),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
    )
