"""Table and plot of what many UPSes cost, for docs/: nothing but text and a plain SVG."""

import math
import re

BEGIN, END = "<!-- many: written by ./dev bench --only scale --docs -->", "<!-- many: end -->"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 70, 150, 30, 50
# what is drawn: name, key of a row, unit, colour, marker
SERIES = (
    ("memory", "rss MB", "MB", "#b45309", "square"),
    ("CPU", "cpu percent", "% of a core", "#1d4ed8", "circle"),
    ("oldest status", "worst age s", "s", "#15803d", "triangle"),
)


def number(value):
    return f"{value:,.0f}".replace(",", " ") if value >= 100 else f"{value:.2g}" if value < 10 \
        else f"{value:.0f}"


def table(rows):
    lines = ["| UPSes over Modbus TCP, 9600 pace | CPU, % of a core | CPU per UPS | memory | "
             "memory per UPS above the first | oldest status |", "|---|---|---|---|---|---|"]
    first = rows[0]
    for row in rows:
        more = row["ups"] - first["ups"]
        each = f"{(row['rss MB'] - first['rss MB']) * 1024 / more:.0f} kB" if more else ""
        lines.append(f"| {number(row['ups'])} | {number(row['cpu percent'])} | "
                     f"{row['cpu percent'] / row['ups']:.3f} % | {row['rss MB']:.1f} MB | {each} | "
                     f"{row['worst age s']:.2f} s |")
    return "\n".join(lines)


def decades(values):
    low = math.floor(math.log10(min(values)))
    return low, max(math.ceil(math.log10(max(values))), low + 1)


def marker(kind, x, y, colour):
    if kind == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>'
    if kind == "square":
        return f'<rect x="{x - 3.5:.1f}" y="{y - 3.5:.1f}" width="7" height="7" fill="{colour}"/>'
    return f'<path d="M{x:.1f} {y - 5:.1f} l4.5 8 h-9 z" fill="{colour}"/>'


def svg(rows, caption):
    """Both axes are logarithmic: what is linear has the slope of the dashed line."""
    xs = [row["ups"] for row in rows]
    x_low, x_high = decades(xs)
    y_low, y_high = decades([max(row[key], 0.01) for row in rows for _, key, *_ in SERIES])

    def place(x, y):
        right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
        return (LEFT + (math.log10(x) - x_low) / (x_high - x_low) * (right - LEFT),
                bottom - (math.log10(max(y, 0.01)) - y_low) / (y_high - y_low) * (bottom - TOP))

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13" role="img">',
           "<title>What many UPSes cost one ups2000d</title>",
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>']
    for power in range(x_low, x_high + 1):
        x, bottom = place(10 ** power, 10 ** y_low)
        _, top = place(1, 10 ** y_high)
        out.append(f'<path d="M{x:.1f} {top:.1f}V{bottom:.1f}" stroke="#ddd"/>'
                   f'<text x="{x:.1f}" y="{bottom + 18:.1f}" text-anchor="middle">{10 ** power}</text>')
    for power in range(y_low, y_high + 1):
        left, y = place(10 ** x_low, 10 ** power)
        right, _ = place(10 ** x_high, 10 ** power)
        label = f"{10 ** power:g}"
        out.append(f'<path d="M{left:.1f} {y:.1f}H{right:.1f}" stroke="#ddd"/>'
                   f'<text x="{left - 8:.1f}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
    out.append(f'<text x="{(LEFT + WIDTH - RIGHT) / 2:.0f}" y="{HEIGHT - 10}" '
               f'text-anchor="middle">UPSes ({caption})</text>')

    cpu = rows[-1]["cpu percent"] / rows[-1]["ups"]
    x_from = max(10 ** x_low, 10 ** y_low / cpu)
    (x1, y1), (x2, y2) = place(x_from, cpu * x_from), place(xs[-1], cpu * xs[-1])
    out.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#888" stroke-dasharray="5 4" '
               f'fill="none"/><text x="{WIDTH - RIGHT + 10}" y="{TOP + 14}" fill="#666">'
               "- - linear</text>")
    for name, key, unit, colour, kind in SERIES:
        points = [place(row["ups"], row[key]) for row in rows]
        out.append('<path d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) +
                   f'" stroke="{colour}" stroke-width="2" fill="none"/>')
        out += [marker(kind, x, y, colour) for x, y in points]
        x, y = points[-1]
        out.append(f'<text x="{x + 10:.1f}" y="{y + 4:.1f}" fill="{colour}">{name}, {unit}</text>')
    return "\n".join(out + ["</svg>", ""])


def write(directory, rows, machine):
    """docs/many.svg, and the table between its marks in docs/performance.md."""
    caption = f"measured on {machine['cores']} cores of {machine['cpu']}"
    note = f"{caption[0].upper()}{caption[1:]}; the load of the machine was {machine['load_before']:.1f} before."
    (directory / "many.svg").write_text(svg(rows, caption))
    page = directory / "performance.md"
    text = page.read_text()
    marks = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)
    if len(marks.findall(text)) != 1:
        raise ValueError(f"{page} must hold {BEGIN} and {END} once")
    page.write_text(marks.sub(lambda _: f"{BEGIN}\n{table(rows)}\n\n{note}\n{END}", text))
