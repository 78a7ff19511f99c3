"""A page as headless Chromium lays it out: what sticks out, what is empty, what it looks like."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape, unescape
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000")
_SCRIPT = (Path(__file__).parent / "measure.js").read_text("utf-8")
_FRAME = """<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<style>body {{ margin: 0; }} iframe {{ border: 0; display: block; }}</style>
<iframe width="{width}" height="{height}" srcdoc="{page}"></iframe><pre id="measured" hidden></pre>
"""


@dataclass(frozen=True)
class Looked:
    """What was measured (`measure.js`), and the whole page as pixels [height, width, 3]."""

    found: dict[str, Any]
    pixels: np.ndarray

    def uniform(self) -> list[dict[str, Any]]:
        """Panels in view that show one colour only."""
        return [panel for panel in self.found["panels"] if self._is_uniform(panel)]

    def _is_uniform(self, panel: dict[str, Any]) -> bool:
        rows, columns = (
            slice(max(0, int(panel[start])), max(0, int(panel[start] + panel[size])))
            for start, size in (("top", "height"), ("left", "width"))
        )
        part = self.pixels[rows, columns]
        return part.size > 0 and not (part != part[0, 0]).any()


def look(page: Path, width: int, *, dark: bool = False) -> Looked:
    """Lay a page out at so many pixels in width: to measure it, and again as high as it then is.

    The page stands in a frame, since a window of Chromium cannot be as narrow as a telephone.
    """
    text = page.read_text("utf-8").replace("</body>", f"<script>{_SCRIPT}</script></body>")
    scheme = f"--blink-settings=preferredColorScheme={0 if dark else 1}"
    frame = page.with_name(f"frame_{page.name}")
    frame.write_text(_FRAME.format(width=width, height=900, page=escape(text)), "utf-8")
    dom = _chromium(scheme, "--dump-dom", f"--window-size={max(500, width)},900", frame.as_uri())
    match = re.search(r'<pre id="measured"[^>]*>(.+?)</pre>', dom, re.DOTALL)
    assert match, dom[-2000:]
    found = json.loads(unescape(match[1]))
    height = min(12000, int(found["height"]))
    frame.write_text(_FRAME.format(width=width, height=height, page=escape(text)), "utf-8")
    picture = page.with_name(f"{page.stem}_{width}_{'dark' if dark else 'light'}.png")
    _chromium(scheme, f"--screenshot={picture}", f"--window-size={max(500, width)},{height}", frame.as_uri())
    return Looked(found, np.asarray(Image.open(picture).convert("RGB"))[:, :width])


def _chromium(*arguments: str) -> str:
    done = subprocess.run(
        [str(CHROMIUM), *_OPTIONS, *arguments], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout
