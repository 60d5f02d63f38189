"""Connections and jobs in the dashboard, on a desktop and on a phone: made, followed live, mended and called off."""

import pytest

from support.dashboard import misfits, person
from support.jobs import connected, connect_user, ended, enqueue, finalise, job, log_in, note
from support.local_platform import PASSWORD, ROBOT
from support.playwright_browser import spot
from support.wait import holds_for, wait_for

pytestmark = pytest.mark.alone

# Where the fields of the login's page are, CSS px.
PLACES = {"user": (150, 50), "password": (150, 100)}


@pytest.fixture(params=["desktop", "phone"])
def at(request):
    """Somebody at the dashboard."""
    with person(request.param) as page:
        page.kind = request.param
        yield page


def row(page, view, key):
    """The card of a connection or a job."""
    return page.locator(f"#{view}-list .card[data-id='{key}']")


def read(api, local_args=None, **more):
    """A job that reads a page of the platform."""
    args = {"platform": "local", "workflow": "read", **(local_args or {})}
    return enqueue(api, args=args, **more)["job_id"]


def test_a_user_connects_by_hand(office, local, at):
    """The link is made here, the login is done on its page, and the connection is active by itself."""
    api = office().api
    at.goto(f"{api.base}/#connections")
    at.wait_for_selector("#connections-notice:has-text('No connection yet')")
    options = at.locator("#connect-platform option").all_text_contents()
    assert "Local" in options and "YouTube" in options, options
    at.fill("#connect-user", "ada")
    at.select_option("#connect-platform", label="Local")
    at.click("#connect-send")
    card = at.locator("#connections-list .card")
    card.locator(".login-link").wait_for()
    (made,) = api.get("/connections").json()["connections"]
    assert (made["user_id"], made["platform"], made["status"]) == ("ada", "local", "awaiting_auth")
    assert "not logged in yet" in card.inner_text()
    assert at.kind == "desktop" or not misfits(at)
    with at.expect_popup() as opened:
        card.locator(".login-link a").click()
    own = opened.value
    own.wait_for_selector("#screen[data-picture=true]")
    own.click("#take")
    own.wait_for_selector("body[data-yours=true]")
    card.locator(".login-link:has-text('is on the login page')").wait_for()
    press = own.touchscreen.tap if at.kind == "phone" else own.mouse.click
    shown = api.record(f"_connection-{made['connection_id']}")["viewport"]
    for name, text in (("user", "ada"), ("password", PASSWORD)):
        press(*spot(own, *PLACES[name], **shown))
        wait_for(lambda name=name: local.focused == name, 5, name)
        own.keyboard.type(text)
    own.keyboard.press("Enter")
    wait_for(lambda: "ada" in local.logins.values(), 15, "the login")
    own.click("#done")
    card.locator(".pill[data-state=live]:text-is('active')").wait_for(timeout=30_000)
    assert api.get("/connections").json()["connections"][0]["status"] == "active"
    card.locator(".said[data-tone=good]:has-text('Local is connected.')").wait_for()
    assert card.locator(".login-link").count() == 0, "who is logged in needs no link"
    told = card.inner_text()
    assert "in 30 days" in told and "ada" in told, told
    # Who has logged in came there, and the service has looked once: nobody else.
    holds_for(lambda: local.visits.count("/") == 2, 2, "it is looked once")
    assert PASSWORD not in at.content()


