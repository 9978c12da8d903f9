#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The guides of the kernel module and of keyctl against the source: every line and reason that the first explains is one that the module
or the agent can say, and none that it should explain is missing; parameters, states and events are those of the code; so are the
names, purposes, permissions and members that the second shows. Output is KTAP.

In the guide N, NAME, PATH and REASON stand for what the code fills in."""
import glob
import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GUIDE = 'docs/kernel-module.md'
KEYCTL = 'docs/keyctl.md'
FILL = re.compile(r'%[-+#0-9.*]*(?:hh|h|ll|l|z)?[a-zA-Z]')
LITERAL = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def read(*paths):
    text = ''
    for path in paths:
        with open(os.path.join(ROOT, path), encoding='utf-8') as file:
            text += file.read()
    return text


def sources(pattern):
    return read(*sorted(os.path.relpath(path, ROOT) for path in glob.glob(os.path.join(ROOT, pattern))))


def literals(code):
    """String literals of C, neighbours joined, as what they print; without comments and includes."""
    code = re.sub(r'/\*.*?\*/', '', code, flags=re.S)
    code = re.sub(r'^#include.*$', '', code, flags=re.M)
    code = re.sub(r'"\s*\n\s*"', '', code)
    return [text.replace('\\n', '').replace('\\"', '"').replace('\\\\', '\\') for text in LITERAL.findall(code)]


def calls(code, names):
    """The first literal of each call of these functions."""
    code = re.sub(r'"\s*\n\s*"', '', code)
    return [literals(text)[0] for text in re.findall(rf'\b(?:{names})\(\s*("(?:[^"\\\n]|\\.)*")', code)]


def fixed(literal):
    return FILL.sub('', literal)


def says(literal, text):
    """Can the literal, filled in, print the text? One that is nearly all filled in says nothing."""
    if len(fixed(literal)) < 10:
        return False
    return re.fullmatch('.+'.join(map(re.escape, FILL.split(literal))), text) is not None


def section(title):
    found = re.search(rf'^## {re.escape(title)}\n(.*?)(?=^## |\Z)', read(GUIDE), re.S | re.M)
    return found.group(1) if found else ''


def tables(text):
    """Each table as its rows, without head, of cells."""
    found, rows = [], None
    for line in text.splitlines() + ['']:
        if not line.startswith('|'):
            rows = None
        elif rows is None:
            rows = []
            found.append(rows)
        else:
            rows.append([cell.strip() for cell in line.strip('|').split(' | ')])
    return [[row for row in rows if not set(row[0]) <= set('-|')] for rows in found]


def spans(cell):
    return re.findall(r'`([^`]+)`', cell)


def unsaid(texts, known):
    return [f'nobody says: {text}' for text in texts if not any(says(literal, text) for literal in known)]


def unexplained(known, texts):
    return [f'not in the guide: {literal}' for literal in known if not any(says(literal, text) for text in texts)]


KMOD = sources('kmod/*.c')
AGENT = sources('agent/*.c')


def kernel_lines():
    rows = tables(section("What the module writes to the kernel's log"))
    return [spans(row[0])[0] for row in rows[0]] if rows else []


def lines_of_the_kernel_log():
    known = calls(KMOD, 'pr_[a-z_]+')
    texts = kernel_lines()
    return unsaid(texts, known) + unexplained(known, texts) + ([] if len(known) > 2 else ['too few in the source'])


def reasons():
    return [(spans(row[0])[0], spans(row[1])[0]) for row in tables(section('What the agent says'))[0]]


def reasons_of_the_agent():
    code = read('agent/kernel.c', 'agent/slots_backend.c')
    known = [text for text in literals(code) if len(text) > 25 and ' ' in text]
    texts = [text for text, _ in reasons()]
    return unsaid(texts, known) + unexplained(known, texts) + ([] if len(known) > 4 else ['too few in the source'])


def states():
    table = re.search(r'kernel_module_name\(.*?\{(.*?)\};', read('agent/kernel.c'), re.S).group(1)
    known = set(literals(table)) - {'untried'}
    named = {state for _, state in reasons()}
    return [] if known == named else [f'the code has {sorted(known)}, the guide {sorted(named)}']


def lines_of_the_agent():
    known = [text for text in literals(AGENT) if ' ' in text]
    # What a reason fills whole is the table before this one.
    texts = [spans(row[0])[0] for row in tables(section('What the agent says'))[1]]
    texts = [text for text in texts if text != '/dev/craton-hsm: REASON']
    return unsaid(texts, known) + ([] if len(texts) > 8 else ['too few in the guide'])


def number(text):
    text = text.rstrip(';').replace('UL', '').strip()
    low, _, shift = text.partition('<<')
    return str(int(low) << int(shift or 0))


def parameters():
    known = {}
    for name, variable in re.findall(r'^module_param_named\((\w+), (\w+),', KMOD, re.M):
        kind, value = re.search(rf'^(unsigned int|unsigned long|bool) {variable}(?: = (.*))?;$', KMOD, re.M).groups()
        known[name] = 'N' if kind == 'bool' else number(value)
    named = {spans(row[0])[0]: spans(row[2])[0] for row in tables(section('Parameters'))[0]}
    return [] if known == named and known else [f'the module has {known}, the guide {named}']


def events():
    code = re.sub(r'"\s*\n\s*"', '', read('agent/event.c'))
    known = set(literals(re.search(r'\} types\[EVENT_TYPES\] = \{(.*?)\n\};', code, re.S).group(1)))
    rows = tables(section('Events'))[0]
    named = {name for row in rows for name in spans(row[0])}
    words = set(literals(code))
    problems = [] if known == named and known else [f'the code has {sorted(known ^ named)} more or less than the guide']
    return problems + [f'no such word: {word}' for row in rows for word in spans(row[1]) if word not in words | {'keyctl'}]


PERMISSIONS = {'VIEW': 0x01, 'READ': 0x02, 'WRITE': 0x04, 'SEARCH': 0x08, 'LINK': 0x10, 'SETATTR': 0x20}
WHO = {'POS': 24, 'USR': 16, 'GRP': 8, 'OTH': 0}


def mask(code, name):
    """A macro of KEY_POS_VIEW and the like, as keyctl prints it."""
    body = re.search(rf'^#define {name}\b((?:.*\\\n)*.*)$', code, re.M).group(1)
    value = 0
    for who, what in re.findall(r'KEY_(POS|USR|GRP|OTH)_(\w+)', body):
        value |= PERMISSIONS[what] << WHO[who]
    for other in re.findall(r'\b(KEY_PERMISSIONS)\b', body):
        value |= int(mask(code, other), 16)
    return f'{value:08x}'


def missing(texts, guide):
    return [f'not in the guide: {text}' for text in texts if text not in guide]


def slots_in_keyctl():
    code, guide = read('kmod/keytype.c'), read(KEYCTL)
    purposes = set(literals(re.search(r'purpose_name\(.*?\{(.*?)\};', code, re.S).group(1)))
    shown = set(re.findall(r'slot \d+, ([a-z-]+), \d+ octets', guide))
    name = re.search(r'#define KEYRING_NAME "(.*)"', code).group(1)
    problems = [] if purposes == shown else [f'the module has {sorted(purposes)}, the guide shows {sorted(shown)}']
    return problems + missing([f'keyring: {name}\n', f'`{name}`', f'craton_hsm;0;0;{mask(code, "KEY_PERMISSIONS")};',
                               f'perm {mask(code, "KEYRING_PERMISSIONS")} '] + [f'`{purpose}`' for purpose in purposes], guide)


def tokens_in_keyctl():
    code, guide = read('agent/keyring.c'), read(KEYCTL)
    members = set(re.findall(r'"(\w+)":', guide))
    problems = [] if members and members <= set(literals(code)) else [f'no such members: {sorted(members - set(literals(code)))}']
    words = [word for word in literals(code) if word in ('initialized', 'uninitialized', 'set', 'not set', 'locked')]
    problems += [] if len(set(words)) == 5 else ['the code says states otherwise']
    return problems + missing([f';0;0;{mask(code, "KEY_PERMISSIONS")};', f'2m {mask(code, "RING_PERMISSIONS")} '] +
                              [f'`{word}`' for word in words], guide)


def linked():
    return [f'{page} does not lead to {guide}' for page in ('README.md', 'docs/operation.md', 'docs/architecture.md')
            for guide in ('kernel-module.md', 'keyctl.md') if guide not in read(page)]


TESTS = [lines_of_the_kernel_log, reasons_of_the_agent, states, lines_of_the_agent, parameters, events, slots_in_keyctl,
         tokens_in_keyctl, linked]

print(f'KTAP version 1\n1..{len(TESTS)}')
for i, test in enumerate(TESTS, 1):
    problems = test()
    for problem in problems:
        print(f'# {problem}')
    print(f'{"not ok" if problems else "ok"} {i} {test.__name__}')
