"""Where the clock answers: `api` at the root and under /api/, `pages` at the root only."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, JsonResponse
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver, path, re_path, register_converter, resolve
from django.views.decorators.csrf import csrf_exempt

from punch import views
from punch.api import access, kiosk, kiosks, own, people, records

ADMIN_ROOTS = "ping|users|devices|kiosks|hr-codes|audit-logs|punches|dashboard|reports"


class Digits:
    """A number of a path; one too large for any id is still a number, and names nothing."""

    regex = "[0-9]{1,4000}"
    largest = 2**31

    def to_python(self, text: str) -> int:
        return min(int(text), self.largest)

    def to_url(self, number: int) -> str:
        return str(number)


register_converter(Digits, "digits")


@login_not_required
@csrf_exempt
def unknown(request: HttpRequest, rest: str = "") -> HttpResponseBase:
    """Whatever else lies under a root of this dialect is its own 404, never a page of the Django admin."""
    if request.path_info.endswith("/"):
        match = resolve(request.path_info[:-1])
        if match.func is not unknown:
            return match.func(request, *match.args, **match.kwargs)
    return JsonResponse({"detail": "Not Found"}, status=404)


api: list[URLPattern | URLResolver] = [
    path("info/ip", kiosk.OwnAddress.as_view()),
    path("devices/register", own.RegisterDevice.as_view()),
    path("devices/me", own.OwnDevices.as_view()),
    path("devices/<digits:pk>/revoke", own.RevokeOwnDevice.as_view()),
    path("punch/request-token", own.RequestToken.as_view()),
    path("punch/validate", kiosk.Validate.as_view()),
    path("punch/history", own.History.as_view()),
    path("kiosk/heartbeat", kiosk.Heartbeat.as_view()),
    path("kiosk/status", kiosk.OwnStatus.as_view()),
    path("kiosk/all-status", kiosk.AllStatus.as_view()),
    path("admin/ping", people.Ping.as_view()),
    path("admin/users", people.Accounts.as_view()),
    path("admin/users/<digits:pk>", people.OneAccount.as_view()),
    path("admin/users/<digits:pk>/role", people.AccountRole.as_view()),
    path("admin/devices", kiosks.Devices.as_view()),
    path("admin/devices/<digits:pk>/revoke", kiosks.RevokeDevice.as_view()),
    path("admin/kiosks", kiosks.Kiosks.as_view()),
    path("admin/kiosks/by-ip/<str:ip>", kiosk.KioskByAddress.as_view()),
    path("admin/kiosks/<digits:pk>", kiosks.OneKiosk.as_view()),
    path("admin/kiosks/<digits:pk>/generate-api-key", kiosks.GenerateKey.as_view()),
    path("admin/kiosks/<digits:pk>/access", access.AccessList.as_view()),
    path("admin/kiosks/<digits:pk>/access-mode", access.AccessMode.as_view()),
    path("admin/kiosks/<digits:pk>/grant-access", access.GrantAccess.as_view()),
    path("admin/kiosks/<digits:pk>/block-access", access.BlockAccess.as_view()),
    path("admin/kiosks/<digits:pk>/revoke-access/<digits:user_id>", access.RevokeAccess.as_view()),
    path("admin/hr-codes", records.HrCodes.as_view()),
    path("admin/audit-logs", records.AuditLogs.as_view()),
    path("admin/punches", records.Punches.as_view()),
    path("admin/dashboard/stats", records.Stats.as_view()),
    path("admin/reports/attendance", records.Attendance.as_view()),
    re_path(rf"^admin/(?:{ADMIN_ROOTS})(?:/(?P<rest>.*))?\Z", unknown),
]
pages: list[URLPattern | URLResolver] = [
    path("me/punch", views.my_punch, name="mine"),
    path("me/punch/device", views.make_device, name="make-device"),
    path("me/punch/device/<digits:pk>/revoke", views.revoke_device, name="revoke-device"),
    path("me/punch/qr", views.my_code, name="my-code"),
    path("kiosk/", views.kiosk, name="kiosk"),
    path("manage/presence", views.presence, name="presence"),
    path("manage/timesheet", views.timesheet, name="timesheet"),
    path("manage/timesheet/export", views.timesheet_file, name="timesheet-file"),
]
