# SPDX-License-Identifier: Apache-2.0
"""The limits of cratond, one by one, by clients that keep to no rule: raw HTTP/2 frames over TLS where grpcio would not do it."""
import os
import socket
import ssl
import struct
import sys
import time

import grpc
import hsm
import reflection_pb2
from hsm import pb

PREFACE = b'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 1, 3, 4, 6, 7, 8
ENHANCE_YOUR_CALM = 0xb


def connect(receive_len=None):
    context = ssl.create_default_context(cafile=f'{hsm.PKI}/root.pem')
    context.load_cert_chain(f'{hsm.PKI}/alice.pem', f'{hsm.PKI}/alice.key')
    context.set_alpn_protocols(['h2'])
    raw = socket.socket()
    raw.settimeout(20)
    if receive_len:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_len)
    raw.connect(('127.0.0.1', int(hsm.PORT)))
    return context.wrap_socket(raw, server_hostname='localhost')


def frame(kind, flags=0, stream=0, payload=b''):
    return struct.pack('>I', len(payload))[1:] + bytes([kind, flags]) + struct.pack('>I', stream) + payload


def header(name, value):
    """HPACK's literal without indexing."""
    return b'\0' + bytes([len(name)]) + name + (bytes([len(value)]) if len(value) < 127 else b'\x7f' + integer(len(value) - 127)) + value


def integer(number):
    octets = b''
    while number >= 128:
        octets += bytes([number % 128 + 128])
        number //= 128
    return octets + bytes([number])


def request(path=b'/craton_hsm.HsmService/GenerateRandom', more=b''):
    return b'\x83\x87' + header(b':path', path) + header(b':authority', b'localhost') + header(b'content-type', b'application/grpc') + header(b'te', b'trailers') + more


def frames(connection):
    """What the server says until it ends the connection."""
    octets = b''
    while True:
        try:
            more = connection.recv(65536)
        except (ConnectionError, ssl.SSLError):
            return
        if not more:
            return
        octets += more
        while len(octets) >= 9:
            length = int.from_bytes(octets[:3], 'big')
            if len(octets) < 9 + length:
                break
            yield octets[3], octets[4], int.from_bytes(octets[5:9], 'big'), octets[9:9 + length]
            octets = octets[9 + length:]


def goaway(connection):
    """The error of the GOAWAY that ends the connection."""
    error = None
    for kind, _, _, payload in frames(connection):
        if kind == GOAWAY:
            error = int.from_bytes(payload[4:8], 'big')
    return error


def send(connection, octets):
    try:
        connection.sendall(octets)
    except (ConnectionError, ssl.SSLError):
        pass


def start(receive_len=None):
    connection = connect(receive_len)
    connection.sendall(PREFACE + frame(SETTINGS))
    return connection


def resets():
    connection = start()
    send(connection, b''.join(frame(HEADERS, 4, 2 * i + 1, request()) + frame(RST_STREAM, 0, 2 * i + 1, struct.pack('>I', 8)) for i in range(1000)))
    error = goaway(connection)
    assert error == ENHANCE_YOUR_CALM, error


def made_resets():
    """The same by faults for which the server must cancel."""
    connection = start()
    answers = frames(connection)
    for i in range(60):
        send(connection, frame(HEADERS, 4, 2 * i + 1, request()) + frame(WINDOW_UPDATE, 0, 2 * i + 1, struct.pack('>I', 0x7fffffff)))
        for kind, _, stream, payload in answers:
            if kind == GOAWAY:
                error = int.from_bytes(payload[4:8], 'big')
                assert error == ENHANCE_YOUR_CALM, error
                return
            if kind == RST_STREAM and stream == 2 * i + 1:  # so there are never too many streams at once
                break
    raise AssertionError('the connection is not ended')


def pings():
    connection = start()
    send(connection, b''.join(frame(PING, 0, 0, struct.pack('>Q', i)) for i in range(1000)))
    error = goaway(connection)
    assert error == ENHANCE_YOUR_CALM, error


def settings():
    connection = start()
    send(connection, frame(SETTINGS) * 1000)
    error = goaway(connection)
    assert error == ENHANCE_YOUR_CALM, error


def streams():
    """More calls at once than the limit: the server refuses those beyond, or ends a connection that ignores its settings."""
    connection = start()
    send(connection, b''.join(frame(HEADERS, 4, 2 * i + 1, request()) for i in range(20)))
    refused = 0
    for kind, _, _, payload in frames(connection):
        if kind == RST_STREAM and int.from_bytes(payload, 'big') == 7:
            refused += 1
            if refused == 20 - 8:
                return
        if kind == GOAWAY:
            return
    raise AssertionError(f'{refused} refused')


def headers():
    s = hsm.hsm(hsm.channel())
    error = hsm.fails(lambda: s.HealthCheck(pb.HealthCheckRequest(), metadata=[('x', 'y' * 3000)], timeout=20), None)
    assert error.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INTERNAL), error
    connection = start()
    send(connection, frame(HEADERS, 5, 1, request(more=header(b'x', b'y' * 3000))))
    for kind, flags, stream, payload in frames(connection):
        if kind == HEADERS and stream == 1:
            assert flags & 1, flags
            return
    raise AssertionError('no answer')


