#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our TOML reader against tomli (python3-tomli), which knows nothing of ours.

Documents written inside our subset must be accepted by both and mean the same; the same documents with random damage,
and a list of awkward ones, must never be accepted by us and refused by tomli, nor mean something else. Output is KTAP.

Environment: BUILD (output folder, default build), CC, SEED and COUNT (to look further than `make check` does).
"""
import json
import os
import random
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", os.path.join(ROOT, "build"))
SEED = int(os.environ.get("SEED", "1"))
COUNT = int(os.environ.get("COUNT", "3000"))

AWKWARD = [
    b"", b"\n", b"\r\n", b"\r", b"#", b"# x\r", b"# \xc3\xa9\r\n", b"# \x00", b"\xef\xbb\xbfa=1", b"a=1\n\x1a", b"\x0c",
    b"a=1", b"a = 1 # x", b"a=1\r\nb=2", b"a=1\rb=2", b"a\n=1", b"a=\n1", b"a=1 2", b"a=1,", b"a==1", b"=1", b"''=1",
    b'""=1', b"a b=1", b"a.b=1", b"'a.b'=1", b"a . b = 1", b"1=1", b"-=1", b"_=1", b"-1-=1", b"\xc3\xa9=1", b"true=true",
    b"[[a.b]]\nc=1\n[[a.b]]\nc=2", b"[a]\nx=1\n[[a.b]]\nc=1", b"[[ a . b ]]", b"[[a.b]]\n[[a.c]]", b"[a]\nb=1\n[[a.b]]", b"a=1\n[[a.b]]",
    b"[[a.b]]\n[a]\nx=1", b"[[a.]]", b"[[.a]]", b"[[a.b]", b"[[a..b]]", b"[a.b]", b"[[a]]\n[[a.b]]", b"[[a.b]]\n[['a.b']]",
    b"[]", b"[a]", b"[ a ]", b"[\ta\t]", b"[a\n]", b"[[a]]", b"[[ a ]]", b"[ [a]]", b"[[a] ]", b"[[a]", b"[a]]", b"[a][b]",
    b"[a]\n[a]", b"[a]\n[[a]]", b"[[a]]\n[a]", b"[[a]]\n[[a]]", b"a=1\n[a]", b"a=[]\n[[a]]", b"a=[1]\n[a]", b"[a]b=1",
    b"[a]#x", b"['']", b"[\"a\"]\n[a]", b"[a]\na=1\n\"a\"=2", b"a=1\na=1", b"[a.b]", b"[a . b]", b"[-]", b"[\xc3\xa9]",
    b"a=+1", b"a=-1", b"a=+0", b"a=-0", b"a=00", b"a=01", b"a=-01", b"a=+01", b"a=1_0", b"a=1__0", b"a=_1", b"a=1_", b"a=+_1",
    b"a=0_1", b"a=0x1", b"a=0X1", b"a=0x", b"a=0x_1", b"a=0x1_", b"a=0x1_2", b"a=0x0", b"a=0x00f", b"a=+0x1", b"a=-0x1",
    b"a=0xg", b"a=0o7", b"a=0b1", b"a=9223372036854775807", b"a=9223372036854775808", b"a=-9223372036854775808",
    b"a=-9223372036854775809", b"a=0x7fffffffffffffff", b"a=0x8000000000000000", b"a=18446744073709551617", b"a=+", b"a=-",
    b"a=--1", b"a=1-", b"a=1.0", b"a=1e3", b"a=.5", b"a=5.", b"a=inf", b"a=nan", b"a=1979-05-27", b"a=07:32:00",
    b"a=1979-05-27T07:32:00Z", b"a=1979-05-27 07:32:00", b"a=true", b"a=false", b"a=True", b"a=truex", b"a=true1", b"a=tru",
    b"a=true#", b"a=1#", b"a=\"\"", b"a=''", b"a='\\'", b"a='''x'''", b'a="""x"""', b"a=''''", b'a=""""', b"a='x", b'a="x',
    b"a='x\n'", b'a="x\n"', b'a="\\\n"', b'a="\\"', b'a="\\\\"', b'a="\\b\\t\\n\\f\\r\\"\\\\"', b'a="\\/"', b'a="\\e"',
    b'a="\\x41"', b'a="\\a"', b'a="\\u0041"', b'a="\\u004"', b'a="\\u004g"', b'a="\\U00000041"', b'a="\\U0000004"',
    b'a="\\ud7ff\\ue000"', b'a="\\ud800"', b'a="\\udfff"', b'a="\\U0010ffff"', b'a="\\U00110000"', b'a="\\u0001\\u001f"',
    b'a="\\u007f\\u0080"', b'a="\x7f"', b'a="\t"', b"a='\t'", b'a="\x08"', b'a="\xc3\xa9"', b'a="\xc3"', b'a="\xff"',
    b'a="\xed\xa0\x80"', b'a="\xf4\x90\x80\x80"', b'a="\xc0\x80"', b'a="\xe2\x80\xa8"', b'a="\xc2\x85"', b'"\\u0061"=1\na=2',
    b"a=[]", b"a=[ ]", b"a=[\n]", b"a=[,]", b"a=[1]", b"a=[1,]", b"a=[1,,]", b"a=[,1]", b"a=[1 2]", b"a=[1\n,2\n]",
    b"a=[1,#x\n2#y\n]", b"a=[#]\n]", b"a=[1,'x',true]", b"a=[[1]]", b"a=[{}]", b"a={}", b"a={b=1}", b"a=[1]]", b"a=[1", b"a=[",
    b"a=[1]b=2", b"a=[1]\r\nb=2", b"a=[\r\n1\r\n]", b"a=[\r1]", b"a=1;b=2", b"a:1", b"a", b"a=", b"a=#", b"a=b", b"/* x */",
    b"a=1 //x", b"\ta\t=\t1\t", b"\xc2\xa0a=1", b"a=\xc2\xa01", b"a=1\xc2\xa0", b"a=1\x0b", b"a\x0c=1", b"[a]\n[b]\n[a.c]",
]


