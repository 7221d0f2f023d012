"""All extractors by name, and how they are made from what the command line says."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

from corpus.features.audio_encoder import AudioEncoder
from corpus.features.egemaps import Egemaps
from corpus.features.extractor import Extractor, Modality
from corpus.features.face_landmarks import FaceLandmarks
from corpus.features.image_encoder import ImageEncoder
from corpus.features.log_mel import LogMel
from corpus.features.mfcc import Mfcc
from corpus.features.ngrams import Ngrams
from corpus.features.openface import OpenFace
from corpus.features.pretrained import Pretrained
from corpus.features.text_encoder import TextEncoder
from schemas.errors import InputError, Issue

_LANGUAGE_MODEL = re.compile(r"([a-z]{2,3})=(.+)")


@dataclass(frozen=True)
class Options:
    """What can be said about an extractor.

    Attributes:
        models: Folders, files or Hub names, for text also ``LANGUAGE=MODEL``; empty: the usual one.
        revision: Revision of a Hub model.
        sequence: A vector a step in place of one an utterance.
        images: ``frames`` or ``faces``.
        csv: Folder of CSV files.
    """

    models: Sequence[str] = ()
    revision: str | None = None
    sequence: bool = False
    images: str | None = None
    csv: str | None = None


@dataclass(frozen=True)
class Entry:
    """An extractor of the catalogue.

    Attributes:
        about: What it is, for people.
        make: Makes it.
        options: The options that it takes, besides which none may be given.
    """

    about: str
    make: Callable[[str, Options], Extractor]
    options: frozenset[str]


def _images(options: Options) -> Modality:
    if options.images not in (None, "frames", "faces"):
        raise InputError(
            Issue("unknown pictures", column="--images", value=options.images, choices=["frames", "faces"])
        )
    return Modality(options.images or "frames")


def _one_model(name: str, options: Options, default: str | None) -> str:
    chosen = list(options.models) or ([default] if default else [])
    if len(chosen) != 1:
        message = f"{name} needs one model: --model FOLDER, or its name on the Hugging Face Hub"
        raise InputError(Issue(message, column="--model", value=", ".join(chosen) or None))
    return chosen[0]


def _audio_encoder(default: str | None = None) -> Callable[[str, Options], Extractor]:
    def make(name: str, options: Options) -> Extractor:
        model = Pretrained(_one_model(name, options, default), options.revision)
        return AudioEncoder(name, options.sequence, model=model)

    return make


def _image_encoder(default: str | None = None) -> Callable[[str, Options], Extractor]:
    def make(name: str, options: Options) -> Extractor:
        model = Pretrained(_one_model(name, options, default), options.revision)
        return ImageEncoder(name, _images(options), options.sequence, model=model)

    return make


def _text_encoder(name: str, options: Options) -> Extractor:
    chosen: dict[str | None, str] = {}
    for one in options.models:
        named = _LANGUAGE_MODEL.fullmatch(one)
        language, model = (named[1], named[2]) if named else (None, one)
        if language in chosen:
            raise InputError(Issue("this model is given twice", column="--model", value=one))
        chosen[language] = model
    if not chosen:
        raise InputError(Issue(f"{name} needs a model: --model [LANGUAGE=]FOLDER", column="--model"))
    if options.revision and len(chosen) > 1:
        raise InputError(Issue("a revision is of one model", column="--revision", value=options.revision))
    models = tuple((language, Pretrained(model, options.revision)) for language, model in chosen.items())
    return TextEncoder(name, options.sequence, models)


def _face_landmarks(name: str, options: Options) -> Extractor:
    return FaceLandmarks(name, _images(options), options.sequence, _one_model(name, options, None))


def _openface(name: str, options: Options) -> Extractor:
    if options.csv is None:
        raise InputError(Issue(f"{name} needs the folder of OpenFace's files: --csv FOLDER", column="--csv"))
    return OpenFace(options.sequence, options.csv)


def _entry(about: str, make: Callable[[str, Options], Extractor], *options: str) -> Entry:
    return Entry(about, make, frozenset(options))


_HUB = ("models", "revision", "sequence")
EXTRACTORS: dict[str, Entry] = {
    "mfcc": _entry("MFCC with slopes, pitch, energy, voice", lambda _, o: Mfcc(o.sequence), "sequence"),
    "log-mel": _entry("log-mel spectrogram", lambda _, o: LogMel(o.sequence), "sequence"),
    "egemaps": _entry("eGeMAPS by openSMILE", lambda _, o: Egemaps(o.sequence), "sequence"),
    "wav2vec2": _entry("wav2vec 2.0", _audio_encoder("facebook/wav2vec2-base-960h"), *_HUB),
    "hubert": _entry("HuBERT", _audio_encoder("facebook/hubert-base-ls960"), *_HUB),
    "audio-encoder": _entry("any transformers encoder of sound", _audio_encoder(), *_HUB),
    "mobilenetv2": _entry("MobileNetV2", _image_encoder("google/mobilenet_v2_1.0_224"), *_HUB, "images"),
    "image-encoder": _entry("any transformers encoder of images", _image_encoder(), *_HUB, "images"),
    "face-landmarks": _entry("MediaPipe FaceLandmarker", _face_landmarks, "models", "sequence", "images"),
    "openface": _entry("OpenFace CSV files", _openface, "csv", "sequence"),
    "bert": _entry("BERT and its relatives, by language", _text_encoder, *_HUB),
    "text-encoder": _entry("any transformers encoder of text", _text_encoder, *_HUB),
    "ngrams": _entry("hashed n-grams, no download", lambda _, __: Ngrams()),
}


def create(name: str, options: Options | None = None) -> Extractor:
    """Make an extractor.

    Args:
        name: Its name.
        options: What is said about it.

    Raises:
        InputError: Unknown name, an option that it does not take, or a model that is not given.
    """
    if name not in EXTRACTORS:
        raise InputError(Issue("unknown extractor", value=name, choices=list(EXTRACTORS)))
    entry, options = EXTRACTORS[name], options or Options()
    given = [one.name for one in fields(options) if getattr(options, one.name) not in ((), [], None, False)]
    issues = [
        Issue(
            f"{name} does not take this option",
            value=_flag(one),
            choices=[_flag(o) for o in sorted(entry.options)],
        )
        for one in given
        if one not in entry.options
    ]
    if issues:
        raise InputError(issues)
    return entry.make(name, options)


def _flag(option: str) -> str:
    return "--model" if option == "models" else f"--{option}"
