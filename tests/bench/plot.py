# SPDX-License-Identifier: Apache-2.0
"""Plots of a run as SVG, from results.json alone. They bring their own background and follow the reader's choice of light or dark,
where the viewer tells it. No program itself."""
import html
import math

import report as reporting

NAMES = (reporting.LATENCY_PLOT, reporting.VARIANTS_PLOT, reporting.CLIENTS_PLOT)
# Each on a light and on a dark ground.
INKS = {"text": ("#24292f", "#e6edf3"), "muted": ("#57606a", "#9da7b3"), "ground": ("#ffffff", "#0d1117"),
        "grid": ("#d8dee4", "#30363d")}
COLOURS = (("#0969da", "#58a6ff"), ("#bc4c00", "#f0883e"), ("#a3368f", "#e085c7"), ("#1a7f37", "#3fb950"), ("#57606a", "#9da7b3"),
           ("#9a6700", "#d29922"))
COLOUR_OF = {"ours": 0, "softhsm": 1, "p11kit": 2, "opencryptoki": 3, "openssl": 4, "handover": 5,
             "ours-fips": 1, "ours-memfd": 2, "ours-mlock": 3}
ROW, HEAD, GAP = 14, 18, 8  # heights of a subject's row, of an operation's title, and between operations
COLUMN, MARGIN, LABEL = 490, 20, 160  # widths
TOP, FOOT = 62, 54
UNITS = ((1e6, "s"), (1e3, "ms"), (1, "µs"), (0, "ns"))


def style(shade):
    """The rules for light (0) or dark (1)."""
    ink = {name: shades[shade] for name, shades in INKS.items()}
    rules = [f"text{{fill:{ink['text']}}}", f".muted{{fill:{ink['muted']}}}", f".ground{{fill:{ink['ground']}}}",
             f".grid{{stroke:{ink['grid']}}}"]
    for number, shades in enumerate(COLOURS):
        rules.append(f".c{number}{{stroke:{shades[shade]}}}.dot.c{number}{{fill:{shades[shade]}}}")
    rules.append(f".ring{{fill:{ink['ground']}}}")
    return "".join(rules)


STYLE = ("text{font:12px sans-serif}.muted{font-size:11px}.head{font-weight:bold}.line{stroke-width:2;fill:none}.ring{stroke-width:2}"
         f"{style(0)}@media(prefers-color-scheme:dark){{{style(1)}}}")


def text(x, y, words, kind="", anchor="start"):
    kind = f' class="{kind}"' if kind else ""
    anchor = f' text-anchor="{anchor}"' if anchor != "start" else ""
    return f'<text x="{x:.0f}" y="{y:.0f}"{kind}{anchor}>{html.escape(words)}</text>'


def line(x1, y1, x2, y2, kind):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def dot(x, y, kind):
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" class="{kind}"/>'


def legend(report, names, x, y):
    for name in names:
        label = report["labels"][name]
        yield dot(x, y - 4, f"dot c{COLOUR_OF[name]}")
        yield text(x + 10, y, label)
        x += 40 + 7 * len(label)


def svg(report, names, title, width, bottom, parts):
    """The whole picture, whose parts end at `bottom`."""
    about = report["machine"]
    height = bottom + FOOT
    foot = f"{about['cpu']}, {about['cores']} core(s), Linux {about['kernel']}, {about['date']}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{html.escape(title)}">', f"<style>{STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}" rx="6"/>',
        text(MARGIN, 24, title, "head"), *legend(report, names, MARGIN + 4, 46), *parts,
        text(MARGIN, height - 10, foot, "muted"), "</svg>"]) + "\n"


class Log:
    """A logarithmic axis over whole decades, from `low` on the page to `high`."""

    def __init__(self, values, low, high):
        self.first = math.floor(math.log10(min(values))) if values else 0
        self.last = max(math.ceil(math.log10(max(values))) if values else 1, self.first + 1)
        self.low, self.high = low, high

    def at(self, value):
        return self.low + (self.high - self.low) * (math.log10(value) - self.first) / (self.last - self.first)

    def decades(self):
        return [10.0 ** power for power in range(self.first, self.last + 1)]


def time_text(us):
    size, unit = next((size, unit) for size, unit in UNITS if us >= size)
    return f"{us / size:g} {unit}" if size else f"{us * 1000:g} {unit}"


def rate_text(rate):
    return next((f"{rate / size:g} {unit}" for size, unit in ((1e6, "M"), (1e3, "k")) if rate >= size), f"{rate:g}").replace(" ", "")