def messages():
    s = hsm.hsm(hsm.channel())
    sha = hsm.mechanism(hsm.CKM_SHA256)
    assert s.Digest(pb.DigestRequest(mechanism=sha, data=bytes(60000)), timeout=20).digest
    error = hsm.fails(lambda: s.Digest(pb.DigestRequest(mechanism=sha, data=bytes(70000)), timeout=20), None, grpc.StatusCode.RESOURCE_EXHAUSTED)
    assert 'max_message_size' in error.details(), error.details()
    # A stream has as much as it likes, message by message.
    parts = (pb.DigestStreamRequest(begin=pb.Begin(mechanism=sha) if i == 0 else None, data=bytes(60000)) for i in range(50))
    assert s.DigestStream(parts, timeout=20).digest


def memory():
    """Many messages that never become whole: the connection has a budget for all of them."""
    connection = start()
    path = request(b'/craton_hsm.HsmService/Digest')
    octets = b''
    for i in range(8):
        octets += frame(HEADERS, 4, 2 * i + 1, path)
        octets += frame(0, 0, 2 * i + 1, b'\0' + struct.pack('>I', 60000) + bytes(15000)) + frame(0, 0, 2 * i + 1, bytes(15000))
    send(connection, octets)
    for kind, flags, _, payload in frames(connection):
        if kind == HEADERS and flags & 1:
            return
    raise AssertionError('nothing was refused')


def handshake():
    raw = socket.create_connection(('127.0.0.1', int(hsm.PORT)), timeout=20)
    begun = time.monotonic()
    assert raw.recv(1) == b'' and time.monotonic() - begun < 10


def idle():
    connection = start()
    kinds = [kind for kind, _, _, _ in frames(connection)]
    assert GOAWAY in kinds, kinds


def connections():
    kept = [hsm.channel() for _ in range(4)]
    for each in kept:
        hsm.hsm(each).HealthCheck(pb.HealthCheckRequest(), timeout=20)
    try:
        connect().recv(1)
        raise AssertionError('let in')
    except (ConnectionError, ssl.SSLError, OSError):
        pass
    kept.pop().close()
    deadline = time.monotonic() + 20
    while True:
        try:
            connect().close()
            return
        except (ConnectionError, ssl.SSLError, OSError):
            assert time.monotonic() < deadline, 'no room again'


def random_streams(connection):
    message = pb.GenerateRandomRequest(length=1 << 40).SerializeToString()
    body = b'\0' + struct.pack('>I', len(message)) + message
    for i in range(8):
        send(connection, frame(HEADERS, 4, 2 * i + 1, request(b'/craton_hsm.HsmService/GenerateRandomStream')) + frame(0, 1, 2 * i + 1, body))
        send(connection, frame(WINDOW_UPDATE, 0, 2 * i + 1, struct.pack('>I', 0x3fffffff)))
    send(connection, frame(WINDOW_UPDATE, 0, 0, struct.pack('>I', 0x3fffffff)))


def unread():
    """A client that stops reading holds nobody up."""
    connection = start()
    random_streams(connection)
    s = hsm.hsm(hsm.channel())
    begun = time.monotonic()
    for _ in range(500):
        s.GenerateRandom(pb.GenerateRandomRequest(length=32), timeout=20)
    spent = time.monotonic() - begun
    assert spent < 10, spent
    print(f'# 500 calls beside it took {spent:.2f} s', flush=True)
    held = resident()
    assert held < 100000, f'{held} KiB'
    connection.close()


def resident():
    with open(f'/proc/{os.environ["FRONT_PID"]}/status') as status:
        return [int(line.split()[1]) for line in status if line.startswith('VmRSS')][0]


def server_end(connection):
    """How many octets wait at cratond's end of the connection to be sent; None when it has none. What the kernel still tries to send for it
    has no inode."""
    ends = [f'{port:04X}' for port in (int(hsm.PORT), connection.getsockname()[1])]
    with open('/proc/net/tcp') as sockets:
        for words in (line.split() for line in list(sockets)[1:]):
            if [words[i].split(':')[1] for i in (1, 2)] == ends and words[9] != '0':
                return int(words[4].split(':')[0], 16)
    return None


def until(condition, what):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def stuck():
    """A client that never reads again, with answers on their way to it, is idle like any other, and is not waited for in the end."""
    connection = start(4096)
    random_streams(connection)
    until(lambda: server_end(connection), 'no answer waits')
    until(lambda: server_end(connection) is None, 'it is kept')
    connection.close()


def reflection():
    """Requests of a few octets with answers of many, which nobody reads."""
    connection = start()
    message = reflection_pb2.ServerReflectionRequest(file_containing_symbol='craton_hsm.HsmService').SerializeToString()
    body = (b'\0' + struct.pack('>I', len(message)) + message) * 150
    before = resident()
    connection.settimeout(0.5)
    try:
        for i in range(8):
            connection.sendall(frame(HEADERS, 4, 2 * i + 1, request(b'/grpc.reflection.v1.ServerReflection/ServerReflectionInfo')))
        for _ in range(5):
            connection.sendall(b''.join(frame(0, 0, 2 * i + 1, body) for i in range(8)))
    except OSError:
        pass  # it takes no more: just as well
    # Each is answered in a turn of the loop, which takes in what there is on the other connection.
    s = hsm.hsm(hsm.channel())
    for _ in range(100):
        s.HealthCheck(pb.HealthCheckRequest(), timeout=20)
    grown = resident() - before
    assert grown < 20000, f'{grown} KiB'
    connection.close()


if __name__ == '__main__':
    globals()[sys.argv[1]]()
