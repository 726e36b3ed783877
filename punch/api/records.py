"""`/admin/audit-logs`, `/admin/punches`, `/admin/dashboard/stats`, `/admin/reports/attendance`, `/admin/hr-codes`."""

from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import OpenApiTypes, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from activity.callers import Caller
from config import inputs
from config.schema import errors, example
from punch import attendance
from punch.api.base import ManagedView, ReaderView, caller_of
from punch.api.own import PUNCH
from punch.periods import period
from punch.queries.records import audit_log, dashboard, punches_seen_by
from punch.serializers import AuditLog, AuditQuery, DashboardStats, PunchQuery, PunchRecord, ReportQuery

EVENT = {
    "id": 4711,
    "event_type": "punch_validated",
    "user_id": 7,
    "device_id": 3,
    "kiosk_id": 1,
    "event_data": '{"punch_type": "clock_in", "jti": "6f1c2a52-3f1e-4f57-9d0c-5a7c3c1f0d11", "unusual": false}',
    "ip_address": "192.0.2.10",
    "user_agent": "okhttp/4.12",
    "created_at": "2026-03-02T08:16:02.123456Z",
}


class AuditLogs(ReaderView):
    @extend_schema(
        operation_id="admin_audit_logs_list",
        summary="Read the audit log",
        description="Newest first; also shows sign-ins and what was done to accounts.",
        parameters=[AuditQuery],
        responses={200: AuditLog(many=True), **errors(401, 403, 422, e400="invalid_datetime")},
        examples=[example("An event", EVENT)],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(AuditQuery, request)
        rows = audit_log(asked, period(asked.get("from"), asked.get("to")))
        return Response(AuditLog(rows, many=True).data)


class Punches(ManagedView):
    @extend_schema(
        operation_id="admin_punches_list",
        summary="List punches",
        description="Newest first. A manager sees those of the own people only.",
        parameters=[PunchQuery],
        responses={200: PunchRecord(many=True), **errors(401, 403, 422, e400="invalid_datetime")},
        examples=[example("A punch", PUNCH)],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(PunchQuery, request)
        when = period(asked.get("from_date"), asked.get("to_date"))
        found = punches_seen_by(caller_of(request), asked.get("user_id"), when).newest_first()  # type: ignore[attr-defined]
        start = asked["offset"]
        return Response(PunchRecord(found[start : start + asked["limit"]], many=True).data)


class Stats(ReaderView):
    @extend_schema(
        summary="Show the numbers of the back office",
        description="Deleted users and kiosks do not count; today is the local day of the house.",
        responses={200: DashboardStats, **errors(401, 403)},
        examples=[
            example(
                "A morning",
                {
                    "total_users": 40,
                    "total_devices": 31,
                    "total_kiosks": 5,
                    "active_kiosks": 4,
                    "today_punches": 24,
                    "today_users": 22,
                    "recent_punches": [PUNCH],
                },
            )
        ],
    )
    def get(self, request: Request) -> Response:
        return Response(DashboardStats(dashboard(timezone.now())).data)


REPORTS: dict[Any, Any] = {
    (200, "application/json"): PunchRecord(many=True),
    (200, "text/csv"): OpenApiTypes.STR,
    (200, "application/pdf"): OpenApiTypes.BINARY,
    **errors(401, 403, 422, e400="invalid_range"),
}


class Attendance(ManagedView):
    @extend_schema(
        operation_id="admin_reports_attendance",
        summary="Report attendance",
        description="Oldest first, unpaged, at most 366 days; `format` is json, csv or pdf (at most 10,000 rows).",
        parameters=[ReportQuery],
        responses=REPORTS,
        examples=[example("Punches", PUNCH, media_type="application/json")],
    )
    def get(self, request: Request) -> HttpResponseBase:
        asked = inputs.query(ReportQuery, request)
        form = attendance.chosen_format(asked["format"])
        when = period(asked["from"], asked["to"])
        attendance.insist_on_a_year(when)
        user_id = asked.get("user_id")
        found = punches_seen_by(caller_of(request), user_id, when).oldest_first()  # type: ignore[attr-defined]
        if form == "json":
            return Response(PunchRecord(found.iterator(attendance.READ_AT_ONCE), many=True).data)
        answer: Any = (
            StreamingHttpResponse(attendance.as_csv(found), content_type="text/csv; charset=utf-8")
            if form == "csv"
            else HttpResponse(attendance.as_pdf(found, when, user_id), content_type="application/pdf")
        )
        filters = {"from": asked["from"], "to": asked["to"], "user_id": user_id}
        attendance.record_export("attendance", form, filters, by=Caller.of(request))
        answer["Content-Disposition"] = f"attachment; filename={attendance.filename(when, form)}"
        return answer


class HrCode(serializers.Serializer):
    """A code by which a new employee joins; none are issued yet."""

    id = serializers.IntegerField()
    code = serializers.CharField()


class HrCodes(ReaderView):
    @extend_schema(
        operation_id="admin_hr_codes_list",
        summary="List HR codes",
        description="None are issued yet.",
        responses={200: HrCode(many=True), **errors(401, 403)},
        examples=[example("None", [])],
    )
    def get(self, request: Request) -> Response:
        return Response([])
