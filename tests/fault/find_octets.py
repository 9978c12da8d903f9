#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Looks for the octets of FILE in all memory of process PID that root can read (/proc/PID/mem), or in a file.

find_octets.py FILE PID|PATH: prints where each half was found and how much was read; status 1 when found, 0 when not, 3 when
too little could be read for the answer to mean anything.
"""
import os
import sys

CHUNK = 1 << 22
LEAST = 1 << 20


def regions(pid):
    with open(f'/proc/{pid}/maps', encoding='utf-8') as maps:
        for line in maps:
            fields = line.split()
            begin, end = (int(part, 16) for part in fields[0].split('-'))
            if begin >> 63:  # vsyscall: the kernel's, and beyond what pread can reach
                continue
            yield begin, end, fields[1], fields[5] if len(fields) > 5 else ''


def memory(pid):
    """(place, octets) of everything that can be read; unreadable pages are counted."""
    unreadable = 0
    with open(f'/proc/{pid}/mem', 'rb', buffering=0) as mem:
        for begin, end, mode, name in regions(pid):
            at = begin
            while at < end:
                length = min(CHUNK, end - at)
                try:
                    octets = os.pread(mem.fileno(), length, at)
                except OSError:
                    octets = b''
                if not octets:
                    unreadable += 4096
                    at += 4096
                    continue
                yield f'{at:x} {mode} {name}', octets
                at += len(octets)
    print(f'{unreadable} octets could not be read')


def contents(path):
    with open(path, 'rb') as file:
        while True:
            octets = file.read(CHUNK)
            if not octets:
                return
            yield f'{file.tell() - len(octets):x}', octets


def main():
    with open(sys.argv[1], 'rb') as file:
        wanted = file.read()
    # Halves, so that a round key schedule or a copy across a boundary is seen too.
    needles = [half for half in (wanted[:16], wanted[16:32]) if len(half) == 16]
    source = memory(sys.argv[2]) if sys.argv[2].isdigit() else contents(sys.argv[2])
    found, total, tail = 0, 0, b''
    for place, octets in source:
        total += len(octets)
        for needle in needles:
            if needle in tail + octets:
                found += 1
                print(f'found at {place}')
        tail = octets[-15:]
    print(f'{total} octets read, {found} times found')
    if found:
        return 1
    return 0 if total >= LEAST else 3


sys.exit(main())
