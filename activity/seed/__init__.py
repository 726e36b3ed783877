"""Demo and load data of domain activity (activity.md 6)."""

from activity.seed.feed import carry_on as carry_on
from activity.seed.flushing import forget as forget
from activity.seed.flushing import record_flush as record_flush
from activity.seed.flushing import remove_providers as remove_providers
from activity.seed.flushing import remove_rows as remove_rows
from activity.seed.lock import SeedBusy as SeedBusy
from activity.seed.lock import only_seed as only_seed
from activity.seed.planting import Progress as Progress
from activity.seed.planting import expected_rows as expected_rows
from activity.seed.planting import plant as plant
from activity.seed.planting import plant_births as plant_births
from activity.seed.states import SeedRefused as SeedRefused
from activity.seed.states import Settled as Settled
from activity.seed.states import Wish as Wish
from activity.seed.states import settle as settle
from activity.seed.states import state_of as state_of