def test_a_login_is_looked_for_and_given_up(office, local, at):
    """What a verification sees is said; a login is deleted only by who says so twice."""
    service = office()
    api = service.api
    connection = connected(api, local)
    at.goto(f"{api.base}/#connections?user=ada")
    card = row(at, "connections", connection)
    card.locator(".pill:text-is('active')").wait_for()
    card.locator("[data-part=verify]").click()
    card.locator(".said[data-tone=good]").wait_for()
    local.logins.clear()
    card.locator("[data-part=verify]").click()
    card.locator(".pill[data-state=failed]:text-is('logged out')").wait_for()
    assert "Open the link" in card.locator(".said[data-tone=bad]").inner_text()
    card.locator("[data-part=login]").click()
    card.locator(".login-link a").wait_for()
    assert card.locator(".login-link a").get_attribute("href").startswith(f"{api.base}/takeover/")
    # Somebody logs in by other means, and it is seen here by itself.
    log_in(api, connection, local)
    assert api.request("POST", f"/connections/{connection}/verify", timeout=60).json()["outcome"] == "logged_in"
    card.locator(".pill:text-is('active')").wait_for()
    card.locator("[data-part=disconnect]").click()
    at.click("#confirm-no")
    assert api.get(f"/connections/{connection}").status_code == 200
    card.locator("[data-part=disconnect]").click()
    assert "ada" in at.inner_text("#confirm-title")
    at.click("#confirm-yes")
    card.wait_for(state="detached")
    assert api.request("GET", f"/connections/{connection}").status_code == 404
    assert not (service.state / "profiles" / f"_connection-{connection}").exists()


def test_a_platform_that_cannot_be_reached_is_said(office, local, at):
    """The service's own words, and the connection stands as it stood."""
    api = office().api
    connection = connected(api, local)
    local.mood = "busy"
    at.goto(f"{api.base}/#connections")
    card = row(at, "connections", connection)
    card.locator("[data-part=verify]").click()
    card.locator(".said[data-tone=bad]:has-text('fewer requests')").wait_for()
    assert card.locator(".pill").inner_text() == "active"


def test_a_job_that_failed_is_mended(office, local, at):
    """Its reason and what to do are said; it is tried anew here, and its end comes by itself."""
    api = office(jobs={"backoff_s": [0]}).api
    local.mood = "busy"
    failed = ended(api, read(api), "failed")["job_id"]
    fine = read(api, {"n": 1}, attempts_max=1)
    ended(api, fine, "failed")
    at.goto(f"{api.base}/#jobs")
    card = row(at, "jobs", failed)
    card.locator(".pill[data-state=failed]:text-is('failed')").wait_for()
    told = card.inner_text()
    assert "fewer requests" in told and "3 of 3 attempts" in told and "before you retry" in told, told
    assert at.locator("#jobs-list .card").count() == 2
    assert at.kind == "desktop" or not misfits(at)
    local.mood = ""
    card.locator("[data-part=retry]").click()
    card.locator(".pill[data-state=live]:text-is('done')").wait_for()
    assert job(api, failed)["state"] == "done"
    assert "Result: open to all" in card.inner_text() and "fewer requests" not in card.inner_text()
    at.select_option("#jobs-state", "failed")
    row(at, "jobs", fine).wait_for()
    card.wait_for(state="detached")
    assert at.locator("#jobs-list .card").count() == 1 and "state=failed" in at.url
    # A link leads to the same.
    at.reload()
    row(at, "jobs", fine).wait_for()
    assert at.locator("#jobs-list .card").count() == 1


def test_a_job_is_followed_and_called_off(office, at):
    """One that is open is live: its steps and its end come by the stream; what waits is called off."""
    api = office(jobs={"automation": 1}).api
    slow = {"platform": "local", "workflow": "slow"}
    first = enqueue(api, args={**slow, "word": "first"})["job_id"]
    second = enqueue(api, args={**slow, "word": "second"})["job_id"]
    at.goto(f"{api.base}/#jobs/{first}")
    card = row(at, "jobs", first)
    card.locator(".more:has-text('live')").wait_for()
    waiting = row(at, "jobs", second)
    waiting.locator("[data-part=cancel]").click()
    waiting.locator(".pill:text-is('cancelled')").wait_for()
    assert job(api, second)["state"] == "cancelled"
    card.locator(".pill:text-is('done')").wait_for()
    assert '"first"' in card.locator(".json >> nth=1").inner_text()
    waiting.locator("[data-part=retry]").click()
    waiting.locator("[data-part=open]").click()
    assert second in at.url
    waiting.locator(".progress:has-text('of')").wait_for()
    running = waiting.locator("[data-part=cancel]")
    running.click()
    waiting.locator(".pill:text-is('cancelled')").wait_for()
    assert job(api, second)["state"] == "cancelled"
    assert at.kind == "desktop" or not misfits(at)


