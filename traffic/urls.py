"""Where traffic answers: `api` at the root, as Traffic Tracker's clients expect, `pages` under /manage/traffic/."""

from django.urls import URLPattern, URLResolver, path

from traffic import api as answers
from traffic import views
from traffic.tracker import tracker

api: list[URLPattern | URLResolver] = [
    path("visit", answers.VisitView.as_view(), name="visit"),
    path("visits", answers.VisitsView.as_view(), name="visits"),
    path("tracker.js", tracker, name="tracker"),
    path("stats", answers.StatsView.as_view(), name="stats"),
    path("stats/pages", answers.PagesView.as_view(), name="stats-pages"),
    path("stats/referrers", answers.ReferrersView.as_view(), name="stats-referrers"),
    path("stats/browsers", answers.BrowsersView.as_view(), name="stats-browsers"),
    path("stats/timeseries", answers.TimeseriesView.as_view(), name="stats-timeseries"),
    path("stats/sites", answers.SitesView.as_view(), name="stats-sites"),
    path("stats/export", answers.ExportView.as_view(), name="stats-export"),
]
pages: list[URLPattern | URLResolver] = [
    path("", views.overview, name="overview"),
    path("one/", views.one, name="one"),
    path("latest/", views.latest, name="latest"),
    path("sites/", views.sites, name="sites"),
]
