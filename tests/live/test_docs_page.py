"""The page of /docs as a person has it: all of the document, in a real browser, with nothing from elsewhere."""

import re

import pytest

from support.dashboard import misfits, person


def all_calls(document):
    """Every call that the document describes."""
    return {(method, path) for path, item in document["paths"].items() for method in item}


def open_docs(page, api, where="/docs"):
    """The page, read."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(api.base + where)
    page.wait_for_selector("#content article")
    return asked


def test_every_call_and_every_schema_is_on_it(lone_api):
    """As many as the document has, each with its answers; loaded from the service alone, under its policy."""
    document = lone_api.get("/openapi.json").json()
    answer = lone_api.get("/docs")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
    with person("desktop") as page:
        asked = open_docs(page, lone_api)
        assert asked and all(url.startswith(lone_api.base) for url in asked), asked
        shown = page.eval_on_selector_all("article[data-call]", "all => all.map((one) => one.dataset.call)")
        assert {tuple(call.split(" ", 1)) for call in shown} == all_calls(document) and len(set(shown)) == len(shown)
        for method, path in all_calls(document):
            article = page.locator(f'article[data-call="{method} {path}"]')
            text = article.inner_text()
            operation = document["paths"][path][method]
            assert all(re.search(rf"^{status}$", text, re.M) for status in operation["responses"]), (path, text)
            assert " ".join(operation["summary"].replace("`", "").split()) in " ".join(text.split())
            for parameter in operation.get("parameters", []):
                assert parameter["name"] in text, (path, parameter["name"])
        for name in document["components"]["schemas"]:
            assert page.locator(f"#schema-{name}").count() == 1, name
        # Each link within the page leads somewhere.
        broken = page.evaluate("""() => [...document.querySelectorAll('a[href^="#"]')]
            .map((link) => link.getAttribute('href').slice(1)).filter((id) => !document.getElementById(id))""")
        assert not broken, broken
        assert page.title() == "Ghostcast – API" and document["info"]["version"] in page.inner_text("#title")
        ids = page.evaluate("() => [...document.querySelectorAll('[id]')].map((one) => one.id)")
        assert len(ids) == len(set(ids)), "an id that is there twice"


def test_a_call_is_found_and_linked(lone_api):
    """By words, by the keyboard alone, and by its address."""
    with person("desktop") as page:
        open_docs(page, lone_api)
        page.focus("#find")
        page.keyboard.type("post pause")
        page.wait_for_function("document.getElementById('found').textContent === '1 call'")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_function("location.hash === '#call-pause'")
        article = page.locator("#call-pause")
        box = article.bounding_box()
        assert 0 <= box["y"] < 400, box
        page.fill("#find", "nothing that there is")
        assert page.inner_text("#found") == "0 calls"
        # Loaded by its address, the page is there too.
        open_docs(page, lone_api, "/docs#call-screenshot")
        page.wait_for_function("Math.abs(document.getElementById('call-screenshot').getBoundingClientRect().top) < 400")


def test_it_is_there_with_a_token_and_without_the_document(guarded_ghostcast):
    """The page needs no token, as the document needs none; one that cannot be read is told."""
    with person("desktop") as page:
        open_docs(page, guarded_ghostcast.api)
        page.route("**/openapi.json", lambda route: route.fulfill(status=503, body="{}"))
        page.goto(guarded_ghostcast.api.base + "/docs")
        page.wait_for_function("document.getElementById('words').textContent.includes('status 503')")


@pytest.mark.parametrize("screen", ["phone", "tablet", "desktop"])
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_it_fits(lone_api, screen, colours):
    """No sideways scrolling, nothing too small for a finger, and words that can be read."""
    with person(screen, color_scheme=colours) as page:
        open_docs(page, lone_api)
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        if screen == "phone":
            found = [one for one in misfits(page) if not one.startswith("beside")]
            assert not found, found[:10]
        ink, paper = page.evaluate(
            "() => ['color', 'backgroundColor'].map((name) => getComputedStyle(document.body)[name])"
        )
        assert ink != paper
