"""Proof of the trail: verifying, signed checkpoints, the public key."""

from base64 import b64encode

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from activity import sealing, serializers
from activity.api_base import TrailedView
from activity.callers import Caller
from activity.models import Segment
from activity.services import verify
from activity.signing import signing_key
from config import inputs
from config.inputs import Nothing
from config.schema import errors, example

HEAD = "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
VERDICT = {
    "ok": False,
    "checked_rows": 10_000,
    "checked_segments": 1,
    "first_sequence": 1,
    "last_sequence": 10_000,
    "unsealed_rows": 12,
    "next_from": None,
    "head": HEAD,
    "key_id": "9f86d081884c7d65",
    "problems": [
        {
            "sequence": 1234,
            "segment": 1,
            "kind": "altered",
            "with": None,
            "detail": "This row is not as it was sealed.",
        }
    ],
    "problems_truncated": False,
}


class TrailView(TrailedView):
    read_permission = "activity.read_trail"


class VerifyView(TrailView):
    @extend_schema(
        operation_id="trail_verify",
        summary="Verify the trail",
        description=(
            "Recomputes the sealed rows from `from_sequence` on. Segments are read whole, so somewhat more than "
            "`max_rows` may be checked; `next_from` continues. 200 also when problems are found."
        ),
        parameters=[serializers.VerificationRange],
        responses={200: serializers.Verdict, **errors(401, 403, 422, 429)},
        examples=[example("An altered row", VERDICT, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(serializers.VerificationRange, request, strict=True)
        report = verify(asked["from_sequence"], asked["max_rows"], by=Caller.of(request))
        return Response(report.shape())


class CheckpointsView(TrailView):
    @extend_schema(
        operation_id="trail_checkpoints",
        summary="List signed checkpoints",
        description="Ascending. One such object, kept elsewhere, is what `verify_trail --checkpoint` takes.",
        parameters=[serializers.CheckpointWindow],
        responses={200: serializers.SignedCheckpoint(many=True), **errors(401, 403, 422)},
        examples=[
            example(
                "One checkpoint",
                {"payload": '{"first_sequence":1}', "signature": "q83v…"},
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: Request) -> Response:
        asked = inputs.query(serializers.CheckpointWindow, request, strict=True)
        segments = Segment.objects.filter(number__gt=asked["after_segment"]).order_by("number")
        return Response(list(segments.values("payload", "signature")[: asked["limit"]]))


class KeyView(TrailView):
    @extend_schema(
        operation_id="trail_key",
        summary="Read the public key of the seals",
        responses={200: serializers.SealKey, **errors(401, 403, 422)},
        examples=[
            example(
                "The key",
                {"key_id": "9f86d081884c7d65", "public_key": "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="},
                status_codes=["200"],
            )
        ],
    )
    def get(self, request: Request) -> Response:
        inputs.query(Nothing, request, strict=True)
        key = signing_key().public_key()
        return Response({"key_id": sealing.key_id(key), "public_key": b64encode(sealing.raw(key)).decode()})
