"""A headless Chromium as its user has it: opens addresses, presses buttons, sees visible text; driven over WebDriver.

Debian's `chromium` and `chromium-driver` always have the same version, and nothing is downloaded here.
"""

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

PROGRAMS: Final = ("chromium", "chromedriver")
MISSING: Final = (
    "not on PATH: {}: install Chromium and its driver (apt-get install chromium chromium-driver) to run the tests of "
    "the web page"
)
ARGUMENTS: Final = (
    "--headless=new",
    "--no-sandbox",  # there is none for root
    "--disable-dev-shm-usage",  # containers have little of it
    "--hide-scrollbars",
    "--lang=en-US",
)
SIZE: Final = (1600, 1000)
SECONDS_MAX: Final = 60
STILL_SECONDS: Final = 0.7
"""What looks the same after so long has loaded, and moves no more."""
BAD_REQUEST: Final = 400


@dataclass(frozen=True, slots=True)
class Page:
    """A tab, as one sees it; whatever is not there within a minute fails the test."""

    driver: Chrome

    @property
    def text(self) -> str:
        """The visible text."""
        return str(self.driver.execute_script("return document.body.innerText"))

    def resize(self, width: int, height: int, scale: int = 1) -> None:
        """Use a screen of a size in points, each so many pixels wide and high."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, url: str, *texts: str) -> str:
        """Go to an address and return the visible text once all these are in it."""
        self.driver.get(url)
        return self.see(*texts)

    def see(self, *texts: str) -> str:
        """Return the visible text once all these are in it."""
        self._until(lambda: all(text in self.text for text in texts), f"{texts} are seen")
        return self.text

    def press(self, button: str) -> None:
        """Press the first button that says just this, and has no double quotes in it."""
        self._until(lambda: self._pressed(f'//button[normalize-space(.)="{button}"]'), f"{button!r} can be pressed")

    def scroll_to(self, heading: str) -> None:
        """Bring the first element with just this text to the top."""
        element = self.driver.find_element(By.XPATH, f'//*[normalize-space(text())="{heading}"]')
        self.driver.execute_script("arguments[0].scrollIntoView()", element)

    def picture(self, path: Path, still: str = "body") -> None:
        """Save what is seen as PNG, once the element that a CSS selector names is still."""
        element = self.driver.find_element(By.CSS_SELECTOR, still)
        self._until(lambda: _is_still(element), f"{still} is still")
        path.write_bytes(self.driver.get_screenshot_as_png())

    def complaints(self) -> list[str]:
        """Return the errors on the console and the requests that failed since this was last asked."""
        errors = [entry["message"] for entry in self._log("browser") if entry["level"] == "SEVERE"]
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return errors + [failure for event in events if (failure := _failure(event))]

    def _pressed(self, path: str) -> bool:
        try:
            self.driver.find_element(By.XPATH, path).click()
        except WebDriverException:  # not there yet, or drawn anew meanwhile
            return False
        return True

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + SECONDS_MAX
        while not holds():
            if time.monotonic() > deadline:
                pytest.fail(f"{self.driver.current_url}: not within {SECONDS_MAX} s: {what}\n{self.text}")
            time.sleep(0.1)

    def _log(self, name: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return entries


@contextmanager
def chromium() -> Iterator[Page]:
    """Run Chromium while the block lasts; the test is skipped, and says so, where it is not installed."""
    programs = {name: shutil.which(name) for name in PROGRAMS}
    if missing := [name for name, path in programs.items() if path is None]:
        pytest.skip(MISSING.format(", ".join(missing)))
    options = ChromeOptions()
    options.binary_location = str(programs["chromium"])
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # Chromium does not clear away all that it keeps in the folder of temporary files, and may still be ending.
    with TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as folder:
        driver = Chrome(options, Service(programs["chromedriver"], env={**os.environ, "TMPDIR": folder}))
        try:
            driver.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "UTC"})
            page = Page(driver)
            page.resize(*SIZE)
            yield page
        finally:
            driver.quit()


def _is_still(element: WebElement) -> bool:
    before = element.screenshot_as_png
    time.sleep(STILL_SECONDS)
    return element.screenshot_as_png == before


def _failure(event: dict[str, Any]) -> str | None:
    """Return what failed, if an event of the network says that something did which the page did not call off."""
    said = event["params"]
    match event["method"]:
        case "Network.responseReceived" if said["response"]["status"] >= BAD_REQUEST:
            return f"{said['response']['status']} {said['response']['url']}"
        case "Network.loadingFailed" if not said.get("canceled"):
            return f"{said['errorText']} {said['type']}"
        case _:
            return None
