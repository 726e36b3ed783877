"""The keeper of all sockets: refuses foreign origins, recognises people, and ends what their sign-in outlives."""

from identity.sockets.keeper import SocketKeeper as SocketKeeper
from identity.sockets.tickets import issue_ticket as issue_ticket
