"""Publisher of every station as a Home Assistant device: availability, last detection, and health."""

import contextlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from contract.errors import StoreUnavailable, Undelivered
from contract.isolation import isolate
from contract.mqtt import OwnCredentials
from contract.mqtt.publisher import ConfirmedPublisher
from contract.supervision import SupervisedThread, Supervisor
from i18n.known_labels import KnownLabels
from ingest.receive.mqtt.options import ReceiverOptions
from ingest.station_connection import connection_of
from ingest.store.port import EventQuery, StationState, Store
from ingest.store.simulated import simulated_stations

_VERSION = re.compile(r"\d{1,4}(\.\d{1,4}){0,3}([.+-]?(a|b|rc|dev|post)?\d{0,8}){0,2}(\+g?[0-9a-f]{7,12})?")
_SEARCHED_EVENTS = 20  # newest events searched for one with a detection


class HomeAssistantOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the Home Assistant integration.

    Attributes:
        enabled: Whether stations are published as devices.
        discovery_prefix: Topic prefix on which Home Assistant discovers devices.
        every_s: Seconds between two checks for changes.
        credentials: Broker user of this connection, if it is not the one of [broker].
    """

    enabled: bool = False
    discovery_prefix: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_/-]+\Z")] = "homeassistant"
    every_s: Annotated[float, Meta(gt=0)] = 15.0
    credentials: OwnCredentials = OwnCredentials()


class HomeAssistant:
    """Thread that publishes each station's device description and its changing state as retained messages."""

    def __init__(
        self,
        options: HomeAssistantOptions,
        broker: ReceiverOptions,
        store: Store,
        supervisor: Supervisor | None = None,
        labels: KnownLabels = KnownLabels(),  # noqa: B008, immutable
    ) -> None:
        """Create the thread and the MQTT publisher, which connects to the broker at the first message.

        Labels that are not in ``labels`` are published as "other".
        """
        self._options = options
        self._labels = labels
        # Two levels below the prefix; station topics have three, so no server takes this for a station message.
        self._root = f"{broker.prefix}/home"
        self._store = store
        own = options.credentials.applied_to(broker)
        self._link = ConfirmedPublisher(own, will=(self._status_topic, b"offline"), user="wildpost-home")
        self._published: dict[str, bytes] = {}
        self._simulated: frozenset[str] = frozenset()
        self._last_detections: dict[str, tuple[object, Mapping[str, Any]]] = {}
        every_s = options.every_s
        self._thread = SupervisedThread("home-assistant", self._step, supervisor, pauses_s=(every_s, 3 * every_s))
        self.problem = ""

    def start(self) -> None:
        """Start the publishing thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the publishing thread, and publish that all devices are unavailable."""
        self._thread.stop()
        with contextlib.suppress(Undelivered):  # then the broker publishes the last will
            self._link.publish(self._status_topic, b"offline", retain=True)
        self._link.close()

    def publish_changes(self) -> None:
        """Publish the device descriptions and states that have changed since the last call.

        Raises:
            Undelivered: the broker did not accept a message.
            StoreUnavailable: the store did not answer.
            Exception: the state of one station could not be described; the others are published.
        """
        states = self._store.stations()
        self._simulated = simulated_stations(self._store.deployments())
        if not self._link.connected:
            self._published.clear()  # a restarted broker may have lost retained messages
        self._publish_if_changed(self._status_topic, b"online")
        failed = isolate(states, self._publish_states)
        if failed:
            raise failed[0][1]

    def _publish_states(self, states: Sequence[StationState]) -> None:
        for state in states:
            topic = f"{self._options.discovery_prefix}/device/wildpost_{state.station}/config"
            self._publish_if_changed(topic, msgspec.json.encode(self._device(state)))
            self._publish_if_changed(f"{self._root}/{state.station}", msgspec.json.encode(self._state(state)))

    @property
    def _status_topic(self) -> str:
        return f"{self._root}/status"

    def _publish_if_changed(self, topic: str, payload: bytes) -> None:
        if self._published.get(topic) != payload:
            self._link.publish(topic, payload, retain=True)
            self._published[topic] = payload

    def _device(self, state: StationState) -> dict[str, Any]:
        """Return the description of a station as a Home Assistant device.

        The format is the "Device discovery payload" at home-assistant.io/integrations/mqtt.
        """
        station = state.station

        def component(platform: str, name: str, key: str, **more: Any) -> dict[str, Any]:
            return {
                "platform": platform,
                "name": name,
                "unique_id": f"wildpost_{station}_{key}",
                "value_template": f"{{{{ value_json.{key} }}}}",
                **more,
            }

        diagnostic = {"entity_category": "diagnostic"}
        return {
            "device": {
                "identifiers": [f"wildpost_{station}"],
                "name": station,
                "manufacturer": "Wildpost",
                "model": f"Wildpost station{' (simulated)' if station in self._simulated else ''}",
                **({"sw_version": state.status.version} if state.status and _is_version(state.status.version) else {}),
            },
            "origin": {"name": "Wildpost", "sw_version": version("wildpost")},
            "state_topic": f"{self._root}/{station}",
            "availability_topic": self._status_topic,
            "qos": 1,
            "components": {
                "online": component("binary_sensor", "Online", "online", device_class="connectivity", **diagnostic),
                "last_detection": component("sensor", "Last detection", "last_detection", icon="mdi:paw"),
                "last_capture": component("sensor", "Last capture", "last_capture", device_class="timestamp"),
                "temperature": component(
                    "sensor",
                    "Temperature",
                    "temperature",
                    device_class="temperature",
                    unit_of_measurement="°C",
                    state_class="measurement",
                    **diagnostic,
                ),
                "disk_free": component(
                    "sensor",
                    "Free disk space",
                    "disk_free",
                    device_class="data_size",
                    unit_of_measurement="B",
                    **diagnostic,
                ),
                "waiting": component("sensor", "Waiting messages", "waiting", state_class="measurement", **diagnostic),
            },
        }

    def _state(self, state: StationState) -> dict[str, Any]:
        health = state.health
        return {
            "online": "ON" if connection_of(state, datetime.now(UTC)) == "online" else "OFF",
            "last_capture": state.last_event_at.isoformat() if state.last_event_at else None,
            **self._last_detection(state),
            "temperature": health.temperature_c if health else None,
            "disk_free": health.disk_free_bytes if health else None,
            "waiting": health.waiting_messages if health else None,
        }

    def _last_detection(self, state: StationState) -> Mapping[str, Any]:
        known = self._last_detections.get(state.station)
        version_key = (state.last_event_at, state.events)
        if known is not None and known[0] == version_key:
            return known[1]
        events = self._store.events(EventQuery(stations=(state.station,), limit=_SEARCHED_EVENTS))
        found = next((event for event in events if event.detections), None)
        best = max(found.detections, key=lambda one: one.confidence) if found else None
        names = {"label": best.label, "scientific_name": best.scientific_name or ""} if best else {}
        values = {"last_detection": self._labels.reason(names)["label"] if names else None}
        self._last_detections[state.station] = (version_key, values)
        return values

    def _step(self) -> float:
        try:
            self.publish_changes()
        except (Undelivered, StoreUnavailable) as error:
            self.problem = f"Home Assistant is not updated: {error}"
            raise
        self.problem = ""
        return self._options.every_s


def _is_version(text: str) -> bool:
    """Return whether a station's text is a version; any other text would reach every screen of Home Assistant."""
    return _VERSION.fullmatch(text) is not None
