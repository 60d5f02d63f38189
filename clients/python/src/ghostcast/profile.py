"""App profiles: what a controller has to know of a web app, as a TOML file.

A text of a workflow may name its parameters as `{parameter}`. Where the text is a CSS selector, the
value is escaped for a quoted string; where it is JavaScript (`function`), it becomes a literal.
`{{label}}` is not a parameter: the service puts a secret there.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from typing_extensions import Self

from ._wire import given
from .errors import ProfileError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PARAMETER = re.compile(r"(?<!\{)\{([A-Za-z_][A-Za-z0-9_]*)\}(?!\})")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

Name = Annotated[str, Field(pattern=f"^{_NAME.pattern}$")]

STEP_ACTIONS = frozenset(
    {
        *("click", "drag", "fill", "go_back", "go_forward", "handle_dialog", "hover", "navigate"),
        *("press", "refresh", "scroll", "select", "type", "wait"),
    }
)
"""What a step may do: the service's actions that need no file and no tab of their own."""

_WITH_TARGET = frozenset({"click", "fill", "hover", "press", "scroll", "select", "type"})


class _Part(BaseModel):
    """A part of a profile. A key that it does not know is a mistake in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(_Part):
    """What has to be so: exactly one of `selector` (with `state`), `text`, `url` and `function`."""

    selector: str | None = None
    state: str | None = Field(default=None, pattern="^(visible|hidden|attached|detached)$")
    text: str | None = None
    url: str | None = None
    function: str | None = None
    timeout_ms: int = Field(default=5_000, ge=1, le=120_000)
    """How long it is waited for, milliseconds, where the caller does not say."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        ways = given(selector=self.selector, text=self.text, url=self.url, function=self.function)
        if len(ways) != 1:
            raise ValueError("give exactly one of selector, text, url and function")
        if self.state is not None and self.selector is None:
            raise ValueError("state goes with selector")
        return self

    def wait(self) -> dict[str, Any]:
        """What `wait_for` takes, without its bound."""
        return given(
            selector=self.selector,
            state=self.state,
            text=self.text,
            url=self.url,
            function=self.function,
        )

    def expression(self) -> str:
        """JavaScript that says whether it is so at this moment, in the page's own document."""
        if self.function is not None:
            return f"Boolean({self.function})"
        if self.text is not None:
            return f"(document.body?.innerText ?? '').includes({json.dumps(self.text)})"
        if self.url is not None:
            pattern = ".*".join(map(re.escape, self.url.split("*")))
            return f"new RegExp({json.dumps(f'^{pattern}$')}).test(location.href)"
        found = f"[...document.querySelectorAll({json.dumps(self.selector)})]"
        shown = "(el) => el.checkVisibility({ visibilityProperty: true })"
        return {
            "attached": f"{found}.length > 0",
            "detached": f"{found}.length === 0",
            "hidden": f"!{found}.some({shown})",
        }.get(self.state or "visible", f"{found}.some({shown})")


class Probe(_Part):
    """What can be read of the page: the text of the first match, an attribute of it, or a value."""

    selector: str | None = None
    attribute: str | None = None
    function: str | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.selector is None) == (self.function is None):
            raise ValueError("give one of selector and function")
        if self.attribute is not None and self.selector is None:
            raise ValueError("attribute goes with selector")
        return self

    def expression(self) -> str:
        """JavaScript that reads it, and is null where there is nothing to read."""
        if self.function is not None:
            return f"({self.function}) ?? null"
        found = f"document.querySelector({json.dumps(self.selector)})"
        if self.attribute is not None:
            return f"{found}?.getAttribute({json.dumps(self.attribute)}) ?? null"
        return f"{found}?.textContent?.trim() ?? null"


class Parameter(_Part):
    """A parameter of a workflow; one without a default is needed."""

    default: str | None = None
    choices: list[str] | None = None
    """The values that it may have; any without it."""


class Step(BaseModel):
    """One action of a workflow; what it takes beside `action` and `target` are its parameters."""

    model_config = ConfigDict(extra="allow", frozen=True)

    action: str
    target: str | None = None
    """A CSS selector."""
    timeout_ms: int | None = Field(default=None, ge=1, le=120_000)

    @field_validator("action")
    @classmethod
    def _is_known(cls, action: str) -> str:
        if action not in STEP_ACTIONS:
            raise ValueError(f"no step does {action!r}; use one of {', '.join(sorted(STEP_ACTIONS))}")
        return action

    @model_validator(mode="after")
    def _is_aimed(self) -> Self:
        if self.target is not None and self.action not in _WITH_TARGET:
            raise ValueError(f"{self.action} takes no target")
        return self

    @property
    def params(self) -> dict[str, Any]:
        """The action's own parameters."""
        return dict(self.model_extra or {})


