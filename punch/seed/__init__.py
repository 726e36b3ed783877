"""Demo data of the clock (punch.md 6)."""

from punch.seed.kiosks import first_kiosk as first_kiosk
from punch.seed.planting import expected as expected
from punch.seed.planting import plant as plant
from punch.seed.planting import uproot as uproot
