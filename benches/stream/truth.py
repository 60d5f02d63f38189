"""What a page at rest looks like in truth, and how like it a decoded picture is."""

import base64
import io

import numpy as np
from PIL import Image
from support import pages
from support.cdp import Tab

from . import SIZE
from .figures import ssim


def luma_of(chromium, address):
    """The luma of a page, below its clock, as the browser itself sees it."""
    width, height = SIZE
    with Tab(chromium, address) as tab:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        chromium.call("Emulation.setDeviceMetricsOverride", tab.session, **metrics)
        shot = chromium.call("Page.captureScreenshot", tab.session, format="png")["data"]
    return below(Image.open(io.BytesIO(base64.b64decode(shot))))


def below(image):
    """What is below the clock, in grey."""
    return np.asarray(image.convert("L"))[pages.CLOCK_HEIGHT :]


def likeness(picture, truth):
    """The SSIM of a decoded picture, at the size at which it is shown; 0 when there is none."""
    if picture is None:
        return 0.0
    return ssim(below(Image.fromarray(picture).resize(SIZE, Image.Resampling.BILINEAR)), truth)
