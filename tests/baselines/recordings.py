"""Recordings of utterances for tests: a tone and a colour that tell the emotion."""

from __future__ import annotations

import io

import av
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

RATE = 16_000
HERTZ = {"neutral": 200, "joy": 400, "anger": 800}
COLOURS = {"neutral": (128, 128, 128), "joy": (250, 220, 0), "anger": (220, 0, 0)}


def flac(samples: np.ndarray) -> bytes:
    """Return samples in -1..1 as FLAC."""
    file = io.BytesIO()
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame) + stream.encode(None))
    return file.getvalue()


def mp4(colour: tuple[int, int, int], pictures: int = 5, samples: np.ndarray | None = None) -> bytes:
    """Return a clip of one colour, with sound where there is some."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("h264", rate=5)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        sound = container.add_stream("aac", rate=RATE, layout="mono") if samples is not None else None
        for _ in range(pictures):
            pixels = np.full((64, 64, 3), colour, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(samples.astype(np.float32)[None], "fltp", "mono")
            frame.sample_rate = RATE
            container.mux(sound.encode(frame) + sound.encode(None))
    return file.getvalue()


def tone(emotion: str, number: int) -> np.ndarray:
    """Return a tone of the emotion, of 0.3 to 0.5 s."""
    seconds = 0.3 + 0.05 * (number % 5)
    return (0.3 * np.sin(2 * np.pi * HERTZ[emotion] * np.arange(int(seconds * RATE)) / RATE)).astype(
        np.float32
    )


def write_media(dataset, maker, missing=("_1",)):
    """Give every split of a dataset its recordings; utterances whose id ends so have none."""
    from datasets import Audio, Features, Value, Video

    columns = {"utterance_id": Value("string"), "audio": Audio(decode=False), "video": Video(decode=False)}
    schema = Features(columns).arrow_schema
    clips = {emotion: mp4(colour) for emotion, colour in COLOURS.items()}
    for path in (dataset / "default").glob("*.parquet"):
        rows = pq.read_table(path, columns=["utterance_id", "emotion"]).to_pylist()
        names = maker.schema["emotion"].categories
        media = []
        for number, row in enumerate(rows):
            emotion = names[row["emotion"]] if row["emotion"] is not None else "neutral"
            there = not row["utterance_id"].endswith(missing)
            audio = {"bytes": flac(tone(emotion, number)), "path": None} if there else None
            video = {"bytes": clips[emotion], "path": None} if there else None
            media.append({"utterance_id": row["utterance_id"], "audio": audio, "video": video})
        (dataset / "media").mkdir(exist_ok=True)
        table = pa.Table.from_pylist(media, schema.remove_metadata()).replace_schema_metadata(schema.metadata)
        pq.write_table(table, dataset / "media" / path.name)
    return dataset
