"""The generator of a believable history (activity.md 6): pure, counted randomness, no Django."""

from activity.generator.people import MAX_PEOPLE as MAX_PEOPLE
from activity.generator.people import PROVIDERS as PROVIDERS
from activity.generator.people import Cast as Cast
from activity.generator.people import Person as Person
from activity.generator.people import cast_of as cast_of
from activity.generator.story import VERSION as VERSION
from activity.generator.story import Row as Row
from activity.generator.story import Story as Story
from activity.generator.story import finished as finished
from activity.generator.thinning import Thinning as Thinning
from activity.generator.volume import OutOfReach as OutOfReach
from activity.generator.volume import Plan as Plan
from activity.generator.volume import plan as plan
