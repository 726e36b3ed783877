"""Commands of the trail: writing it, and the providers it names."""

from activity.services.counting import count_blocks as count_blocks
from activity.services.counting import horizon as horizon
from activity.services.exporting import export_trail as export_trail
from activity.services.providers import create_provider as create_provider
from activity.services.providers import delete_provider as delete_provider
from activity.services.providers import update_provider as update_provider
from activity.services.sealing import report_verification as report_verification
from activity.services.sealing import seal as seal
from activity.services.sealing import seal_full_segments as seal_full_segments
from activity.services.sealing import verify as verify
from activity.services.timeline import open_timeline as open_timeline
from activity.services.trail import NOBODY as NOBODY
from activity.services.trail import Line as Line
from activity.services.trail import clean_text as clean_text
from activity.services.trail import record as record
from activity.services.trail import record_refusal as record_refusal
from activity.services.trail import recorded as recorded
from activity.services.trail import write as write
from activity.services.trail import write_together as write_together
