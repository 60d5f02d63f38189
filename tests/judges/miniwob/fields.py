"""Tasks of typing: fields, forms, reading a text and entering what it says."""

import re

from common.endings import Gap
from common.hands import in_order, plain

from .task import ordinal, solves

BUTTON = "button"


def submit(h, name="Submit"):
    """Presses the form's button."""
    h.click(h.find(name, BUTTON))


@solves("enter-text", "enter-text-dynamic")
def enter_text(h):
    (text,) = h.read(r'Enter " ?(.+?) ?" into the text field')
    h.type(h.fields()[0], text)
    submit(h)


@solves("enter-text-2")
def enter_cased(h):
    text, case = h.read(r'Type " ?(.+?) ?" in all (upper|lower) case')
    h.type(h.fields()[0], text.upper() if case == "upper" else text.lower())
    submit(h)


@solves("enter-password")
def enter_password(h):
    (password,) = h.read(r'password " ?(.+?) ?" into both')
    for place in range(2):
        h.type(h.fields()[place], password)
    submit(h)


@solves("enter-date")
def enter_date(h):
    month, day, year = h.read(r"Enter (\d\d)/(\d\d)/(\d{4}) as the date")
    h.type(h.visible(lambda t: t.type == "date", "a date field")[0], f"{year}-{month}-{day}")
    submit(h)


@solves("enter-time")
def enter_time(h):
    hour, minute, half = h.read(r"Enter (\d+):(\d\d) ?([AP]M) as the time")
    hour = int(hour) % 12 + (12 if half == "PM" else 0)
    h.type(h.visible(lambda t: t.type == "time", "a time field")[0], f"{hour:02}:{minute}")
    submit(h)


@solves("login-user")
def log_in(h):
    user, password = h.read(r'username " ?(.+?) ?" and the password " ?(.+?) ?" into')
    h.type(h.fields()[0], user)
    h.type(h.fields()[1], password)
    submit(h, "Login")


@solves("login-user-popup")
def log_in_with_popup(h):
    user, password = h.read(r'username " ?(.+?) ?" and the password " ?(.+?) ?" into')
    for place, text in enumerate((user, password)):
        # The dialog appears when the field gets the focus, so it is looked for before typing.
        h.click(h.fields()[place])
        if h.sees("Cancel", BUTTON):
            h.click(h.find("Cancel", BUTTON))
        h.type(h.fields()[place], text)
    submit(h, "OK")


@solves("simple-arithmetic")
def arithmetic(h):
    left, sign, right = h.read(r"(\d+) ([-+x]) (\d+) =")
    left, right = int(left), int(right)
    answer = {"+": left + right, "-": left - right, "x": left * right}[sign]
    h.type(h.fields()[0], str(answer))
    submit(h)


@solves("simple-algebra")
def algebra(h):
    left, sign, right, result = h.read(r"(x|\d+) ([-+]) (x|\d+) = (-?\d+)")
    result = int(result)
    if sign == "+":
        answer = result - int(right if left == "x" else left)
    else:
        answer = result + int(right) if left == "x" else int(left) - result
    h.type(h.fields()[0], str(answer))
    submit(h)


@solves("find-word")
def find_word(h):
    place, rest = h.read(r'Find the (\d+\w\w) ?word in the paragraph.*? press "Submit"\.? ?(.*)')
    h.type(h.fields()[0], re.sub("[^a-zA-Z]", "", rest.split()[ordinal(place)]))
    submit(h)


@solves("text-transform")
def read_transformed(h):
    (rest,) = h.read(r"press Submit\. ?((?:\S ?){3,4}?) ?(?:\[|Submit|Last reward)")
    h.type(h.fields()[0], re.sub(r"\s", "", rest))
    submit(h)


@solves("read-table")
def read_table(h):
    (key,) = h.read(r"Enter the value of (.+?) into the text field")
    h.type(h.fields()[0], row_value(h, key))
    submit(h)


