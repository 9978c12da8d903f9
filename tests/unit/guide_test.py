#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The guides of the kernel module say what the program says: every message in their tables is in the source, every parameter is the
module's with its default, and every keyring name, state and command they show is ours. KTAP."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
GUIDE = (TOP / "docs/kernel-module.md").read_text()
KEYCTL = (TOP / "docs/keyctl.md").read_text()


def strings(*folders):
    """The text of the sources with adjacent literals joined, and conversions as "..."."""
    text = "".join(path.read_text() for folder in folders for path in sorted((TOP / folder).glob("*.[ch]")))
    text = re.sub(r'"\s*CRATON_HSM_DEVICE\s*"', "/dev/craton-hsm", text)
    return re.sub(r'"\s*\n?\s*"', "", text).replace('\\"', '"')


SOURCE = strings("kmod", "agent", "agent/admin", "include/uapi")


def rows(text, title):
    """First cells of the table under a heading."""
    part = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [cell for line in part.splitlines() if line.startswith("| `") for cell in [line.split("|")[1].strip()]]


def is_said(message):
    """Every piece between "..." is in one line of the source, in its order of conversions."""
    pieces = [piece.strip() for piece in message.split("...") if len(piece.strip()) > 2]
    pieces = [piece.removeprefix("/dev/craton-hsm: ").removeprefix(": ") for piece in pieces]
    pattern = "[^\n]*".join(re.escape(piece) for piece in pieces)
    return bool(pieces) and re.search(pattern, SOURCE) is not None


def messages(title):
    return [message for cell in rows(GUIDE, title) for message in re.findall(r"`([^`]+)`", cell)]


def parameters():
    source = (TOP / "kmod/main.c").read_text()
    found = {}
    for name, variable in re.findall(r"module_param_named\((\w+), (\w+),", source):
        value = re.search(rf"{variable}(?: = ([^;]+))?;", source).group(1) or "N"
        found[name] = str(eval(value.replace("UL", ""))) if value != "N" else "N"  # noqa: S307: our own source
    return found


def checks():
    for title in ("What it writes to the kernel's log", "What the agent says about it"):
        said = messages(title)
        yield f"{title}: a table", len(said) > 2
        for message in said:
            yield message, is_said(message)
    yield "nothing is found that nobody says", not is_said("the module is on holiday")
    table = dict(re.findall(r"^\| `(\w+)` \| `?(\w+)`? \|", GUIDE.split("## Parameters")[1], re.M))
    wanted = parameters()
    yield "three parameters", len(wanted) == 3
    for name, value in wanted.items():
        yield f"{name}: {value}", table.get(name) == value
    keytype = (TOP / "kmod/keytype.c").read_text()
    yield "the module's keyring", f'"{re.search(r"keyring: ([.]craton_hsm)", KEYCTL).group(1)}"' in keytype
    for purpose in set(re.findall(r"slot \d+, ([a-z-]+), \d+ octets", KEYCTL)):
        yield f"purpose {purpose}", f'"{purpose}"' in keytype
    keyring = (TOP / "agent/keyring.c").read_text()
    for word in ("initialized", "uninitialized", "set", "not set", "locked"):
        yield f"keyctl.md: {word}", f"`{word}`" in KEYCTL and f'"{word}"' in keyring
    shown = set(re.findall(r'"(\w+)":', KEYCTL))
    yield "every member of the metadata", shown and shown == set(re.findall(r'"(\w+)",', keyring)) & shown


def main():
    results = list(checks())
    print(f"TAP version 13\n1..{len(results)}")
    for number, (name, good) in enumerate(results, 1):
        print(f"{'ok' if good else 'not ok'} {number} {name.replace('#', '')}")
    return 0 if all(good for _, good in results) else 1


if __name__ == "__main__":
    sys.exit(main())
