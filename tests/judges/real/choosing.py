"""Tasks of choosing: the comboboxes, the shadow-DOM gallery, the data grid, the list of 10,000 rows."""

import time

from common.hands import plain

from .task import task

BUTTON = "button"

# Comboboxes ---------------------------------------------------------------------------------------


def option(h, name):
    """An option of the list that is open."""
    h.click(h.find(name, ("option", "listitem", "generic")))


def box(h, name):
    """The field of a combobox, by its label."""
    return h.visible(
        lambda t: plain(t.name).startswith(plain(name)) and (t.is_field or t.role == "combobox") and t.tag != "select",
        f"the combobox {name!r}",
    )[0]


@task("combobox", lambda t: t["country"] == "Croatia")
def choose_a_country(h):
    h.click(box(h, "Country"))
    option(h, "Croatia")


@task("combobox", lambda t: t["country"] == "Norway")
def narrow_and_choose(h):
    h.type(box(h, "Country"), "nor")
    option(h, "Norway")


@task("combobox", lambda t: t["tags"] == ["red", "blue"])
def choose_two_tags(h):
    h.click(box(h, "Tags"))
    option(h, "red")
    option(h, "blue")


@task("combobox", lambda t: t["tags"] == ["violet"])
def make_a_new_tag(h):
    h.type(box(h, "Tags"), "violet")
    h.click(h.visible(lambda t: plain(t.name).startswith("add violet"), "the offer to add it")[-1])


@task("combobox", lambda t: t["city"] == "Tromso")
def choose_a_city(h):
    h.click(h.visible(lambda t: t.role in ("combobox", "listbox") and t.box and t.tag == "div" and t.box[1] > 90,
                      "the combobox of cities")[-1])  # fmt: skip
    time.sleep(0.3)
    option(h, "Tromso")


@task("combobox", lambda t: t["fruit"] == "Banana")
def choose_a_fruit(h):
    h.type(box(h, "Fruit"), "ban")
    option(h, "Banana")


@task("combobox", lambda t: t["fruit"] == "Apricot")
def choose_by_keys(h):
    h.type(box(h, "Fruit"), "ap")
    h.press("ArrowDown")
    h.press("ArrowDown")
    h.press("Enter")


# Shadow DOM ---------------------------------------------------------------------------------------


@task("shadow", lambda t: t["city"] == "Oslo")
def type_into_a_component(h):
    h.type(h.find("City", "textbox"), "Oslo")


@task("shadow", lambda t: t["newsletter"] is True)
def check_a_component(h):
    h.click(h.find("Newsletter", "checkbox"))


@task("shadow", lambda t: t["dark"] is True)
def switch_a_component(h):
    h.click(h.find("Dark mode", "switch"))


@task("shadow", lambda t: t["heard"] == ["order"])
def press_a_component(h):
    h.click(h.find("Order", BUTTON))


@task("shadow", lambda t: t["size"] == "m")
def choose_in_a_component(h):
    h.click(h.find("Size", "combobox"))
    h.click(h.find("Medium", "option"))


@task("shadow", lambda t: t["heard"] == ["agree"] and t["dialog"] is False)
def answer_a_dialog(h):
    h.click(h.find("Open dialog", BUTTON))
    h.click(h.find("Agree", BUTTON))


@task("shadow", lambda t: t["details"] is True)
def open_details(h):
    h.click(h.find("Shipping"))


@task("shadow", lambda t: t["tab"] == "b")
def change_the_tab(h):
    h.click(h.find("Reviews"))


# Data grid ----------------------------------------------------------------------------------------


def column(h, name):
    """A column's header, or the text in it."""
    return h.visible(lambda t: plain(t.name) == plain(name) and t.box and t.box[1] < 110, f"the column {name}")[0]


def cell(h, name):
    """A cell by what it says."""
    return h.find(name, ("gridcell", "cell", "generic"))


@task("grid", lambda t: t["sort"] == ["price asc"])
def sort_up(h):
    h.click(column(h, "Price"))


@task("grid", lambda t: t["sort"] == ["stock desc"])
def sort_down(h):
    h.click(column(h, "Stock"))
    h.click(column(h, "Stock"))


@task("grid", lambda t: t["shown"] == 1)
def search_the_grid(h):
    h.type(h.find("Search articles"), "Bed 200")


@task("grid", lambda t: t["prices"]["Chair 2"] == 99)
def edit_a_cell(h):
    h.click(cell(h, "47"), count=2)
    h.press("Control+a")
    h.type(None, "99", submit=True)


@task("grid", lambda t: t["selected"] == ["Table 3"])
def select_a_row(h):
    row = cell(h, "Table 3")
    boxes = h.visible(lambda t: t.role == "checkbox" and t.box, "the rows' boxes")
    h.click(min(boxes, key=lambda t: abs(t.middle[1] - row.middle[1])))


@task("grid", lambda t: t["selected"] == ["Bed 200"])
def select_the_last_row(h):
    h.scroll("down", 20000, cell(h, "Lamp 1"))
    row = cell(h, "Bed 200")
    boxes = h.visible(lambda t: t.role == "checkbox" and t.box, "the rows' boxes")
    h.click(min(boxes, key=lambda t: abs(t.middle[1] - row.middle[1])))


@task("grid", lambda t: t["columns"] == ["price", "article", "stock"])
def move_a_column(h):
    x, y = column(h, "Article").middle
    h.drag((x, y), (x + 260, y))


# Ten thousand rows --------------------------------------------------------------------------------


def rows(h):
    """Something in the list, to scroll what holds it."""
    return h.visible(lambda t: t.role == BUTTON and t.name.startswith("Open "), "a row")[0]


@task("virtual", lambda t: t["heard"] == ["open 3"])
def open_a_row_in_sight(h):
    h.click(h.find("Open 3", BUTTON))


@task("virtual", lambda t: t["heard"] == ["open 7500"])
def jump_and_open(h):
    h.type(h.find("Row number"), "7500", submit=True)
    h.click(h.find("Open 7500", BUTTON))


@task("virtual", lambda t: t["heard"] == ["open 50"])
def scroll_and_open(h):
    h.scroll("down", 1900, rows(h))
    h.click(h.find("Open 50", BUTTON))


@task("virtual", lambda t: t["last"] == 9999)
def scroll_to_the_end(h):
    for _ in range(5):
        h.scroll("down", 100_000, rows(h))


@task("virtual", lambda t: t["ticked"] == [2, 60])
def tick_before_and_after(h):
    h.click(h.find("Tick 2", "checkbox"))
    h.scroll("down", 2300, rows(h))
    h.click(h.find("Tick 60", "checkbox"))


@task("virtual", lambda t: t["heard"] == ["open 1", "open 1"] and t["offset"] == 0)
def away_and_back(h):
    h.click(h.find("Open 1", BUTTON))
    h.scroll("down", 4000, rows(h))
    h.scroll("up", 100000, rows(h))
    h.click(h.find("Open 1", BUTTON))
