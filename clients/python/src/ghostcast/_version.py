"""The package's version, which is the service's own."""

from __future__ import annotations

__version__ = "0.1.0"


def mismatch(service: str, base_url: str) -> str | None:
    """What to say where the service is of another age than this package; None where it is not."""

    def age(version: str) -> list[str]:
        return version.split(".")[:2]

    if not service or age(service) == age(__version__):
        return None
    return (
        f"this client is {__version__}, and the service at {base_url} is {service}: what one of them does "
        f"not know fails. Install ghostcast=={service}, or update the service."
    )
