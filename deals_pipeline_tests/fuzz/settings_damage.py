"""The shipped `deals.toml`, with all its examples in force, and what somebody can get wrong in it or in a variable."""

import re
from functools import cache
from typing import Final

from hypothesis import strategies as st

from deals_pipeline.config.environment import VARIABLES
from deals_pipeline_tests.dagster_world import ROOT

VALUES: Final = (
    *("", "-1", "0", "1", "7", "1.5", "-0.0", "nan", "-inf", "1e400", "1e999999999", "0x10", "1_000", "99", "101"),
    *("9223372036854775807", "-9223372036854775809", "9" * 5_000, "0.1", "1979-05-27", "07:32:00", "true", "false"),
    *("''", "'x'", "'US'", "'books'", "'١٢'", "'1e3'", '"2.75"', '"NaN"', '"\\u0000"', '"\\ud800"', '"\\u001b[2J"'),
    *(
        '"\\u202e"',
        '"a\\nb"',
        '"""\n"""',
        "'" + "x" * 20_000 + "'",
        '"\u2028\x85"',
        '"🎁"',
        '"</script>"',
        '"{0}%s{key}"',
    ),
    *("[]", "[[]]", "[1, 2]", "[2, 1]", "[1, 2, 3]", "['a']", "[{}]", "[1, 'a', {}]", "[-1, 2147483648]"),
    *("{}", "{ x = 1 }", "{ minutes = 3 }", "{ tokens = 1, minutes = 1 }", "{ a.b.c = 1 }"),
    *("[" * 3_000 + "]" * 3_000, "[[[[[1]]]]]", "unquoted", "= 3", "'", '"', "# nothing", "[", "{", "\x00", "\x1b[2J"),
)
KEYS: Final = (
    *(
        "",
        "x",
        "names",
        "nme",
        "''",
        '"\\u001b[2J"',
        '"\\u202e"',
        "'a b'",
        "a.b",
        "name.x",
        "query",
        "domain",
        "__class__",
    ),
    *("x" * 5_000, "KEEPA_API_KEY", "clé", "'clé'", "model_config", "1", "-"),
)
SECTIONS: Final = (
    *("marketplaces", "recent", "backfill", "intervals", "shares", "max_deficit", "floors", "retention"),
    *("recent.x", "''", "floors.recent", "[recent]", "[intervals]", "[[recent]]", "x" * 3_000, '"\\u001b"'),
)
TEXTS: Final = (
    *(
        "",
        " ",
        "x",
        "0",
        "k" * 64,
        "has a blank",
        "~",
        "~nobody-of-that-name/x",
        "/",
        "/dev/null",
        ".",
        "..",
        "x" * 300,
    ),
    *(
        "http://",
        "http://host",
        "http://[",
        "http://[::1]:99999",
        "http://host:x",
        "https://api.keepa.com",
        "ftp://host",
    ),
    *("http://me:pass@host", "http://host?key=1", "http://host/#x", "//host", "http://\u202ehost", "http://a\tb"),
    *(
        "postgresql://u:p@h/d",
        "postgres://",
        "mysql://x",
        "sqlite:///x",
        "postgresql://[",
        "a\nb",
        "\x1b[2J",
        "\x7f\x9b2J",
    ),
    *(
        "\x00",
        "a\x00b",
        "\ud800",
        "\udcff",
        "\u202e",
        "🎁",
        "${HOME}",
        "$(id)",
        "'x",
        '"x',
        "%s{0}",
        "deals.toml",
        ".env",
    ),
)
NAMES: Final = (*VARIABLES, "KEEPA_APIKEY", "DEALS_HOMES", "DEALS_CONFG", "DEALS_", "\u202e", "KEEPA_API_KEY\x1b[2J")
JUNK: Final = (
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\r",
    b"\r\n",
    b"[",
    b"]]",
    b"=",
    b'"""',
    b"'",
    b"#",
    b"\x1b[2J",
)


@cache
def shipped() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lines of the shipped file that say something, and its examples, which are commented out."""
    text = (ROOT / "deals.toml").read_text(encoding="utf-8")
    said = [line for line in text.splitlines() if line and not line.startswith("#")]
    return tuple(said), tuple(re.findall(r"^# (\w+ = .*)$", text, flags=re.MULTILINE))


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    """Draw a settings file with up to four things wrong in it."""
    lines, examples = list(shipped()[0]), shipped()[1]
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        key, _, value = lines[at].partition(" = ")
        match draw(
            st.sampled_from(
                ["value", "value", "value", "example", "key", "section", "remove", "twice", "insert", "move"]
            )
        ):
            case "value":
                lines[at] = f"{key} = {draw(st.sampled_from(VALUES) | st.integers().map(str))}"
            case "key":
                lines[at] = f"{draw(st.sampled_from(KEYS))} = {value or 1}"
            case "section":
                lines[at] = f"[{draw(st.sampled_from(SECTIONS))}]"
            case "remove":
                lines.pop(at)
            case "twice":
                lines.insert(at, lines[at])
            case "example":
                lines.insert(at, draw(st.sampled_from(examples)))
            case "insert":
                lines.insert(at, draw(st.text(max_size=12)))
            case _:
                lines.insert(draw(st.integers(0, len(lines) - 1)), lines.pop(at))
    data = "\n".join(lines).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from([*JUNK, b""])) + data[at + draw(st.integers(0, 3)) :]
    return data


@st.composite
def damaged_variables(draw: st.DrawFn) -> dict[str, str]:
    """Draw the variables, of which most runs set none."""
    if draw(st.integers(0, 2)):
        return {}
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    return {name: draw(st.sampled_from(TEXTS)) for name in names}


@st.composite
def damaged_env_files(draw: st.DrawFn) -> bytes | None:
    """Draw a `.env` file, or that there is none."""
    if draw(st.integers(0, 3)):
        return None
    lines = [f"{draw(st.sampled_from(NAMES))}={draw(st.sampled_from(TEXTS))}" for _ in range(draw(st.integers(0, 3)))]
    return "\n".join(lines).encode("utf-8", draw(st.sampled_from(["surrogatepass", "replace"])))
