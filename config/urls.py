"""The table of contents of the site."""

from django.contrib import admin
from django.urls import include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularRedocView, SpectacularSwaggerSplitView

import activity.urls
import identity.urls
import punch.urls
import traffic.urls
from config import errors, health, root

admin.site.site_header = admin.site.site_title = "Waymark"
admin.site.final_catch_all_view = False  # /admin/ is shared with the punch dialect: unknown paths are its 404

urlpatterns = [
    path("", root.index, name="home"),
    path("health", health.health, name="health"),
    path("health/ready", health.ready, name="ready"),
    path("openapi.json", SpectacularJSONAPIView.as_view(), name="schema"),
    path("schema", SpectacularJSONAPIView.as_view(), name="schema-alias"),
    path("docs", SpectacularSwaggerSplitView.as_view(url_name="schema"), name="docs"),
    path("redoc", SpectacularRedocView.as_view(url_name="schema"), name="redoc"),
    path(".well-known/", include(identity.urls.well_known)),
    path("auth/", include(identity.urls.api)),
    path("api/auth/", include((identity.urls.api, "aliased"))),
    path("api/v1/", include(activity.urls.api)),
    path("", include((traffic.urls.api, "traffic-api"))),
    path("api/v1/", include(identity.urls.kitsutrail)),
    path("manage/traffic/", include((traffic.urls.pages, "traffic"))),
    path("manage/activity/", include((activity.urls.pages, "activity"))),
    path("accounts/", include((identity.urls.pages, "accounts"))),
    path("", include((punch.urls.pages, "punch"))),
    path("", include(punch.urls.api)),  # its parts of /admin/ go before Django's
    path("api/", root.index),
    path("api/health", health.health),
    path("api/", include((punch.urls.api, "punch-aliased"))),
    path("admin/", admin.site.urls),
]

handler400 = errors.bad_request
handler403 = errors.permission_denied
handler404 = errors.not_found
handler500 = errors.server_error
