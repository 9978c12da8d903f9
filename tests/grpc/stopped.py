# SPDX-License-Identifier: Apache-2.0
"""The server's key is in a token whose agent is stopped: handshakes wait for it, and nobody else does. Then they are finished."""
import os
import signal
import socket
import ssl

import hsm

AGENT = int(os.environ['AGENT_PID'])
WAITING = 5


def hello():
    """A connection that has sent its half of the handshake, and what goes on with it."""
    context = ssl.create_default_context(cafile=f'{hsm.PKI}/root.pem')
    context.load_cert_chain(f'{hsm.PKI}/bob.pem', f'{hsm.PKI}/bob.key')
    context.set_alpn_protocols(['h2'])
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, sent, server_hostname='localhost')
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    raw = socket.create_connection(('127.0.0.1', int(hsm.PORT)), timeout=20)
    raw.sendall(sent.read())
    return raw, tls, received, sent


def finish(raw, tls, received, sent):
    while True:
        try:
            tls.do_handshake()
            raw.sendall(sent.read())
            return
        except ssl.SSLWantReadError:
            raw.sendall(sent.read())
        received.write(raw.recv(65536))


def check():
    assert H.Check(hsm.health_pb2.HealthCheckRequest(), timeout=10).status in (1, 2)


H = hsm.health(hsm.channel('bob'))
check()
os.kill(AGENT, signal.SIGSTOP)
try:
    waiting = [hello() for _ in range(WAITING)]
    # After some turns of the loop it has seen all of them.
    for _ in range(20):
        check()
    # One goes away meanwhile.
    waiting.pop()[0].close()
    check()
finally:
    os.kill(AGENT, signal.SIGCONT)
for each in waiting:
    finish(*each)
print(f'{len(waiting)} handshakes')
