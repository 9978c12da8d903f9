# SPDX-License-Identifier: Apache-2.0
"""An agent that greets its clients and then says nothing: silent_agent.py SOCKET, until it is killed."""
import os
import socket
import struct
import sys
import threading

HEADER = struct.Struct("<IIHHI")  # body_len, request_id, opcode, flags, status
REPLY = 1
VERSION = 1


def octets(connection, length):
    """So many of them, or None at the end."""
    got = b""
    while len(got) < length:
        more = connection.recv(length - len(got))
        if not more:
            return None
        got += more
    return got


def greet(connection):
    """The answer to the hello, no features; then whatever comes is read and left unanswered."""
    header = octets(connection, HEADER.size)
    if not header:
        return
    body_len, request_id, opcode, _, _ = HEADER.unpack(header)
    octets(connection, body_len)
    body = struct.pack("<IQI16sQ", VERSION, 0, 16, os.urandom(16), 0)
    connection.sendall(HEADER.pack(len(body), request_id, opcode, REPLY, 0) + body)
    while connection.recv(4096):
        pass


def main():
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        print("ready", flush=True)
        while True:
            threading.Thread(target=greet, args=(listener.accept()[0],), daemon=True).start()


main()
