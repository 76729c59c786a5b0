"""Captures of a film file: the film itself, then stretches of its sound track."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from pathlib import Path

from captures.capture_time import film_time
from captures.decoded import Unreadable
from captures.film import Film, read_film, read_film_sound
from captures.folder_listing import printable_name
from contract import Location, Media
from edge.capture.clip import Clip, FileMark, Unusable


@dataclass(frozen=True, slots=True)
class FilmReader:
    """How a sensor reads the films of its folder.

    Attributes:
        zone: Time zone of the camera's clock.
        location: Position of the station.
        stretch_s: Length of the stretches of a sound track, in seconds.
        deployed: When the deployment began; None: not known.
        sees: Whether the sensor has detectors for pictures.
        hears: Whether it has detectors for sound.
    """

    zone: tzinfo
    location: Location | None
    stretch_s: float
    deployed: datetime | None = None
    sees: bool = True
    hears: bool = False

    def captures(
        self, path: Path, mark: FileMark, done: FileMark | None, original: Callable[[], Media | None]
    ) -> Iterator[Clip | Unusable]:
        """Yield the captures of a film that are not processed yet: one of its pictures, then its sound in stretches.

        What is left of a damaged film is used first; then a report says what is wrong with it.

        Args:
            path: The file.
            mark: Mark of the whole file.
            done: How much of it has been processed; None: nothing.
            original: Returns the file's metadata; None: the station stops.

        Raises:
            Unreadable: it has nothing that the sensor can use.
            OSError: it cannot be read.
        """
        film = read_film(path)
        sees, hears = self.sees and bool(film.frames), self.hears and film.head.has_sound
        if not sees and not hears:
            raise Unreadable(self._nothing_to_use(film))
        kept = original()
        if kept is None:
            return
        start, clock = film_time(path, film.head.tags, self.zone, mark.modified_ns, None, self.deployed)
        name, problem = printable_name(path.name), film.head.problem
        number = done.stretches if done else 0
        if sees and not number:
            finished = not hears and not problem
            first = FileMark(mark.path, mark.size, mark.modified_ns, 1, finished)
            yield Clip(film, start, clock, name, kept, first)
        if hears:
            # The sound is counted from 1 after the pictures, whether or not the sensor looks at them.
            stretches = enumerate(read_film_sound(film, start, self.location, stretch_s=self.stretch_s), start=2)
            at, sound = next(stretches, (1, None))
            while sound is not None:
                following = next(stretches, None)
                reached = FileMark(mark.path, mark.size, mark.modified_ns, at, following is None and not problem)
                if at > number:
                    yield Clip(sound, sound.taken_at or start, clock, name, kept, reached)
                at, sound = following or (at, None)
        if problem:
            yield Unusable(name, f"{name}: {problem}", mark.size, mark)

    def _nothing_to_use(self, film: Film) -> str:
        name, head = film.path.name, film.head
        if head.problem:
            return f"{name}: {head.problem}"
        if film.frames:
            return f"{name}: a film without a sound track: this sensor has no detector for pictures"
        return f"{name}: a film without pictures: this sensor has no detector for sound"