def row_value(h, key):
    """What stands beside a name in a table of two columns; the rows are lines, the cells apart by blanks or bars."""
    for line in h.text().splitlines():
        cells = [cell.strip() for cell in re.split(r"\t|\||  +", line) if cell.strip()]
        if len(cells) == 2 and plain(cells[0].rstrip(":")) == plain(key):
            return cells[1]
    lines = [line.strip(" \t|") for line in h.text().splitlines() if line.strip(" \t|")]
    for line, following in zip(lines, lines[1:], strict=False):
        if plain(line) == plain(key):
            return following
    (value,) = h.read(re.escape(key) + r"[ :|]+(.+?)(?: (?:Color|First name|Last name|Country|Gender|Language"
                      r"|Year of Birth|Religion|Submit|Last reward)\b|$)")  # fmt: skip
    return value.strip(" |")


@solves("read-table-2")
def read_two_of_table(h):
    keys = re.findall(
        r"(Color|First name|Last name|Country|Gender|Language|Year of Birth|Religion):",
        " ".join(h.text().split()),
    )
    values = [row_value(h, key) for key in keys[:2]]
    for place, value in enumerate(values):
        h.type(h.fields()[place], value)
    submit(h)


def held(h, field):
    """What a field holds; where its value is said to be cut (…), out of the page's text."""
    value = field.value or ""
    if not value.endswith("…"):
        return value
    (rest,) = h.read(re.escape(" ".join(value[:-1].split())) + r"([^\]]*)")
    return value[:-1] + rest


@solves("copy-paste")
def copy(h):
    source = h.visible(lambda t: t.tag == "textarea", "a text area")[0]
    h.type(h.visible(lambda t: t.tag == "input" and t.is_field, "the text field")[0], held(h, source))
    submit(h)


@solves("copy-paste-2")
def copy_nth(h):
    (place,) = h.read(r"from the (\d\w\w) text area")
    sources = in_order(h.visible(lambda t: t.tag == "textarea", "a text area"))
    text = held(h, sources[ordinal(place)])
    h.type(h.visible(lambda t: t.tag == "input" and t.is_field, "the text field")[0], text)
    submit(h)


@solves("scroll-text")
def last_word(h):
    source = h.visible(lambda t: t.tag == "textarea", "the text area")[0]
    word = held(h, source).split()[-1].rstrip(".")
    h.type(h.visible(lambda t: t.tag == "input" and t.is_field, "the text field")[0], word)
    submit(h)


@solves("multi-layouts", "multi-orderings")
def search_movie(h):
    genre, director, year = h.read(r"Search for (.+?) movies directed by (.+?) from year (\d{4})")
    labels = re.findall(r"(Genre|Director|Year|Released)", " ".join(h.text().split()).split("from year", 1)[1])
    if len(labels) < 3:
        raise Gap(f"of three labels {labels} can be read")
    said = {"Genre": genre, "Director": director, "Year": year, "Released": year}
    for place, label in enumerate(labels[:3]):
        h.type(h.fields()[place], said[label])
    h.click(h.visible(lambda t: t.name.strip() in ("Submit", "Search", "Go!"), "the form's button")[-1])


@solves("form-sequence-2")
def radio_and_field(h):
    radio, number, field = h.read(
        r'Check the (\d\w\w) radio button and enter the number " ?(-?\d+) ?" into the (\d\w\w)'
    )
    h.click(h.of_role("radio")[ordinal(radio)])
    h.type(h.fields()[ordinal(field)], number)
    submit(h)


@solves("guess-number")
def guess(h):
    low, high = 0, 9
    for _ in range(5):
        number = (low + high) // 2
        h.type(h.fields()[0], str(number), clear=True)
        submit(h)
        text = " ".join(h.text().split())
        if f"higher than {number}" in text:
            low = number + 1
        elif f"lower than {number}" in text:
            high = number - 1
        else:
            return


@solves("terminal")
def terminal(h):
    ending = re.search(
        r"with(?: the)? (?:file )?extension (\.\w[\w.]*?)[. ]|no file extension", " ".join(h.text().split())
    )
    extension = ending and ending[1]
    field = h.fields()[0]
    h.type(field, "ls", submit=True)
    (listed,) = h.read(r"user\$ ?ls ?(.+?) ?user\$")
    files = listed.split()
    chosen = next((f for f in files if (f.endswith(extension) if extension else "." not in f)), files[0])
    h.type(h.fields()[0], f"rm {chosen}", submit=True)
