"""The JSON endpoints of the trail, under /api/v1/."""

from activity.api.audit import AuditSearchView as AuditSearchView
from activity.api.exports import ExportView as ExportView
from activity.api.providers import IdentityProviders as IdentityProviders
from activity.api.providers import OneProvider as OneProvider
from activity.api.providers import ProviderList as ProviderList
from activity.api.providers import ServiceProviders as ServiceProviders
from activity.api.statistics import CurrentView as CurrentView
from activity.api.statistics import FailureReasonsView as FailureReasonsView
from activity.api.statistics import ProtocolsView as ProtocolsView
from activity.api.statistics import ProvidersView as ProvidersView
from activity.api.statistics import UsersByHourView as UsersByHourView
from activity.api.statistics import UsersSummaryView as UsersSummaryView
from activity.api.timeline import OwnTimelineView as OwnTimelineView
from activity.api.timeline import TimelineView as TimelineView
from activity.api.trail import CheckpointsView as CheckpointsView
from activity.api.trail import KeyView as KeyView
from activity.api.trail import VerifyView as VerifyView
