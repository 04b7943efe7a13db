"""What the checks of this folder share: reading the repository, and saying what is wrong with it."""

import pathlib
import re
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]


def text_of(path):
    return (ROOT / path).read_text(encoding="utf-8")


def documents_of(path):
    return [document for document in yaml.safe_load_all(text_of(path)) if document]


def sources():
    """The Rust code of the binary, as one text."""
    return "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "src").rglob("*.rs")))


def end(problems):
    """Prints what is wrong; the status says whether anything is."""
    found = list(problems)
    print("\n".join(found))
    sys.exit(1 if found else 0)


def seconds_of(duration):
    """30, "30", "30s" and "2m" as seconds."""
    number, unit = re.fullmatch(r"(\d+)(s|m|)", str(duration)).groups()
    return int(number) * (60 if unit == "m" else 1)
