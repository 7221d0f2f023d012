"""The voices of the sample: eSpeak NG, steered by the cues of the voice.

Pitch, range, rate and pauses are set in eSpeak NG; volume and brightness (a first-order spectral tilt, as a
smile or a frown gives it) are put on its sound. Each cue is clipped to two units on either side.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

from corpus.sample.cues import VOICE
from corpus.sample.script import Turn
from corpus.sample.world import Floats
from schemas.errors import InputError, Issue

Sound = npt.NDArray[np.float32]

RATE = 22_050
"""Samples a second, as eSpeak NG gives them."""
CLIP = 2.0

_PROGRAM = "espeak-ng"
_WAV_HEADER = 44  # bytes; the lengths that eSpeak NG writes there are no lengths when it writes to a pipe
_LANGUAGES = {"en": "en-us", "zh": "cmn-latn-pinyin"}
_VARIANTS = {"female": ("f2", "f3", "f4", "f1", "f5"), "male": ("m3", "m1", "m7", "m2", "m4")}
_WORDS_A_MINUTE = {"en": 170, "zh": 190}
_LEVEL = 0.07
"""Root mean square of speech at volume 0, of full scale."""
_TIME_LIMIT = 60

_HOW_TO_INSTALL = (
    "eSpeak NG speaks the sample and is not installed: apt-get install espeak-ng (Debian, Ubuntu), "
    "dnf install espeak-ng (Fedora), brew install espeak-ng (macOS); --features-only needs no speech"
)


@cache
def espeak_version() -> str:
    """Return the version of eSpeak NG.

    Raises:
        InputError: It is not installed; says how to install it.
    """
    program = shutil.which(_PROGRAM)
    if program is None:
        raise InputError(Issue(_HOW_TO_INSTALL))
    run = subprocess.run([program, "--version"], capture_output=True, check=True, timeout=_TIME_LIMIT)  # noqa: S603
    return run.stdout.decode("utf-8", "replace").split("Data at")[0].split(":")[-1].strip()


def check_voices(languages: Iterable[str]) -> None:
    """Refuse an eSpeak NG that lacks a voice; it would speak with another one and not say so.

    Raises:
        InputError: It is not installed, or lacks a voice; names all that it lacks.
    """
    version = espeak_version()
    run = subprocess.run([_PROGRAM, "--voices"], capture_output=True, check=True, timeout=_TIME_LIMIT)  # noqa: S603
    known = {line.split()[1] for line in run.stdout.decode("utf-8", "replace").splitlines() if line.strip()}
    message = f"eSpeak NG {version} lacks this voice; 1.51 has it"
    lacking = [_LANGUAGES[one] for one in languages if _LANGUAGES[one] not in known]
    if lacking:
        raise InputError([Issue(message, value=voice) for voice in lacking])


def speak(turn: Turn, language: str) -> Sound:
    """Speak one turn.

    Args:
        turn: Its text, speaker and voice cues.
        language: ``zh`` or ``en``.

    Returns:
        Mono sound at `RATE`, from -1 to 1.

    Raises:
        InputError: eSpeak NG is not installed or cannot speak the language.
    """
    cue = dict(zip(VOICE, np.clip(turn.voice, -CLIP, CLIP).tolist(), strict=True))
    variants = _VARIANTS[turn.speaker.gender]
    base = 44 + 6 * (turn.speaker.place % 3)
    espeak_range = round(50 + 25 * cue["pitch_range"])
    settings = {
        "-v": f"{_LANGUAGES[language]}+{variants[turn.speaker.place % len(variants)]}",
        "-p": round(base + 15 * cue["pitch"]),
        "-s": round(_WORDS_A_MINUTE[language] * (1 + 0.18 * cue["rate"])),
        "-g": max(round(0.6 + 0.9 * cue["pause"]), 0),
    }
    text = f'<speak><prosody range="{espeak_range}">{escape(turn.text)}</prosody></speak>'
    sound = _tilted(_espeak(text, settings), 0.35 * cue["brightness"])
    level = _LEVEL * 10 ** (6 * cue["volume"] / 20)  # 6 dB a unit
    loudness = float(np.sqrt(np.mean(sound**2)))
    return np.asarray(np.clip(sound * (level / loudness), -0.98, 0.98), dtype=np.float32)


def _espeak(text: str, settings: dict[str, object]) -> Floats:
    options = [str(part) for option in settings.items() for part in option]
    command = [_PROGRAM, "-m", "-z", "-b", "1", *options, "--stdin", "--stdout"]
    try:
        run = subprocess.run(  # noqa: S603
            command, input=text.encode(), capture_output=True, check=True, timeout=_TIME_LIMIT
        )
    except FileNotFoundError:
        raise InputError(Issue(_HOW_TO_INSTALL)) from None
    except subprocess.CalledProcessError as error:
        reason = error.stderr.decode("utf-8", "replace").strip()
        raise InputError(Issue(f"eSpeak NG failed: {reason}", value=" ".join(command))) from None
    samples = np.frombuffer(run.stdout[_WAV_HEADER:], "<i2").astype(np.float64) / 32768
    if not samples.any():
        raise InputError(Issue("eSpeak NG was silent; is its voice data complete?", value=settings["-v"]))
    return samples


def _tilted(sound: Floats, tilt: float) -> Floats:
    """Brighten (tilt above 0) or dull (below 0) a sound by one zero of a filter."""
    before = np.concatenate([[0.0], sound[:-1]])
    return np.asarray(sound - tilt * before)


def envelope(sound: Sound, size: int, count: int) -> Floats:
    """Return how loud a sound is in each stretch of ``size`` samples, 0..1 of its loudest; shape (count,)."""
    padded = np.zeros(size * count)
    padded[: min(len(sound), len(padded))] = sound[: len(padded)]
    loud = np.sqrt((padded.reshape(count, size) ** 2).mean(axis=1))
    return np.asarray(loud / max(loud.max(initial=0.0), 1e-9))
