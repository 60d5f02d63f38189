"""Tasks of writing: the rich text editor, the code editors, the app with routes, the date pickers."""

import time

from common.hands import in_order

from .task import task

BUTTON = "button"

# Rich text ----------------------------------------------------------------------------------------


def letter(h):
    """The editor's text."""
    return h.find("Letter", "textbox")


@task("editor", lambda t: t["text"] == "Dear Ana, see you on Friday.")
def write_a_sentence(h):
    h.type(letter(h), "Dear Ana, see you on Friday.")


@task("editor", lambda t: t["text"] == "Milk\nBread\nGröße 42 – ✓")
def write_lines(h):
    """Paragraphs or breaks within one, but three lines and not four."""
    h.type(letter(h), "Milk\nBread\nGröße 42 – ✓")


@task("editor", lambda t: t["html"] == "<p>New text</p>", content="<p>Old text that goes</p>")
def replace_all(h):
    h.type(letter(h), "New text", clear=True)


@task("editor", lambda t: t["html"] == "<p><strong>Important</strong></p>", content="<p>Important</p>")
def make_bold(h):
    h.click(letter(h))
    h.press("Control+a")
    h.click(h.find("Bold", BUTTON))


@task("editor", lambda t: t["html"].startswith("<h2>Minutes</h2>"), content="<p>Minutes</p>")
def make_a_heading(h):
    h.click(letter(h))
    h.click(h.find("Heading", BUTTON))


@task("editor", lambda t: t["html"].startswith("<ul><li><p>one</p></li><li><p>two</p></li></ul>"))
def write_a_list(h):
    h.click(letter(h))
    h.click(h.find("Bullet list", BUTTON))
    h.type(None, "one")
    h.press("Enter")
    h.type(None, "two")


@task("editor", lambda t: t["html"] == "<p>Kept</p>" and "<em>" not in t["html"], content="<p>Kept</p>")
def undo_a_style(h):
    h.click(letter(h))
    h.press("Control+a")
    h.click(h.find("Italic", BUTTON))
    h.click(h.find("Undo", BUTTON))


# Code ---------------------------------------------------------------------------------------------


def source(h):
    """The text of CodeMirror."""
    return h.find("Source", "textbox")


def script(h):
    """The hidden text area of Ace, which is the other one that takes text."""
    return h.visible(lambda t: t.is_field and t.name != "Source", "the second code editor")[0]


@task("code", lambda t: t["source"] == "let a = 1")
def code_a_line(h):
    h.type(source(h), "let a = 1")


@task("code", lambda t: t["source"] == "one\ntwo\nthree")
def code_three_lines(h):
    h.type(source(h), "one\ntwo\nthree")


@task("code", lambda t: t["source"] == "new", doc="old\ncode\nthat goes")
def code_anew(h):
    h.type(source(h), "new", clear=True)


@task("code", lambda t: t["source"] == "abc!", doc="abc")
def code_at_the_end(h):
    h.click(source(h))
    h.press("Control+End")
    h.type(None, "!")


@task("code", lambda t: t["script"] == "print 7")
def script_a_line(h):
    h.type(script(h), "print 7")


@task("code", lambda t: t["script"] == "bye", script="hello\nworld")
def script_anew(h):
    h.click((300, 260))
    h.press("Control+a")
    h.type(None, "bye")


# Routes -------------------------------------------------------------------------------------------


@task("router", lambda t: t["path"] == "/about" and t["heading"] == "About us")
def follow_a_route(h):
    h.click(h.find("About", "link"))


@task("router", lambda t: t["path"] == "/people/Ben" and t["heading"] == "Person Ben")
def follow_two_routes(h):
    h.click(h.find("People", "link"))
    h.click(h.find("Ben", "link"))


@task("router", lambda t: t["saved"] == ["Ana Lima"])
def fill_a_form_of_a_route(h):
    h.click(h.find("Profile", "link"))
    h.type(h.find("Name", "textbox"), "Ana Lima")
    h.click(h.find("Save", BUTTON))


@task("router", lambda t: t["saved"] == ["Zoe"])
def submit_by_enter(h):
    h.click(h.find("Profile", "link"))
    h.type(h.find("Name", "textbox"), "Zoe", submit=True)


@task("router", lambda t: t["path"] == "/secret" and t["heading"] == "Secret of ana")
def pass_a_guard(h):
    h.click(h.find("Secret", "link"))
    h.click(h.find("Log in as Ana", BUTTON))


@task("router", lambda t: t["saved"] == ["report"])
def wait_for_a_slow_route(h):
    h.click(h.find("Report", "link"))
    h.click(h.find("Keep the report", BUTTON))


# Dates --------------------------------------------------------------------------------------------


def pick(h, label):
    """Chooses a day of the calendar that is open, by what it is called."""
    h.click(h.find(label))
    time.sleep(0.2)


@task("dates", lambda t: t["day"] == ["2026-06-24"])
def pick_a_day(h):
    h.click(h.find("Day of arrival", "textbox"))
    pick(h, "June 24, 2026")


@task("dates", lambda t: t["stay"] == ["2026-06-09", "2026-06-12"])
def pick_a_range(h):
    h.click(h.find("Stay", "textbox"))
    pick(h, "June 9, 2026")
    pick(h, "June 12, 2026")


@task("dates", lambda t: t["birthday"] == ["1990-05-17"])
def type_a_date(h):
    h.type(h.find("Birthday", "textbox"), "17.05.1990", submit=True)


@task("dates", lambda t: t["time"] == "16:35")
def pick_a_time(h):
    h.click(h.find("Time of call", "textbox"))
    for name, value in (("Hour", "16"), ("Minute", "35")):
        h.type(h.find(name), value, clear=True)
    h.press("Enter")


@task("dates", lambda t: t["day"] == ["2026-08-03"])
def pick_in_another_month(h):
    h.click(h.find("Day of arrival", "textbox"))
    h.select(h.find("Month"), "August")
    pick(h, "August 3, 2026")


@task("dates", lambda t: t["day"] == [] and t["open"] == 0)
def clear_a_day(h):
    h.click(h.find("Day of arrival", "textbox"))
    pick(h, "June 24, 2026")
    h.click(h.find("Clear the day", BUTTON))


@task("dates", lambda t: t["open"] == 0 and t["day"] == [])
def leave_a_calendar(h):
    h.click(h.find("Day of arrival", "textbox"))
    assert in_order(h.find_all("June 24, 2026"))
    h.press("Escape")
