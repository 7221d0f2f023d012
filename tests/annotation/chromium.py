"""A headless Chromium that labels as people do: with keys and with the mouse."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from annotation.controls import Choice, page_controls
from annotation.labeling_config import turn_label
from schemas.label_schema import LabelSchema
from tests.annotation.simulated_page import SimulatedPage
from tests.availability import unavailable

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

SCREEN = {"width": 1366, "height": 768}
SUBMIT_BAR = 718  # pixels from the top of the screen
LOST_KEYS = 700  # milliseconds; keys typed sooner after a page was loaded may be lost
_OPEN = (
    "[...document.querySelectorAll('.f')].filter(one => one.offsetParent && "
    "getComputedStyle(one).borderLeftColor === 'rgb(232, 89, 12)')"
    ".map(one => one.querySelector('h4').innerText)"
)
_SAID = re.compile(r"^(?!.*/(static|react-app)/)")  # what a server says that knows who asks
_NAMES = {"enter": "Enter", "space": "Space", "tab": "Tab", "ctrl": "Control", "shift": "Shift", "alt": "Alt"}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the Chromium of this machine."""
    path = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if path is None:
        unavailable("the pages in a browser", "there is no chromium on this machine")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError as error:
        unavailable("the pages in a browser", error)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield browser
        browser.close()


PATIENCE = 180_000
"""Milliseconds to wait for what must come; a busy machine is no fault of the page."""


class Rater:
    """A person at a browser, whose keys are counted.

    Attributes:
        page: The browser's page.
        keys: Keys pressed since the task was opened; a chord counts as one.
        clicks: Clicks since then.
    """

    def __init__(
        self, browser: Browser, url: str, email: str, password: str, record: Path | None = None
    ) -> None:
        # A recording holds every answer of the server, with its body; it is there when the context closes.
        context = browser.new_context(
            viewport=SCREEN, record_har_path=record, record_har_content="embed", record_har_url_filter=_SAID
        )
        self.page: Page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.url = url
        self.keys = self.clicks = 0
        self.page.goto(f"{url}/user/login/")
        self.page.fill("input[name=email]", email)
        self.page.fill("input[name=password]", password)
        self.page.press("input[name=password]", "Enter")
        self.page.wait_for_url(lambda address: "/user/login" not in address, wait_until="commit")

    def open(self, project: int) -> None:
        """Start the stream of tasks of a project."""
        self.page.goto(f"{self.url}/projects/{project}/data?labeling=1")
        self.ready()

    def ready(self) -> None:
        """Wait until a page that was just loaded takes keys."""
        self.page.wait_for_selector(".keys", state="visible")
        self.page.wait_for_timeout(LOST_KEYS)
        self.keys = self.clicks = 0

    def next(self, text: str) -> None:
        """Wait, after a submit, for the task of this utterance: it takes keys as soon as it stands there."""
        self.await_utterance(text)
        self.keys = self.clicks = 0

    def press(self, *keys: str) -> None:
        """Press keys, named as in the configuration."""
        for key in keys:
            self.page.keyboard.press("+".join(self._name(part) for part in key.split("+")))
            self.keys += 1

    @staticmethod
    def _name(part: str) -> str:
        if part in _NAMES:
            return _NAMES[part]
        if part.isalpha() and len(part) == 1:
            return f"Key{part.upper()}"
        return f"Digit{part}" if part.isdigit() else part

    def click(self, choice: Choice) -> None:
        """Click a choice that is shown."""
        hint = self.page.locator(
            "sup", has_text=re.compile("^" + re.escape(f"[{','.join(choice.keys)}]") + "$")
        )
        self.page.locator(".lsf-choice", has=hint).locator("visible=true").click()
        self.clicks += 1

    def answer(self, page: SimulatedPage, schema: LabelSchema, how: str) -> None:
        """Do in the browser what was done on the simulated page, by ``keys`` or by ``mouse``."""
        if how == "keys":
            self.press(*page.pressed)
            return
        choices = {
            choice.keys[0]: choice
            for control in page_controls(schema)
            if not control.hidden
            for choice in control.choices
        }
        for key in page.pressed:
            self.click(choices[key])

    def pick_turn(self, number: int) -> None:
        """Click a turn of a dialogue page: in its transcript or, with a video, on its label."""
        marks = self.page.locator(".htx-highlight")
        if marks.count():
            marks.nth(number - 1).click()
        else:
            self.page.locator(".lsf-keypoints__name").get_by_text(turn_label(number), exact=True).click()
        self.clicks += 1

    def await_utterance(self, text: str) -> None:
        """Wait until the page asks about the utterance of this text."""
        self.page.wait_for_selector(f".cur:has-text({text!r}) >> visible=true")

    def await_choice(self, key: str) -> None:
        """Wait until a choice with this key is chosen."""
        chosen = self.page.locator(".ant-checkbox-wrapper-checked", has_text=f"[{key}]")
        chosen.locator("visible=true").first.wait_for()

    def await_open(self, *titles: str) -> None:
        """Wait until the rows with a bar, which are open questions, are those of these titles."""
        self.page.wait_for_function(f"wanted => JSON.stringify({_OPEN}) === wanted", arg=_json(titles))

    def ask_relations(self) -> None:
        """Answer so that both relations of the schema ``affect`` are asked, and wait until they are."""
        self.press("c", "n")
        self.page.wait_for_function(
            "[...document.querySelectorAll('.ask')].filter(one => one.offsetParent).length === 2"
        )

    def check_fits(self) -> None:
        """Check that nothing of a page lies below the submit bar or beyond the right edge."""
        box = self.page.locator(".g").bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= SUBMIT_BAR
        assert box["x"] + box["width"] <= SCREEN["width"]
        cut_off = self.page.locator(".cur").evaluate_all(
            "all => all.some(one => one.clientHeight < Math.min(one.scrollHeight, 100))"
        )
        assert not cut_off, "what is rated does not stand there whole"
        ends = self.page.locator(".lsf-choice").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect().right)"
        )
        assert max(ends) <= SCREEN["width"], "a choice is cut off"

    def shown(self) -> list[str]:
        """Return what the choices that are shown say, with their keys."""
        return self.page.locator(".lsf-choice").locator("visible=true").all_inner_texts()

    def submit(self, key: str = "ctrl+enter") -> None:
        """Submit, and wait until the server has it."""
        with self.page.expect_response(_is_submission) as got:
            self.press(key)
        assert got.value.ok, got.value.text()

    def submit_by_mouse(self) -> None:
        """Submit with Label Studio's own button."""
        with self.page.expect_response(_is_submission) as got:
            self.page.get_by_role("button", name="Submit", exact=False).first.click()
            self.clicks += 1
        assert got.value.ok, got.value.text()


def _json(titles: Sequence[str]) -> str:
    """Write titles as the browser does."""
    return json.dumps(titles, ensure_ascii=False, separators=(",", ":"))


def _is_submission(answer: Response) -> bool:
    return "/annotations" in answer.url and answer.request.method in ("POST", "PATCH")
