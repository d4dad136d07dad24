"""A studio at work: comics in every state, their pictures, and the browsers that draw them, on a server that runs."""

import base64
import colorsys
import json
import sqlite3
import struct
import zlib
from math import sin

from .server import Server

TITLE = "Cave of Echoes"
LAPTOP, OFFICE = "5b0e6a3c-8f7d-4a53-9d43-2f0a51c7e911", "c1f9a7d2-3b44-4c1e-8a57-90be64f1d2aa"
SECONDS_A_PANEL = 94.0
PIXELS = 32  # of a picture's sides; enough for tests
SCENES = {
    "The map": [
        "Mira unrolls the map on the kitchen table, candlelight",
        "Close on the map: a red line that ends at the mountain",
        "Her brother shakes his head, arms crossed, rain on the window",
        "Mira packs rope, chalk and the old lantern",
    ],
    "The climb": [
        "Wide: two small figures on a mountain path at dawn",
        "A rope bridge sways over a gorge, one plank missing",
        "Mira jumps, hair flying, the lantern swings",
        "The plank falls into the mist without a sound",
        "The mouth of the cave, ferns and carved stone",
        "They step inside, the light behind them shrinks",
    ],
    "The echo": [
        "Darkness, only the lantern's circle and two faces",
        "Mira calls hello, letters bounce off the walls",
        "The echo answers with a different word",
        "Brother grips her sleeve, eyes wide",
        "A shape unfolds from the ceiling, many-armed, pale",
        "The monster appears: kind eyes, mouth like a cello",
        "It repeats her word, softly, and the stones glow",
        "Chalk drawings on the wall come alive",
        "Brother laughs for the first time in the story",
        "Three voices sing, the cave is full of light",
        "Outside, evening; the mountain hums",
        "Mira redraws the map: the red line goes on",
    ],
}

UPLOAD = """prompt,chapter,strip,panel,style,priority,speech,filename
"Mira wakes before dawn, frost on the window",Home again,1,1,,high,,
The letter lies under the door,Home again,1,2,,high,,
"Close on the seal, a tiny cave",Home again,1,3,,high,,
,Home again,1,4,,high,Who sends letters to a cave?,
"Her brother, half asleep, toast in hand",Home again,2,5,watercolour,high,Not again.,
"The road in the fog, two bicycles",The road,1,6,,hihg,,
A signpost with a name scratched out,The road,1,7,none,high,,signpost.png
"The village square, nobody there",The road,2,7,,high,,../square.png
The letter lies under the door,The road,2,9,,high,,
"The well hums, very softly",The well,1,10,,high,Did you hear that?,
"""


def open_studio(server: Server, pixels: int = PIXELS) -> None:
    """Queue comics, and draw as much of them as leaves one of each state."""
    panels = [
        {"prompt": prompt, "chapter": chapter, "strip": str(index // 4 + 1)}
        for chapter, prompts in SCENES.items()
        for index, prompt in enumerate(prompts)
    ]
    server.send(
        "POST", "/comics", {"title": "Harbour lights", "prompts": [f"Harbour at night, view {n}" for n in range(1, 7)]}
    )
    _draw(server, OFFICE, 6, hue=0.6, pixels=pixels)
    server.send(
        "POST", "/comics", {"title": TITLE, "style": "noir", "priority": "high", "parallel": 2, "panels": panels}
    )
    _draw(server, LAPTOP, 9, hue=0.1, pixels=pixels)
    _fail(server, 2)
    _begin(server)
    paused = server.send(
        "POST", "/comics", {"title": "The long night", "style": "watercolor", "prompts": _views("Night", 40)}
    )
    server.send("PATCH", f"/comics/{paused['id']}", {"status": "paused"})
    cancelled = server.send("POST", "/comics", {"title": "First try", "prompts": _views("Sketch", 5)})
    server.send("PATCH", f"/comics/{cancelled['id']}", {"status": "cancelled"})
    waiting = {"title": "Postcards", "domain": "gemini.google.com", "prompts": _views("Postcard", 12)}
    server.send("POST", "/comics", waiting)
    for receipt in _poll(server, OFFICE, 2, "gemini.google.com"):
        _report(server, receipt, status="no_tabs")
    _as_if_it_had_taken_hours(server)


def picture(hue: float, size: int) -> str:
    """A landscape as a `data:` address: a sky, a sun, two ranges of mountains."""
    rows = b"".join(b"\0" + b"".join(_pixel(hue, x / size, y / size) for x in range(size)) for y in range(size))
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + made).decode()


def _pixel(hue: float, x: float, y: float) -> bytes:
    near = 0.82 - 0.10 * sin(7 * x + 40 * hue) - 0.04 * sin(19 * x)
    far = 0.62 - 0.14 * sin(5 * x + 90 * hue) - 0.03 * sin(23 * x + hue)
    sun = (x - 0.2 - 0.6 * ((hue * 7) % 1)) ** 2 + (y - 0.28) ** 2
    if y > near:
        shade = (hue, 0.5, 0.10)
    elif y > far:
        shade = (hue, 0.45, 0.28)
    elif sun < 0.012:
        shade = ((hue + 0.08) % 1, 0.25, 0.98)
    else:
        shade = ((hue + 0.05) % 1, 0.55 - 0.3 * y, 0.45 + 0.45 * y)
    return bytes(round(255 * part) for part in colorsys.hsv_to_rgb(*shade))


def _views(name: str, count: int) -> list[str]:
    return [f"{name}, view {number} of {count}" for number in range(1, count + 1)]


def _poll(server: Server, worker: str, limit: int, domain: str = "chatgpt.com") -> list[str]:
    hand_outs = server.send("GET", f"/tasks/pending?limit={limit}&domain={domain}", worker=worker)
    return [panel["id"] for hand_out in hand_outs for panel in hand_out["payload"]["panels"]]


def _report(server: Server, receipt: str, **said: object) -> None:
    server.send("PATCH", f"/tasks/{receipt}", said)


def _draw(server: Server, worker: str, count: int, hue: float, pixels: int) -> None:
    drawn = 0
    while drawn < count:
        for receipt in _poll(server, worker, min(2, count - drawn)):
            drawn += 1
            _report(server, receipt, status="running", progress=30, tabId=17)
            _report(server, receipt, status="completed", imageUrl=picture((hue + 0.137 * drawn) % 1, pixels))


def _fail(server: Server, count: int) -> None:
    for _ in range(count):
        (receipt,) = _poll(server, LAPTOP, 1)
        _report(server, receipt, status="running", tabId=17)
        _report(server, receipt, status="failed", message="The site refused the prompt: content policy.")


def _begin(server: Server) -> None:
    for progress, receipt in enumerate(_poll(server, LAPTOP, 2)):
        _report(server, receipt, status="running", progress=60 - 50 * progress, tabId=17)


def _as_if_it_had_taken_hours(server: Server) -> None:
    """Put the completions as far apart as drawing takes, and give the workers the names that their owner uses."""
    with sqlite3.connect(server.database) as connection:
        for comic, completions in connection.execute("SELECT id, completions FROM comic").fetchall():
            spaced = [SECONDS_A_PANEL * number for number, _ in enumerate(json.loads(completions), start=1)]
            connection.execute("UPDATE comic SET completions = ? WHERE id = ?", (json.dumps(spaced), comic))
        for label, name in (("studio laptop", LAPTOP), ("office", OFFICE)):
            connection.execute("UPDATE worker SET label = ? WHERE name = ?", (label, name))
        connection.execute("UPDATE revision SET number = number + 1")
    connection.close()
