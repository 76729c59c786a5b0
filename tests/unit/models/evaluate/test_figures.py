"""The figures of an evaluation: those of COCO's own code, and small cases worked by hand."""

import contextlib
import io
import math
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contract import Box, Detection
from models.evaluate.calibration import calibration_error, fit_temperature, reliability
from models.evaluate.curves import (
    average_precision,
    precision_and_recall,
    precision_recall_curve,
    threshold_for_false_alarms,
    threshold_for_precision,
)
from models.evaluate.labels import LabelledPicture, Truth
from models.evaluate.matching import OutcomeCounts, ScoredDetection, count_outcomes, match_detections
from models.evaluate.vision import summarise


def found(x: float, confidence: float, kind: str = "animal", ordinal: int = 0, size: float = 0.2) -> Detection:
    return Detection(
        ordinal=ordinal,
        label=kind,
        observation_type=kind,  # type: ignore[arg-type]
        confidence=confidence,
        model="m",
        box=Box(x, 0.1, size, size),
    )


def picture(*places: float, name: str = "a.jpg") -> LabelledPicture:
    return LabelledPicture(path=Path(name), truths=tuple(Truth("animal", Box(x, 0.1, 0.2, 0.2)) for x in places))


def test_a_second_find_of_one_animal_is_wrong() -> None:
    judged = match_detections(picture(0.1), [found(0.11, 0.6), found(0.1, 0.9)])

    assert [one.confidence for one in judged.detections] == [0.9, 0.6]
    assert judged.correct == (True, False)
    assert judged.truth_confidences == (0.9,)


def test_a_find_of_the_wrong_kind_leaves_the_animal_missed() -> None:
    judged = match_detections(picture(0.1), [found(0.1, 0.9, "human")])

    assert judged.correct == (False,)
    assert judged.truth_confidences == (0.0,)


def test_a_kind_that_nobody_looked_for_is_neither_right_nor_wrong() -> None:
    labelled = LabelledPicture(path=Path("a.jpg"), known=frozenset(("animal",)))

    assert match_detections(labelled, [found(0.1, 0.9, "human")]).correct == (None,)


def test_a_picture_labelled_as_a_whole_counts_as_seen_and_not_in_the_precision_of_boxes() -> None:
    labelled = LabelledPicture(path=Path("a.jpg"), shows=frozenset(("animal",)))
    result = summarise([match_detections(labelled, [found(0.1, 0.9)])], [], lambda _: 0.5)

    (figures,) = result.kinds
    assert (figures.shown, figures.seen, figures.truths) == (1, 1, 0)
    assert math.isnan(figures.ap50)


def test_empty_pictures_count_their_false_alarms_at_the_threshold() -> None:
    blank = LabelledPicture(path=Path("a.jpg"))
    judged = [
        match_detections(blank, [found(0.1, 0.4)]),
        match_detections(blank, [found(0.1, 0.6)]),
        match_detections(blank, []),
    ]

    result = summarise(judged, [], lambda _: 0.5)

    assert (result.blank, result.blank_alarms) == (3, 1)


def test_half_found_at_full_precision_has_half_the_area() -> None:
    counted = OutcomeCounts([ScoredDetection(0.9, True)], truths=2)

    assert average_precision(counted) == pytest.approx(51 / 101)  # recalls 0, 0.01 ... 0.50
    assert precision_and_recall(counted, 0.5) == (1.0, 0.5)


@pytest.mark.parametrize(
    ("counted", "expected"),
    [(OutcomeCounts([], 3), 0.0), (OutcomeCounts([ScoredDetection(0.5, False)], 0), float("nan"))],
)
def test_nothing_found_is_zero_and_nothing_there_is_no_figure(counted: OutcomeCounts, expected: float) -> None:
    assert average_precision(counted) == pytest.approx(expected, nan_ok=True)


