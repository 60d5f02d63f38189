"""Hands of the service, by its public REST API and nothing else."""

import httpx

from .endings import Crash, Gap, Refused
from .hands import Hands, Thing

OWN_FAULTS = ("internal", "browser_lost")
NOT_THERE = ("unknown_action", "unsupported")


class RestHands(Hands):
    """A session of the service."""

    def __init__(self, client, room):
        super().__init__()
        self.client, self.room = client, room
        self.with_boxes = {"boxes": "true"}
        self.last = None

    def open(self, url, **spec):
        """Starts the session on a page."""
        return self.json("POST", "/sessions", json={"room_name": self.room, "initial_url": url, **spec})

    def close(self):
        """Ends the session."""
        try:
            self.client.delete(f"/sessions/{self.room}")
        except httpx.HTTPError as error:
            raise Crash(f"closing: {error!r}") from None

    def json(self, method, path, **options):
        """One request; a refusal is a gap, a defect a crash."""
        answer = self.request(method, path, **options)
        if answer.status_code >= 400:
            raise Gap(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    def request(self, method, path, **options):
        """One request that is answered."""
        try:
            answer = self.client.request(method, path, **options)
        except httpx.HTTPError as error:
            raise Crash(f"{method} {path}: {error!r}") from None
        if answer.status_code >= 500:
            raise Crash(f"{method} {path}: {answer.status_code} {answer.text[:200]}")
        return answer

    def context(self, **query):
        """The page as an agent sees it."""
        return self.json("GET", f"/sessions/{self.room}/context", params=query)

    def attempt(self, action, **params):
        """One action; its ActionResult, whatever came of it."""
        body = {"action_type": action, "params": params}
        result = self.json("POST", f"/sessions/{self.room}/actions", json=body)
        self.last = result
        self.steps.append({"action": action, "params": params, "success": result["success"],
                           "error_kind": result["error_kind"], "data": result["data"]})  # fmt: skip
        return result

    def act(self, action, **params):
        """One action that is meant to succeed."""
        result = self.attempt(action, **params)
        if result["success"]:
            return result
        kind = result["error_kind"]
        if kind in NOT_THERE:
            raise Gap(f"{action}: {result['error']}")
        if kind in OWN_FAULTS:
            raise Crash(f"{action}: {kind}: {result['error']}")
        raise Refused(action, kind, result["error"])

    def elements(self):
        found, more = [], {}
        while True:
            answer = self.listing(**more)
            if answer["elements"] is None:
                raise Gap(f"the elements could not be read: {answer.get('unreadable')}")
            found += answer["elements"]
            if not answer.get("more"):
                return [thing(element) for element in found]
            more = {"more": answer["more"]}

    def listing(self, **more):
        """One part of the list, with boxes where they are to be asked for."""
        query = {"elements": "true", **self.with_boxes, **more}
        answer = self.request("GET", f"/sessions/{self.room}/context", params=query)
        if answer.status_code == 400 and self.with_boxes and "boxes" in answer.text:
            self.with_boxes = {}
            return self.listing(**more)
        if answer.status_code >= 400:
            raise Gap(f"context: {answer.status_code} {answer.text[:200]}")
        return answer.json()

    def text(self):
        parts, cursor = [], {}
        while True:
            answer = self.context(text="true", **cursor)
            if "text" not in answer:
                raise Gap("the context has no text")
            parts.append(answer["text"] or "")
            if not answer.get("text_cursor"):
                return "\n".join(parts)
            cursor = {"text_cursor": answer["text_cursor"]}

    def click(self, target, button="left", count=1):
        extra = {**({"button": button} if button != "left" else {}), **({"count": count} if count > 1 else {})}
        self.act("click", **where(target), **extra)

    def hover(self, target):
        self.act("hover", **where(target))

    def type(self, thing, text, clear=False, submit=False):
        params = {"text": text, **({"index": thing.ref} if thing else {})}
        self.act("type", **params, **({"clear": True} if clear else {}), **({"submit": True} if submit else {}))

    def press(self, keys, thing=None, count=1):
        params = {"keys": keys, **({"index": thing.ref} if thing else {})}
        self.act("press", **params, **({"count": count} if count > 1 else {}))

    def select(self, thing, *labels):
        choice = {"label": labels[0]} if len(labels) == 1 else {"labels": list(labels)}
        self.act("select", index=thing.ref, **choice)

    def drag(self, start, end):
        told = self.act("drag", **{"from": where(start), "to": where(end)})
        for change in told["changes"]:
            if change["kind"] == "not_moved" and told["effect"]["verified"] is None:
                raise Refused("drag", "not_moved", change["text"])

    def scroll(self, direction, amount, thing=None):
        params = {"direction": direction, "amount": amount}
        self.act("scroll", **params, **({"index": thing.ref} if thing else {}))


def where(target):
    """A target as the API takes it."""
    if isinstance(target, Thing):
        return {"index": target.ref}
    return {"x": round(target[0], 1), "y": round(target[1], 1)}


def thing(element):
    """A listed element."""
    box = element.get("box")
    if isinstance(box, dict):
        box = (box["x"], box["y"], box["width"], box["height"]) if box else None
    return Thing(
        ref=element["index"],
        role=element["role"],
        name=element.get("name") or "",
        tag=element.get("tag") or "",
        type=element.get("type"),
        value=element.get("value"),
        checked=element.get("checked"),
        disabled=bool(element.get("disabled")),
        expanded=element.get("expanded"),
        box=tuple(box) if box else None,
    )
