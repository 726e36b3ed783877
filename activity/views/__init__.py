"""The pages of the trail, for readers; each reads its whole state from the address."""

from activity.views.home import home as home
from activity.views.log import entry as entry
from activity.views.log import log as log
from activity.views.overview import overview as overview
from activity.views.overview import people as people
from activity.views.overview import providers as providers
from activity.views.person import person as person
from activity.views.seals import checkpoint as checkpoint
from activity.views.seals import integrity as integrity
from activity.views.seals import key as key
