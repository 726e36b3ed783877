"""The commands of the clock, one file per noun."""

from punch.services.access import AccessModeInvalid as AccessModeInvalid
from punch.services.access import block_access as block_access
from punch.services.access import change_access_mode as change_access_mode
from punch.services.access import grant_access as grant_access
from punch.services.access import revoke_access as revoke_access
from punch.services.heartbeats import note_heartbeat as note_heartbeat
from punch.services.heartbeats import notice_silent_kiosks as notice_silent_kiosks
from punch.services.kiosks import KioskNotFound as KioskNotFound
from punch.services.kiosks import change_kiosk as change_kiosk
from punch.services.kiosks import create_kiosk as create_kiosk
from punch.services.kiosks import delete_kiosk as delete_kiosk
from punch.services.kiosks import found_kiosk as found_kiosk
from punch.services.kiosks import generate_key as generate_key
from punch.services.tokens import IssuedToken as IssuedToken
from punch.services.tokens import issue_token as issue_token
from punch.services.tokens import purge_tokens as purge_tokens
from punch.services.validation import Receipt as Receipt
from punch.services.validation import validate as validate
