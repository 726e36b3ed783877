"""Where the trail answers: `api` under /api/v1/, `pages` under /manage/activity/, `sockets`."""

from django.urls import URLPattern, URLResolver, path, re_path

from activity import api as answers
from activity import views
from activity.consumers import ActivityFeed

api: list[URLPattern | URLResolver] = [
    path("audit/", answers.AuditSearchView.as_view(), name="audit-search"),
    path("audit/export", answers.ExportView.as_view(), name="audit-export"),
    path("providers/", answers.ProviderList.as_view(), name="providers"),
    path("providers/idp", answers.IdentityProviders.as_view(), name="providers-idp"),
    path("providers/sp", answers.ServiceProviders.as_view(), name="providers-sp"),
    path("providers/<str:number>", answers.OneProvider.as_view(), name="provider"),
    path("people/me/timeline", answers.OwnTimelineView.as_view(), name="timeline-own"),
    path("people/<str:uuid>/timeline", answers.TimelineView.as_view(), name="timeline"),
    path("trail/verify", answers.VerifyView.as_view(), name="trail-verify"),
    path("trail/checkpoints", answers.CheckpointsView.as_view(), name="trail-checkpoints"),
    path("trail/key", answers.KeyView.as_view(), name="trail-key"),
    path("stats/current", answers.CurrentView.as_view(), name="stats-current"),
    path("stats/activity/users", answers.UsersByHourView.as_view(), name="stats-users"),
    path("stats/activity/providers", answers.ProvidersView.as_view(), name="stats-providers"),
    path("stats/activity/protocols", answers.ProtocolsView.as_view(), name="stats-protocols"),
    path(
        "stats/activity/failure-reasons", answers.FailureReasonsView.as_view(), name="stats-failure-reasons"
    ),
    path("stats/activity/users-summary", answers.UsersSummaryView.as_view(), name="stats-users-summary"),
]
pages: list[URLPattern | URLResolver] = [
    path("", views.overview, name="overview"),
    path("log/", views.log, name="log"),
    path("log/<int:sequence>/", views.entry, name="entry"),
    path("people/", views.people, name="people"),
    path("people/<uuid:uuid>/", views.person, name="person"),
    path("providers/", views.providers, name="providers"),
    path("integrity/", views.integrity, name="integrity"),
    path("integrity/key/", views.key, name="integrity-key"),
    path("integrity/checkpoints/<int:number>/", views.checkpoint, name="integrity-checkpoint"),
]
sockets: list[URLPattern] = [
    re_path(r"^ws/activity/?$", ActivityFeed.as_asgi(), name="activity-feed"),
]