class Writer:
    """Writes random documents inside the subset."""

    def __init__(self, source):
        self.source = source

    def pick(self, *choices):
        return self.source.choice(choices)

    def space(self):
        return self.pick("", "", " ", "\t", "  ")

    def newline(self):
        return self.pick("\n", "\n", "\r\n")

    def comment(self):
        return self.pick("", "", "", "# note", "#", "# \u00e9 \U0001f511 = [\"", "#\t'")

    def text(self):
        return "".join(self.pick("a", "B", "7", " ", "#", "=", "[", "]", ".", ",", "\u00e9", "\u20ac", "\U0001f511")
                       for _ in range(self.source.randrange(8)))

    def literal(self):
        return "'" + self.text() + self.pick("", "\\", "\\n", '"', "\t") + "'"

    def basic(self):
        escapes = ["\\n", "\\t", "\\\"", "\\\\", "\\r", "\\b", "\\f", "\\u00e9", "\\uFFFD", "\\U0001F511", "\\u0001", "'"]
        return '"' + self.text() + self.pick(*escapes) + self.text() + '"'

    def string(self):
        return self.literal() if self.source.random() < 0.4 else self.basic()

    def integer(self):
        number = self.pick(0, 1, 7, 100, 600000, 2**31, 2**63 - 1, self.source.getrandbits(40))
        if self.source.random() < 0.3:
            return self.pick("0x%x", "0x%X", "0x0%x") % number
        digits = str(number)
        if len(digits) > 3 and self.source.random() < 0.5:
            digits = digits[:-3] + "_" + digits[-3:]
        return self.pick("", "", "+", "-") + digits

    def scalar(self):
        return self.pick(self.string, self.integer, lambda: self.pick("true", "false"))()

    def gap(self):
        return self.space() + self.pick("", "", self.comment() + self.newline() + self.space())

    def array(self):
        items = [self.gap() + self.scalar() + self.gap() for _ in range(self.source.randrange(5))]
        comma = self.pick("", ",") if items else ""
        return "[" + ",".join(items) + comma + self.gap() + "]"

    def key(self, used):
        while True:
            key = self.pick("a", "b", "c-d", "e_f", "7", "Long-Key_9", "g", "h", "i") + self.pick("", "1", "2", "3")
            if key not in used:
                break
        used.add(key)
        return self.pick(key, key, "'%s'" % key, '"%s"' % key, '"\\u%04x%s"' % (ord(key[0]), key[1:]))

    def pairs(self, used):
        lines = []
        for _ in range(self.source.randrange(5)):
            value = self.array() if self.source.random() < 0.3 else self.scalar()
            lines.append(self.space() + self.key(used) + self.space() + "=" + self.space() + value + self.space() + self.comment())
            if self.source.random() < 0.2:
                lines.append(self.space() + self.comment())
        return lines

    def tables(self, used):
        lines = []
        for _ in range(self.source.randrange(5)):
            key = self.key(used)
            if self.source.random() < 0.7:
                lines.append("[" + self.space() + key + self.space() + "]" + self.space() + self.comment())
                lines += self.pairs(set())
                continue
            for _ in range(self.source.randrange(1, 3)):
                lines.append("[[" + self.space() + key + self.space() + "]]" + self.comment())
                lines += self.pairs(set())
        return lines

    def document(self):
        used = set()
        lines = self.pairs(used) + self.tables(used)
        return "".join(line + self.newline() for line in lines).encode()


