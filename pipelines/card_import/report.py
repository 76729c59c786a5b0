"""Account of a card's import: what came in, what was set aside and why."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.card_import.card_files import CardFile
from pipelines.card_import.examine import Capture, ExaminedFile, Sensor

_NO_TIME = frozenset({"none", "copy"})


@dataclass(slots=True)
class DeploymentReport:
    """Account of the files of one deployment.

    Attributes:
        new: Number of files that came in now, by kind of capture: picture, film, sound.
        events: Number of new events.
        found: Number of new events by what they show or sound like: animal, human, vehicle, unknown, blank.
        before: Number of files that were imported before.
        first: First capture time of the files that came in now.
        last: Last capture time.
        effort: Effort of each sensor, as text.
        corrections: Corrections of the devices' clocks, as text.
        outside: Number of captures before the start or after the end of the deployment.
    """

    new: Counter[str] = field(default_factory=Counter)
    events: int = 0
    found: Counter[str] = field(default_factory=Counter)
    before: int = 0
    first: datetime | None = None
    last: datetime | None = None
    effort: dict[str, str] = field(default_factory=dict)
    corrections: list[str] = field(default_factory=list)
    outside: int = 0


@dataclass(slots=True)
class CardReport:
    """Account of one import.

    Attributes:
        files: Number of capture files on the card.
        done: Number of them that were examined or found to be known.
        deployments: By station and deployment.
        elsewhere: Number of files that were imported before as another deployment, by station and deployment.
        repeated: Number of files whose content is on the card twice.
        aside: Reason of each file that could not be used, by its path.
        partly: What is wrong with each file that could be used, by its path.
        unplaced: Number of files without a deployment, by reason.
        passed_over: Number of entries that are no captures, by kind.
        time_sources: Number of new files by the source of their times.
        sensors: Kinds of devices with new or known files, by station and deployment.
    """

    files: int = 0
    done: int = 0
    deployments: dict[tuple[str, str], DeploymentReport] = field(default_factory=lambda: defaultdict(DeploymentReport))
    elsewhere: Counter[tuple[str, str]] = field(default_factory=Counter)
    repeated: int = 0
    aside: dict[str, str] = field(default_factory=dict)
    partly: dict[str, str] = field(default_factory=dict)
    unplaced: Counter[str] = field(default_factory=Counter)
    passed_over: Counter[str] = field(default_factory=Counter)
    time_sources: Counter[str] = field(default_factory=Counter)
    sensors: dict[tuple[str, str], set[Sensor]] = field(default_factory=lambda: defaultdict(set))

    @property
    def new(self) -> int:
        """Number of files that came in now."""
        return sum(one.new.total() for one in self.deployments.values())

    @property
    def before(self) -> int:
        """Number of files that were imported before, whether as this deployment or as another."""
        return sum(one.before for one in self.deployments.values()) + self.elsewhere.total()

    def add_known(self, file: CardFile, examined: ExaminedFile, repeated: bool) -> None:
        """Count a file whose content was imported before, or is on the card twice."""
        known = examined.known
        assert known is not None  # noqa: S101
        if known.problem and (known.station, known.deployment, known.name) == (*file.deployment.key, file.inside):
            self.aside[file.inside] = known.problem
        elif repeated:
            self.repeated += 1
        elif (known.station, known.deployment) == file.deployment.key:
            self.deployments[file.deployment.key].before += 1
        else:
            self.elsewhere[known.station, known.deployment] += 1

    def add_new(self, file: CardFile, examined: ExaminedFile) -> None:
        """Count a file that was examined now."""
        if not examined.used:
            self.aside[file.inside] = examined.problem
            return
        one = self.deployments[file.deployment.key]
        one.new[file.family] += 1
        self.time_sources[examined.time_source] += 1
        if wrong := "; ".join(filter(None, [examined.problem, *examined.remarks])):
            self.partly[file.inside] = wrong
        if examined.start is None:
            return
        one.first = min(filter(None, [one.first, examined.start]))
        one.last = max(filter(None, [one.last, examined.start]))
        deployment = file.deployment
        early = deployment.start is not None and examined.start < deployment.start
        late = deployment.end is not None and examined.start > deployment.end
        one.outside += early or late

    def add_capture(self, file: CardFile, capture: Capture) -> None:
        """Count an event."""
        one = self.deployments[file.deployment.key]
        one.events += 1
        kinds = {detection.observation_type for detection in capture.detections} or {"blank"}
        one.found.update(kinds)
        damage = next((media.damage for media in capture.media if media.damage), "")
        if damage:
            self.partly.setdefault(file.inside, damage)

    def to_json(self) -> dict[str, Any]:
        """Return the account as values for JSON; it lists every file that was set aside."""
        return {
            "files": self.files,
            "done": self.done,
            "new": self.new,
            "imported_before": self.before,
            "repeated_on_card": self.repeated,
            "deployments": [
                {
                    "station": station,
                    "deployment": deployment,
                    "pictures": one.new["picture"],
                    "films": one.new["film"],
                    "recordings": one.new["recording"],
                    "imported_before": one.before,
                    "events": one.events,
                    "events_with": dict(sorted(one.found.items())),
                    "first": one.first.isoformat() if one.first else None,
                    "last": one.last.isoformat() if one.last else None,
                    "effort": one.effort,
                    "clock_corrections": one.corrections,
                    "outside_deployment": one.outside,
                }
                for (station, deployment), one in sorted(self.deployments.items())
            ],
            "imported_elsewhere": [
                {"station": station, "deployment": deployment, "files": number}
                for (station, deployment), number in sorted(self.elsewhere.items())
            ],
            "time_sources": dict(sorted(self.time_sources.items())),
            "set_aside": self.aside,
            "partly_usable": self.partly,
            "without_deployment": dict(self.unplaced),
            "passed_over": dict(self.passed_over),
        }


def reasons_of(problems: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the paths of files by reason, the most frequent reason first; the file's name is cut off the reason."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for path, reason in problems.items():
        grouped[reason.removeprefix(f"{path.rpartition('/')[2]}: ")].append(path)
    return dict(sorted(grouped.items(), key=lambda item: (-len(item[1]), item[0])))


def files_without_time(report: CardReport) -> int:
    """Return the number of new files whose capture time is not known."""
    return sum(number for source, number in report.time_sources.items() if source in _NO_TIME)
