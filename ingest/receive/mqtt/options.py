"""Settings of the ingest server's connection to the MQTT broker."""

from typing import Any

from contract.mqtt import BrokerOptions, connect_arguments

CLIENT_ID = "wildpost-server"  # of a server without the identity of an installation


class ReceiverOptions(BrokerOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the ingest server's broker connection and of its batches.

    Attributes:
        client_id: Fixed MQTT client id, under which the broker queues messages while this server is offline. Empty:
            that of the installation, which no other one has.
        keepalive_s: A broken connection is detected after one and a half times this.
        session_expiry_s: How long the broker queues messages for a server that is offline; MQTT 5 only.
        receive_maximum: Most unacknowledged messages at a time, which bounds memory; MQTT 5 only.
        batch_messages: Most messages in one commit.
        batch_bytes: Most bytes in one commit; reading stops while four times as many are buffered.
        retry_min_s: First pause before retrying a batch that store, casebook or media did not accept.
        retry_max_s: Longest pause between retries.
        live_minutes: During a backlog, flagged captures no older than this overtake it; 0: none do. MQTT 5 only.
        stuck_after_s: Without a heartbeat of the receive loop for this long, /healthz answers 503.
    """

    client_id: str = ""
    keepalive_s: int = 30
    session_expiry_s: int = 30 * 24 * 3600
    receive_maximum: int = 4500
    batch_messages: int = 1500
    batch_bytes: int = 32_000_000
    retry_min_s: float = 0.2
    retry_max_s: float = 15.0
    live_minutes: float = 10.0
    stuck_after_s: float = 120.0

    def session_arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of paho's ``connect`` for a session that outlives the connection."""
        return connect_arguments(
            self, keep_session=True, session_expiry_s=self.session_expiry_s, receive_maximum=self.receive_maximum
        )