def damage(source, document, others):
    """One to three small changes: bytes dropped, doubled, replaced, pieces of other documents put in."""
    document = bytearray(document)
    pieces = [b"\n", b"\r", b"\r\n", b"[", b"]", b"[[", b"]]", b"=", b",", b"'", b'"', b'"""', b"\\", b"#", b".", b"_", b"0", b"-",
              b"+", b"0x", b"\\u", b"\xff", b"\xc3", b"\x00", b"\x7f", b"\t", b" ", b"{", b"}", b"1e5", b":", b"\xc2\xa0", b"inf"]
    for _ in range(source.randrange(1, 4)):
        at = source.randrange(len(document) + 1)
        act = source.randrange(5)
        if act == 0:
            del document[at:at + source.randrange(1, 4)]
        elif act == 1:
            document[at:at] = document[at:at + source.randrange(1, 20)]
        elif act == 2:
            document[at:at + 1] = source.choice(pieces)
        elif act == 3:
            document[at:at] = source.choice(pieces)
        else:
            other = source.choice(others)
            start = source.randrange(len(other) + 1)
            document[at:at] = other[start:start + source.randrange(1, 40)]
    return bytes(document)


def build_reader():
    program = os.path.join(BUILD, "tests", "toml_dump")
    os.makedirs(os.path.dirname(program), exist_ok=True)
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-g", "-O1", "-I", os.path.join(ROOT, "agent"),
                    "-o", program, os.path.join(ROOT, "tests/fuzz/toml_dump.c"), os.path.join(ROOT, "agent/toml.c"),
                    "-ljansson"], check=True)
    return program


def read_ours(program, documents):
    framed = b"".join(struct.pack("<I", len(document)) + document for document in documents)
    output = subprocess.run([program], input=framed, stdout=subprocess.PIPE, check=True).stdout.decode()
    lines = output.split("\n")[:-1]
    if len(lines) != len(documents):
        raise RuntimeError("%d answers to %d documents" % (len(lines), len(documents)))
    return [None if line.startswith("!") else json.loads(line) for line in lines]


def read_theirs(tomli, document):
    try:
        return tomli.loads(document.decode("utf-8"))
    except (UnicodeDecodeError, tomli.TOMLDecodeError):
        return None


def canonical(value):
    # default=str: dates, which we never accept, must not stop the comparison
    return json.dumps(value, sort_keys=True, default=str)


def compare(program, tomli, documents, must_accept):
    """A list of complaints, and how many documents were accepted."""
    complaints, accepted = [], 0
    for document, ours in zip(documents, read_ours(program, documents)):
        theirs = read_theirs(tomli, document)
        accepted += ours is not None
        if ours is None and must_accept:
            complaints.append("refused although inside the subset: %r" % document)
        elif ours is not None and theirs is None:
            complaints.append("accepted although TOML refuses it: %r" % document)
        elif ours is not None and canonical(ours) != canonical(theirs):
            complaints.append("means something else: %r: %r, not %r" % (document, ours, theirs))
    return complaints, accepted


def report(number, name, complaints, accepted, total):
    for complaint in complaints[:10]:
        print("# " + complaint)
    print("# %d of %d accepted" % (accepted, total))
    print("%s %d %s" % ("not ok" if complaints or not accepted else "ok", number, name))
    return not complaints and accepted


def main():
    print("TAP version 13")
    try:
        import tomli
    except ImportError:
        print("1..0 # SKIP python3-tomli is not installed")
        return 0
    print("1..3")
    program = build_reader()
    source = random.Random(SEED)
    whole = [Writer(source).document() for _ in range(COUNT)]
    damaged = [damage(source, source.choice(whole), whole) for _ in range(2 * COUNT)]
    groups = [("toml_awkward", AWKWARD, False), ("toml_inside_subset", whole, True), ("toml_damaged", damaged, False)]
    good = True
    for number, (name, documents, must_accept) in enumerate(groups, 1):
        complaints, accepted = compare(program, tomli, documents, must_accept)
        good &= bool(report(number, name, complaints, accepted, len(documents)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