class Workflow(_Part):
    """Steps, and what success looks like."""

    description: str = ""
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    steps: list[Step] = Field(min_length=1, max_length=100)
    success: Condition | None = None
    """Waited for after the last step; without it, it is enough that each step succeeds."""
    failure: Condition | None = None
    """Looked for when the page is at rest after the last step."""

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Self:
        named: set[str] = set()

        def note(text: str, _write: Callable[[str], str]) -> str:
            named.update(_PARAMETER.findall(text))
            return text

        for step in self.steps:
            _each_text(step.model_dump(), note)
        for condition in (self.success, self.failure):
            # Braces of JavaScript are no parameters.
            if condition is not None and condition.function is None:
                _each_text(condition.model_dump(), note)
        unknown = named - set(self.parameters)
        if unknown:
            raise ValueError(f"no such parameter: {', '.join(sorted(unknown))}")
        return self

    def filled(self, values: Mapping[str, Any]) -> Workflow:
        """The workflow with its parameters put in.

        Raises `ProfileError` when one is unknown, missing, or none of its choices.
        """
        unknown = set(values) - set(self.parameters)
        if unknown:
            raise ProfileError(f"unknown parameter: {', '.join(sorted(unknown))}")
        chosen: dict[str, str] = {}
        for name, parameter in self.parameters.items():
            value = values.get(name, parameter.default)
            if value is None:
                raise ProfileError(f"missing parameter: {name}")
            if parameter.choices is not None and str(value) not in parameter.choices:
                raise ProfileError(f"{name} is none of {', '.join(parameter.choices)}: {value}")
            chosen[name] = str(value)

        def put(text: str, write: Callable[[str], str]) -> str:
            def value(match: re.Match[str]) -> str:
                name = match.group(1)
                return write(chosen[name]) if name in chosen else match.group(0)

            return _PARAMETER.sub(value, text)

        def put_in(part: _Part | Step | None) -> Any:
            return None if part is None else type(part).model_validate(_each_text(part.model_dump(), put))

        # Not validated again: a value may look like a parameter, and is none.
        return self.model_copy(
            update={
                "steps": [put_in(step) for step in self.steps],
                "success": put_in(self.success),
                "failure": put_in(self.failure),
            }
        )


class SessionOptions(_Part):
    """How the app's sessions are started."""

    viewport: dict[str, int] | None = None
    """`width` and `height`, CSS px."""
    allowed_domains: list[str] | None = None
    dialogs: str | None = Field(default=None, pattern="^(ask|accept|dismiss)$")


class Login(_Part):
    """How it shows whether somebody is logged in."""

    logged_in: Condition
    """So when somebody is."""
    login_page: Condition | None = None
    """So where one logs in: nobody is then, whatever else the page shows."""


class AppProfile(_Part):
    """What a controller has to know of a web app."""

    name: Name
    description: str = ""
    start_url: str
    """The page of the app where everything begins."""
    session: SessionOptions = SessionOptions()
    ready: Condition
    """So when the app can be used."""
    login: Login | None = None
    probes: dict[Name, Probe] = Field(default_factory=dict)
    workflows: dict[Name, Workflow] = Field(default_factory=dict)

    @field_validator("start_url")
    @classmethod
    def _is_url(cls, url: str) -> str:
        if urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise ValueError("this is no http:// or https:// URL")
        return url

    @classmethod
    def load(cls, path: str | Path) -> AppProfile:
        """Reads a profile from a TOML file.

        Raises `ProfileError` that names the file and every field that is wrong.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"{path} cannot be read: {error}") from error
        return cls.parse(text, str(path))

    @classmethod
    def builtin(cls, name: str = "marketbridge") -> AppProfile:
        """A profile that comes with this package.

        Raises `ProfileError` when there is none of that name.
        """
        file = files(__package__ or "ghostcast") / "profiles" / f"{name}.toml"
        if not _NAME.fullmatch(name) or not file.is_file():
            raise ProfileError(f"no profile {name!r} comes with this package")
        return cls.parse(file.read_text(encoding="utf-8"), f"profile {name}")

    @classmethod
    def parse(cls, text: str, source: str = "profile") -> AppProfile:
        """Reads a profile from TOML; `source` is what errors call it.

        Raises `ProfileError`.
        """
        try:
            return cls.model_validate(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise ProfileError(f"{source} is no TOML: {error}") from error
        except ValidationError as error:
            told = [
                f"{'.'.join(map(str, detail['loc'])) or 'file'}: {detail['msg']}" for detail in error.errors()
            ]
            raise ProfileError(f"{source} is not valid: {'; '.join(told)}") from error

    def at(self, app_url: str) -> AppProfile:
        """The profile for an app that runs at another address.

        The start page and the pages that workflows go to move there when they are of the app's own
        origin.
        """
        old, new = origin_of(self.start_url), app_url.rstrip("/")

        def moved(url: str) -> str:
            return new + url[len(old) :] if origin_of(url) == old else url

        fields = self.model_dump()
        fields["start_url"] = moved(self.start_url)
        for workflow in fields["workflows"].values():
            for step in workflow["steps"]:
                if step["action"] == "navigate":
                    step["url"] = moved(urljoin(self.start_url, step["url"]))
        return AppProfile.model_validate(fields)


def origin_of(url: str) -> str:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _css(value: str) -> str:
    """A value inside a quoted string of CSS."""
    return re.sub(r"[\"'\\\n\r\f]", lambda sign: f"\\{ord(sign.group(0)):x} ", value)


_WRITERS: dict[str, Callable[[str], str]] = {"function": json.dumps, "selector": _css, "target": _css}
"""How a value is written in the texts of each key; in others it stands as it is."""


def _each_text(part: Any, change: Callable[[str, Callable[[str], str]], str], key: str = "") -> Any:
    """Changes every text of a part; `change` also gets how a value is written where it stands."""
    if isinstance(part, str):
        return change(part, _WRITERS.get(key, str))
    if isinstance(part, Mapping):
        return {name: _each_text(value, change, name) for name, value in part.items()}
    if isinstance(part, list):
        return [_each_text(value, change, key) for value in part]
    return part
