"""Where the trail answers: `api` under /api/v1/, `pages` under /manage/activity/, `sockets`."""

from django.urls import URLPattern, URLResolver, path, re_path

from activity import api as answers
from activity import views
from activity.consumers import ActivityFeed

api: list[URLPattern | URLResolver] = [
    path("audit/", answers.AuditSearchView.as_view(), name="audit-search"),
    path("providers/", answers.ProviderList.as_view(), name="providers"),
    path("providers/idp", answers.IdentityProviders.as_view(), name="providers-idp"),
    path("providers/sp", answers.ServiceProviders.as_view(), name="providers-sp"),
    path("providers/<str:number>", answers.OneProvider.as_view(), name="provider"),
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
]
sockets: list[URLPattern] = [
    re_path(r"^ws/activity/?$", ActivityFeed.as_asgi(), name="activity-feed"),  # type: ignore[arg-type]
]