# p50 and p99.

def latency_row(cell, label, colour, axis, x, y):
    yield text(x + LABEL - 8, y + 4, label, "muted", "end")
    if cell["status"] != "ok":
        yield text(x + LABEL, y + 4, reporting.status_text(cell), "muted")
        return
    median, slow = x + axis.at(cell["p50_us"]), x + axis.at(cell["p99_us"])
    yield line(median, y, slow, y, f"line {colour}")
    yield dot(slow, y, f"ring {colour}")
    yield dot(median, y, f"dot {colour}")


def latency_column(report, rows, names, axis, x, bottom):
    for decade in axis.decades():
        yield line(x + axis.at(decade), TOP, x + axis.at(decade), bottom, "grid")
        yield text(x + axis.at(decade), bottom + 16, time_text(decade), "muted", "middle")
    y = TOP
    for operation, cells in rows:
        yield text(x + 4, y + HEAD - 4, operation, "head")
        y += HEAD
        for name in names:
            yield from latency_row(cells[name], report["labels"][name], f"c{COLOUR_OF[name]}", axis, x, y + ROW / 2)
            y += ROW
        y += GAP


def latency(report, subjects):
    """A row for each operation and subject: a dot at p50, a ring at p99. None when nobody of them has a number."""
    names = reporting.present(report, subjects)
    cells = [row[name] for row in report["results"].values() for name in names if row[name]["status"] == "ok"]
    if not cells:
        return None
    axis = Log([cell[key] for cell in cells for key in ("p50_us", "p99_us")], LABEL, COLUMN - MARGIN)
    rows = list(report["results"].items())
    half = (len(rows) + 1) // 2
    bottom = TOP + half * (HEAD + GAP + ROW * len(names))
    parts = []
    for number, some in enumerate((rows[:half], rows[half:])):
        if some:
            parts += latency_column(report, some, names, axis, MARGIN + number * COLUMN, bottom)
    return svg(report, names, "Time of one call: dot p50, ring p99; logarithmic, less is better", 2 * MARGIN + 2 * COLUMN, bottom, parts)


# Rates by the number of clients.

PANEL, PANEL_LEFT, PANEL_HEAD, PANEL_HEIGHT = 326, 52, 32, 250


def client_panel(operation, by_count, names, axis, x):
    counts = list(by_count)
    step = (PANEL - PANEL_LEFT - MARGIN) / max(len(counts) - 1, 1)
    places = [x + PANEL_LEFT + number * step for number in range(len(counts))]
    yield text(x + PANEL_LEFT, TOP + 16, operation, "head")
    for decade in axis.decades():
        yield line(places[0], axis.at(decade), x + PANEL - MARGIN, axis.at(decade), "grid")
        yield text(places[0] - 10, axis.at(decade) + 4, rate_text(decade), "muted", "end")
    for place, count in zip(places, counts):
        yield text(place, axis.low + 20, count, "muted", "middle")
    for name in names:
        points = [(place, axis.at(by_count[count][name]["ops_per_second"])) for place, count in zip(places, counts)
                  if by_count[count].get(name, {}).get("status") == "ok"]
        if points:
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            yield f'<polyline points="{path}" class="line c{COLOUR_OF[name]}"/>'
        yield from (dot(*point, f"dot c{COLOUR_OF[name]}") for point in points)


def clients(report):
    """A panel for each operation, all with the same axis. None when nothing was measured."""
    names = reporting.client_subjects(report)
    cells = [cell for by_count in report["clients"].values() for row in by_count.values() for cell in row.values()]
    rates = [cell["ops_per_second"] for cell in cells if cell["status"] == "ok"]
    if not rates:
        return None
    bottom = TOP + PANEL_HEAD + PANEL_HEIGHT
    axis = Log(rates, bottom, TOP + PANEL_HEAD)
    parts = []
    for number, (operation, by_count) in enumerate(report["clients"].items()):
        parts += client_panel(operation, by_count, names, axis, MARGIN + number * PANEL)
    title = "Operations per second of all clients together, by their number; logarithmic, more is better"
    return svg(report, names, title, 2 * MARGIN + PANEL * max(len(report["clients"]), 2), bottom, parts)


def plots(report):
    """{file name: SVG} of all that can be drawn."""
    pictures = latency(report, ("ours", *reporting.RIVALS)), latency(report, reporting.VARIANTS), clients(report)
    return {name: picture for name, picture in zip(NAMES, pictures) if picture}
