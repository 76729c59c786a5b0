"""Limit on the alerts of one station and of all stations in an hour; the rest is held back, with one alert about it."""

from datetime import timedelta

from sqlalchemy import Connection, and_, func, literal, select

from casebook.incidents.alert_policy import AlertPolicy, Cause
from casebook.incidents.occurrence import Occurrence
from casebook.incidents.tables import alert
from contract.severity import SEVERITIES, severity_rank

_HOUR = timedelta(hours=1)
CLOCK_STEP = timedelta(minutes=5)  # alerts later than this were raised before the server's clock was set back
_ALWAYS = 3  # alerts of one station in an hour that the limit for all stations does not hold back


def within_budget(connection: Connection, one: Occurrence, cause: Cause, policy: AlertPolicy) -> Cause | None:
    """Return the cause of an alert, "held" if further alerts of the station are held back, or None if it is held back.

    Only alerts of at least the same severity count, so that many warnings do not hold back an urgent alert. The
    alerts are counted in the casebook: the limits hold for all workers together, and after a restart. A station with
    few alerts is never held back, so that a flood by others cannot silence it.

    Args:
        connection: Transaction that holds the incident lock.
        one: The occurrence that would raise the alert.
        cause: The cause by the policy; see ``cause_of_alert``.
        policy: The limits.
    """
    recent = alert.c.raised_at.between(one.received_at - _HOUR, one.received_at + CLOCK_STEP)
    severities = [name for name in SEVERITIES if severity_rank(name) >= severity_rank(one.severity)]
    told = and_(recent, alert.c.cause != literal("held"), alert.c.station != literal(""))  # "": about a case
    severe = and_(told, alert.c.severity.in_(severities))
    of_station = alert.c.station == one.station
    mine = connection.execute(select(func.count()).where(severe, of_station)).scalar_one()
    if mine < min(policy.station_alerts_per_hour, _ALWAYS):
        return cause
    if mine < policy.station_alerts_per_hour:
        total = connection.execute(select(func.count()).where(severe)).scalar_one()
        if total < policy.alerts_per_hour:
            return cause
    said = select(func.count()).where(recent, of_station, alert.c.cause == literal("held"))
    return None if connection.execute(said).scalar_one() else "held"
