"""Draws the pipeline, in English and in French: `python docs/images/pipeline.py` writes both SVG files beside itself.

All text stands on a ground of its own, so that the figure reads on a light and on a dark page alike.
"""

from pathlib import Path
from xml.sax.saxutils import escape

WORDS = {
    "pipeline.svg": {
        "title": "From deposits to regional reports",
        "desc": "Eight steps in a line. Deposits, as partners typed them; records, read and accounted for; persons, "
        "linked across organisations; spells, where each person lived and when; the cohort, one row per stay; "
        "estimates, with their limits and ranges. These six stay inside. Protected tables and regional reports may "
        "leave.",
        "steps": [
            ("deposits", "as typed"),
            ("records", "each row kept"),
            ("persons", "who is who"),
            ("spells", "where, when"),
            ("cohort", "one row a stay"),
            ("estimates", "with ranges"),
            ("protected", "tables"),
            ("reports", "one a region"),
        ],
        "inside": "stays inside",
        "leaves": "may leave",
    },
    "pipeline.fr.svg": {
        "title": "Des dépôts aux rapports régionaux",
        "desc": "Huit étapes à la suite. Les dépôts, tels que saisis; les enregistrements, lus et comptés; les "
        "personnes, reconnues d’un organisme à l’autre; les épisodes, où chacune a habité et quand; la cohorte, une "
        "ligne par séjour; les estimations, avec leurs limites. Ces six étapes restent à l’interne. Les tableaux "
        "protégés et les rapports régionaux peuvent sortir.",
        "steps": [
            ("dépôts", "tels que saisis"),
            ("lignes lues", "aucune perdue"),
            ("personnes", "qui est qui"),
            ("épisodes", "où, quand"),
            ("cohorte", "séjour par séjour"),
            ("estimations", "avec limites"),
            ("tableaux", "protégés"),
            ("rapports", "un par région"),
        ],
        "inside": "reste à l’interne",
        "leaves": "peut sortir",
    },
}
BOX, TALL, GAP, LEFT, ROWS = 142, 72, 22, 16, (40, 182)
INSIDE, LEAVES, LINE = ("#fdf3dc", "#5c3d00", "#c9a24a"), ("#e3eefb", "#123f6d", "#5b8fc7"), "#7a8694"


def place(step: int) -> tuple[int, int]:
    return LEFT + (step % 4) * (BOX + GAP), ROWS[step // 4]


def drawn(words: dict) -> str:
    wide, high = 2 * LEFT + 4 * BOX + 3 * GAP, ROWS[1] + TALL + 16
    half = 2 * (BOX + GAP)
    split = half + LEFT - 9
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" aria-labelledby="t d" '
        'font-family="system-ui, -apple-system, Segoe UI, DejaVu Sans, sans-serif">',
        f'<title id="t">{escape(words["title"])}</title>',
        f'<desc id="d">{escape(words["desc"])}</desc>',
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0 8 4 0 8z" fill="{LINE}"/></marker></defs>',
        # what stays inside is the first row and half of the second
        f'<path d="M4 4H{wide - 4}V134H{split - 5}V{high - 4}H4z" fill="{INSIDE[0]}" stroke="{INSIDE[2]}"/>',
        f'<path d="M{split} 146H{wide - 4}V{high - 4}H{split}z" fill="{LEAVES[0]}" stroke="{LEAVES[2]}"/>',
        f'<text x="{LEFT}" y="27" font-size="16" fill="{INSIDE[1]}">{escape(words["inside"])}</text>',
        f'<text x="{half + LEFT}" y="169" font-size="16" fill="{LEAVES[1]}">{escape(words["leaves"])}</text>',
    ]
    for step, (name, what) in enumerate(words["steps"]):
        x, y = place(step)
        ink, edge = (INSIDE if step < 6 else LEAVES)[1:]
        middle = x + BOX // 2
        parts += [
            f'<rect x="{x}" y="{y}" width="{BOX}" height="{TALL}" rx="6" fill="#ffffff" stroke="{edge}" '
            'stroke-width="1.5"/>',
            f'<text x="{middle}" y="{y + 32}" font-size="20" font-weight="700" fill="{ink}" text-anchor="middle">'
            f"{escape(name)}</text>",
            f'<text x="{middle}" y="{y + 55}" font-size="14" fill="#333d47" text-anchor="middle">{escape(what)}</text>',
        ]
        if step % 4 < 3:
            line = f"M{x + BOX} {y + TALL // 2}h{GAP - 2}"
        elif step == 3:
            line = f"M{middle} {y + TALL}V124H{LEFT + BOX // 2}V{ROWS[1] - 2}"
        else:
            continue
        parts.append(f'<path d="{line}" fill="none" stroke="{LINE}" stroke-width="2" marker-end="url(#a)"/>')
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    for file, words in WORDS.items():
        (Path(__file__).parent / file).write_text(drawn(words), encoding="utf-8")
