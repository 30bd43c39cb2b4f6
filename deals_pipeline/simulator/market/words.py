"""The words of the simulated titles and names: several scripts, emoji, HTML and spreadsheet formulas (D12)."""

from typing import Final

ADJECTIVES: Final = (
    "Practical", "Modern", "Complete", "Hidden", "Essential", "Advanced", "Illustrated", "Forgotten", "Applied",
    "Secret", "Clinical", "Elementary", "Golden", "Quantitative", "Silent", "Annotated", "Everyday", "Professional",
    "Winter", "Organic", "Digital", "Medieval", "Financial", "Wild", "Little", "Strategic", "Comparative", "Lost",
)  # fmt: skip
NOUNS: Final = (
    "Anatomy", "Gardens", "Algebra", "Voyages", "Chemistry", "Kitchens", "Accounting", "Empires", "Nursing",
    "Mountains", "Statistics", "Shadows", "Psychology", "Railways", "Economics", "Rivers", "Engineering", "Legends",
    "Management", "Watercolors", "Physics", "Letters", "Philosophy", "Horses", "Marketing", "Stars", "Networks",
)  # fmt: skip
FORMS: Final = (
    "{a} {n}", "The {a} {n} Handbook", "{a} {n}: Theory and Practice ({e} Edition)", "An Introduction to {a} {n}",
    "The {n} of {m}", "{n} & {m}", "{a} {n} for Beginners", "{n}: A Novel", "{a} {n}, Volume {v}",
    "Study Guide for {a} {n}, {e} Edition", "{m}\u2019s {a} {n} \u2013 Collector\u2019s Set ({v} Volumes)",
)  # fmt: skip
OTHER_FORMS: Final = (
    "{n} {a} Tool Set, {v} Pieces", "{a} {n} Backpack", "{a} {n} [Blu-ray]", "{n} {a} Cable, {v} ft",
    "{a} {n} (Vinyl LP)", "{n} Board Game \u2014 {a} Edition",
)  # fmt: skip
EDITIONS: Final = ("2nd", "3rd", "4th", "5th", "6th", "7th", "8th", "10th", "12th")
RARE_TITLES: Final = (
    "M\u00e9dico M\u00e9dium. La sanaci\u00f3n del tiroides {v}",
    "El triunfo de la estupidez: por qu\u00e9 la ignorancia es m\u00e1s peligrosa {v}",
    "Stra\u00dfen und \u00dcberg\u00e4nge: Das gro\u00dfe Handbuch, Band {v}",
    "L\u2019\u0152uvre compl\u00e8te, tome {v} \u2013 \u00e9dition reli\u00e9e",
    "\u0412\u043e\u0439\u043d\u0430 \u0438 \u043c\u0438\u0440, \u0442\u043e\u043c {v}",
    "\u7d05\u697c\u5922 \u7b2c{v}\u518a",
    "\u30ce\u30eb\u30a6\u30a7\u30a4\u306e\u68ee {v}",
    "\ud55c\uad6d\uc5b4 \ubb38\ubc95 {v}",
    "\u0623\u0644\u0641 \u0644\u064a\u0644\u0629 \u0648\u0644\u064a\u0644\u0629 {v}",
    "\u05e1\u05d9\u05e4\u05d5\u05e8 \u05e2\u05dc \u05d0\u05d4\u05d1\u05d4 {v}",
    "\u039f\u03b4\u03cd\u03c3\u03c3\u03b5\u03b9\u03b1 {v}",
    "\u092d\u093e\u0930\u0924 \u090f\u0915 \u0916\u094b\u091c {v}",
    "Bake Off! \U0001f370\U0001f525 {v} Recipes \U0001f468\u200d\U0001f373",
    "\U0001f984 Unicorn Planner {v}",
    "Salt &amp; Pepper: <b>The Deluxe Cookbook</b>, Volume {v}",
    "Learning <i>HTML</i> &lt;5&gt;, {v}th printing<br>",
    "<script>alert(1)</script> The XSS Handbook {v}",
    "<img src=x onerror=alert({v})> Picture Book",
    '=HYPERLINK("http://example.com","Open me") {v}',
    "=1+{v}",
    "+1 (555) 0100-{v}: A Memoir",
    "-{v} Degrees: Notes from the Arctic",
    "@SUM(A1:A{v}) and Other Spells",
    "Robert'); DROP TABLE deals;-- {v}",
    "  Untitled   Manuscript\t{v} ",
)
NAMES: Final = (
    "Ada Brandt", "Jos\u00e9 Mart\u00ednez", "Li Wei", "Anthony Ryan", "Mary O\u2019Neill", "Sofia Rossi",
    "K. R. Iyer", "\u00c5sa Lindqvist", "Tom Becker", "Haruki Sato", "Olga Petrova", "Grace Okafor",
)  # fmt: skip
PUBLISHERS: Final = (
    "Harbor Press", "McGraw Hill", "Pearson", "Verlag am Tor", "Penrose Books", "Wiley", "Northfield", "Cengage",
    "\u00c9ditions du Lac", "Routledge",
)  # fmt: skip
SHOPS: Final = (
    "Second Story Books", "BookHive", "Thrifty Textbooks", "Riverside Goods", "Goodwill of the Plains", "MediaMax",
    "Campus Reuse", "Old Harbor Traders", "B\u00fccherwurm", "ReadAgain",
)  # fmt: skip
COMMENTS: Final = (
    "", "Ships fast. Some highlighting.", "Spine creased; pages clean.", "Ex-library copy with the usual stamps.",
    "Like new \u2013 unread.", "Cover shows wear. Text is readable.", "May not include access code.",
)  # fmt: skip
WAREHOUSE_COMMENTS: Final = {
    2: "Little to no damage on cover or pages. Item will come in original packaging.",
    3: "Minor cosmetic imperfection on top, front, back or sides of item.",
    4: "Moderate damage on cover. Packaging will be damaged.",
    5: "Moderate damage on pages. Minor packaging damage observed during inspection.",
}