def test_equal_confidences_cannot_be_parted_by_a_threshold() -> None:
    drawn = precision_recall_curve(OutcomeCounts([ScoredDetection(0.5, True), ScoredDetection(0.5, False)], 1))

    assert drawn.thresholds.tolist() == [0.5]
    assert drawn.precision.tolist() == [0.5]


def test_thresholds_serve_the_wish_or_say_that_they_cannot() -> None:
    finds = [
        ScoredDetection(0.9, True),
        ScoredDetection(0.8, False),
        ScoredDetection(0.7, True),
        ScoredDetection(0.6, True),
        ScoredDetection(0.5, False),
    ]
    counted = OutcomeCounts(finds, 4)

    assert threshold_for_precision(counted, 0.75) == 0.6
    assert threshold_for_precision(OutcomeCounts([ScoredDetection(0.9, False)], 1), 0.5) is None
    strict = threshold_for_false_alarms(finds, 1)
    assert sum(not find.correct for find in finds if find.confidence >= strict) == 1
    assert threshold_for_false_alarms(finds, 2) == 0.0


def test_a_detector_that_is_too_sure_gets_a_temperature_above_one() -> None:
    random = np.random.default_rng(3)
    honest = random.uniform(0.05, 0.95, 4000)
    right = random.uniform(size=4000) < honest
    logits = 2 * np.log(honest / (1 - honest))
    boastful = 1 / (1 + np.exp(-logits))

    finds = [ScoredDetection(float(confidence), bool(hit)) for confidence, hit in zip(boastful, right, strict=True)]

    assert fit_temperature(finds) == pytest.approx(2, abs=0.15)
    assert calibration_error(finds) > 0.08
    assert sum(one.count for one in reliability(finds)) == 4000


_places = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 99)), max_size=12)


@given(truths=st.lists(st.lists(st.integers(0, 3), max_size=4, unique=True), min_size=1, max_size=5), finds=_places)
def test_average_precision_is_that_of_pycocotools(truths: list[list[int]], finds: list[tuple[int, int]]) -> None:
    if not any(truths):
        return
    per_picture: list[list[Detection]] = [[] for _ in truths]
    for number, (place, confidence) in enumerate(finds):
        # No two alike: COCO's order among equal confidences is not ours, and no one's.
        score = (confidence * 100 + number) / 10_000
        per_picture[number % len(truths)].append(found(0.25 * place, score, ordinal=number))
    judged = [
        match_detections(picture(*(0.25 * place for place in places), name=f"{at}.jpg"), per_picture[at])
        for at, places in enumerate(truths)
    ]

    assert average_precision(count_outcomes(judged, "animal")) == pytest.approx(_cocos(truths, per_picture), abs=1e-9)


def _cocos(truths: list[list[int]], finds: list[list[Detection]]) -> float:
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        known = COCO()
        boxes = [(at, [25.0 * place, 10.0, 20.0, 20.0]) for at, places in enumerate(truths, 1) for place in places]
        known.dataset = {
            "info": {},
            "images": [{"id": at, "width": 100, "height": 100} for at in range(1, len(truths) + 1)],
            "categories": [{"id": 1, "name": "animal"}],
            "annotations": [
                {"id": number, "image_id": at, "category_id": 1, "bbox": box, "area": 400.0, "iscrowd": 0}
                for number, (at, box) in enumerate(boxes, 1)
            ],
        }
        known.createIndex()
        results = [
            {
                "image_id": at,
                "category_id": 1,
                "score": one.confidence,
                "bbox": [100 * side for side in (one.box.x, one.box.y, one.box.width, one.box.height)],
            }
            for at, several in enumerate(finds, 1)
            for one in several
            if one.box is not None
        ]
        if not results:
            return 0.0
        judged = COCOeval(known, known.loadRes(results), "bbox")
        judged.params.iouThrs = np.array([0.5])
        judged.evaluate()
        judged.accumulate()
    precision = judged.eval["precision"][0, :, 0, 0, -1]
    return float(precision.mean())
