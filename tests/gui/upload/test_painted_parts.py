"""Bar, speed line and step strip: what they paint, and what they tell a screen reader."""

from __future__ import annotations

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from lorry.core.transfers import Phase
from lorry.gui.shell.theme import Scheme, Theme
from lorry.gui.upload.phase_strip import PhaseStrip
from lorry.gui.upload.speed_line import SpeedLine, axis_top
from lorry.gui.upload.two_tone_bar import BarTone, TwoToneBar

SCHEMES = [Scheme.LIGHT, Scheme.DARK]


def painted(widget: QWidget, width: int, height: int) -> QImage:
    """`widget` as it looks at this size."""
    widget.resize(width, height)
    return widget.grab().toImage()


def colour_at(image: QImage, share: float) -> QColor:
    """The colour in the middle row, at this share of the width."""
    return image.pixelColor(round(image.width() * share), image.height() // 2)


def uses(image: QImage, colour: QColor) -> bool:
    """Whether any pixel has exactly this colour."""
    return any(image.pixelColor(x, y) == colour for y in range(image.height()) for x in range(image.width()))


@pytest.fixture(params=SCHEMES)
def schemed(request: pytest.FixtureRequest, theme: Theme) -> Theme:
    """The theme, light and dark."""
    theme.set_scheme(request.param)
    return theme


def test_the_bar_keeps_stored_and_sent_apart(qtbot: QtBot, schemed: Theme) -> None:
    bar = TwoToneBar(schemed)
    qtbot.addWidget(bar)
    bar.show_bytes(1_000, 400, 600, BarTone.MOVING)
    image = painted(bar, 300, 12)
    assert [colour_at(image, share) for share in (0.2, 0.5, 0.8)] == [
        schemed.color(token) for token in ("barAck", "barSent", "barTrack")
    ]


@pytest.mark.parametrize(
    ("tone", "expected"),
    [
        (BarTone.MOVING, ["barSent", "barSent"]),
        (BarTone.STILL, ["barTrack", "barTrack"]),
        (BarTone.DONE, ["ok", "ok"]),
    ],
)
def test_everything_sent_and_nothing_confirmed_is_never_shown_as_stored(
    qtbot: QtBot, schemed: Theme, tone: BarTone, expected: list[str]
) -> None:
    bar = TwoToneBar(schemed)
    qtbot.addWidget(bar)
    bar.show_bytes(524_288_000, 0, 524_288_000, tone)
    image = painted(bar, 300, 12)
    assert [colour_at(image, share) for share in (0.2, 0.9)] == [schemed.color(token) for token in expected]


def test_the_bar_is_mirrored_and_says_its_bytes(qtbot: QtBot, theme: Theme) -> None:
    bar = TwoToneBar(theme)
    qtbot.addWidget(bar)
    bar.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
    bar.show_bytes(480_200_000, 302_000_000, 312_000_000, BarTone.MOVING)
    image = painted(bar, 300, 12)
    assert colour_at(image, 0.8) == theme.color("barAck")
    assert colour_at(image, 0.1) == theme.color("barTrack")
    bar.describe()
    assert bar.accessibleName() == "Upload progress"
    assert bar.accessibleDescription() == "312.0 of 480.2 MB sent, 302.0 MB stored"


@pytest.mark.parametrize(
    ("highest", "top"),
    [(0, 1e3), (900, 1e3), (1_001, 2e3), (2e6, 2e6), (3.9e6, 4e6), (6.4e6, 8e6), (8.1e6, 1e7), (2.1e8, 4e8)],
)
def test_the_axis_ends_at_a_round_number_above(highest: float, top: float) -> None:
    assert axis_top(highest) == pytest.approx(top)


def test_the_speed_line_is_painted_and_read(qtbot: QtBot, schemed: Theme) -> None:
    line = SpeedLine(schemed)
    qtbot.addWidget(line)
    assert not uses(painted(line, 200, 90), schemed.color("plot"))
    line.show_history((3.0e6,) * 40)
    image = painted(line, 200, 90)
    assert uses(image, schemed.color("control"))
    assert line.accessibleDescription() == "now 3.0 MB/s, highest 3.0 MB/s in the last 60 seconds"
    # 40 s of 60: the line begins after a third of the width. Its 1.5 px are blended with the ground.
    hue, ground = schemed.color("plot").hue(), schemed.color("window").lightness()
    columns = [
        x
        for x in range(image.width())
        if any(
            abs(image.pixelColor(x, y).hue() - hue) < 12 and abs(image.pixelColor(x, y).lightness() - ground) > 40
            for y in range(22, image.height() - 26)
        )
    ]
    assert min(columns) == pytest.approx(200 - 200 * 39 / 59, abs=4)
    assert max(columns) >= 195


@pytest.mark.parametrize("phase", list(Phase))
def test_the_strip_shows_done_current_and_coming(qtbot: QtBot, schemed: Theme, phase: Phase) -> None:
    strip = PhaseStrip(schemed)
    qtbot.addWidget(strip)
    strip.show_phase(phase)
    steps = strip.steps()
    number = list(Phase).index(phase)
    assert [step.is_current for step in steps] == [i == number for i in range(5)]
    assert all(step.icon == "circle-check" for step in steps[:number])
    assert all(step.icon == "circle" for step in steps[number + 1 :])
    assert strip.accessibleDescription() == f"Step {number + 1} of 5: {steps[number].word}"
    assert uses(painted(strip, 616, 24), schemed.color("text"))


@pytest.mark.parametrize(("state", "icon"), [("waiting", "clock"), ("failed", "circle-x"), ("done", "circle-check")])
def test_the_state_of_the_current_step_is_icon_and_word(qtbot: QtBot, theme: Theme, state: str, icon: str) -> None:
    strip = PhaseStrip(theme)
    qtbot.addWidget(strip)
    strip.show_phase(Phase.UPLOADING, state)
    assert strip.steps()[1].icon == icon
    assert strip.accessibleDescription() == f"Step 2 of 5: Uploading, {state}"


def test_a_narrow_strip_keeps_the_current_word_only(qtbot: QtBot, theme: Theme) -> None:
    theme.set_scheme(Scheme.LIGHT)
    strip = PhaseStrip(theme)
    qtbot.addWidget(strip)
    strip.show_phase(Phase.UPLOADING)
    assert not uses(painted(strip, 260, 24), theme.color("text2"))
    assert uses(painted(strip, 616, 24), theme.color("text2"))