def test_a_job_that_asks_for_a_person_is_helped(office, local, at):
    """It says what is to be done; Help opens the page where it asked, and Done there lets it go on."""
    api = office().api
    local.mood = "captcha"
    held = enqueue(api, args={"platform": "local", "workflow": "form", "text": "tea", "user_id": "ada"})["job_id"]
    ended(api, held, "pending_human")
    at.goto(f"{api.base}/#jobs?state=pending_human")
    card = row(at, "jobs", held)
    card.locator(".pill[data-state=waiting]:text-is('waits for a person')").wait_for()
    assert "Show that tea is sent by no robot" in card.inner_text()
    assert at.kind == "desktop" or not misfits(at)
    with at.expect_popup() as opened:
        card.locator("[data-part=help]").click()
    own = opened.value
    own.wait_for_selector("#screen[data-picture=true]", timeout=20_000)
    own.click("#take")
    own.wait_for_selector("body[data-yours=true]")
    press = own.touchscreen.tap if at.kind == "phone" else own.mouse.click
    press(*spot(own, *ROBOT))
    wait_for(lambda: local.humans, 10, "they have shown that they are no robot")
    own.click("#done")
    own.wait_for_selector("#notice-title:has-text('Thank you')")
    assert ended(api, held)["result"] == "tea"
    assert local.sent == ["tea"]


def test_a_job_without_a_login_leads_to_it(office, local, at):
    """What is held says so and where to go; once the login is seen it goes on, and its note is told."""
    api = office().api
    held = finalise(api, note(api, local, text="held for a login"))
    ended(api, held, "pending_auth")
    at.goto(f"{api.base}/#jobs?user=ada")
    card = row(at, "jobs", held)
    card.locator(".pill[data-state=waiting]:text-is('waits for a login')").wait_for()
    told = card.inner_text()
    assert "Local is not connected" in told and "goes on by itself" in told, told
    card.locator("[data-part=open]").click()
    card.locator(".more:has-text('held for a login')").wait_for()
    card.locator("[data-part=login]").click()
    at.wait_for_selector("#connections:visible")
    assert at.input_value("#connect-user") == "ada"
    made = connect_user(api, "ada")["connection_id"]
    row(at, "connections", made).wait_for()
    log_in(api, made, local)
    row(at, "connections", made).locator("[data-part=verify]").click()
    row(at, "connections", made).locator(".pill:text-is('active')").wait_for()
    row(at, "connections", made).locator("[data-part=jobs]").click()
    card.locator(".pill:text-is('done')").wait_for(timeout=30_000)
    card.locator("[data-part=open]").click()
    card.locator(".more:has-text('posted')").wait_for()
    assert local.texts() == ["held for a login"]


def test_by_the_keyboard_alone(office, local):
    """A connection is begun, and a failed job opened and tried anew, without a pointer."""
    api = office().api
    local.mood = "busy"
    failed = ended(api, read(api, attempts_max=1), "failed")["job_id"]
    local.mood = ""
    with person("desktop") as page:
        page.goto(f"{api.base}/#jobs")
        row(page, "jobs", failed).wait_for()

        def reach(selector):
            for _ in range(40):
                if page.evaluate("(it) => document.activeElement.matches(it)", selector):
                    return
                page.keyboard.press("Tab")
            raise AssertionError(f"no way to {selector}")

        reach(".card-open")
        page.keyboard.press("Enter")
        page.wait_for_selector(".card-open[aria-expanded=true]")
        reach("[data-part=retry]")
        page.keyboard.press("Enter")
        row(page, "jobs", failed).locator(".pill:text-is('done')").wait_for()
        page.reload()
        reach("#view-connections")
        page.keyboard.press("Enter")
        page.wait_for_selector("#connect-form:visible")
        reach("#connect-user")
        page.keyboard.type("eve")
        reach("#connect-platform")
        page.keyboard.type("Local")
        reach("#connect-send")
        page.keyboard.press("Enter")
        page.wait_for_selector(".login-link")
        assert api.get("/connections").json()["connections"][0]["user_id"] == "eve"
