# SPDX-License-Identifier: Apache-2.0
"""One client that stays connected while its agent goes away, comes back, and fails its self-tests. It is told what to expect line by line."""
import sys
import threading
import time

import grpc
import hsm
from hsm import pb

CHANNEL = hsm.channel()
S, H = hsm.hsm(CHANNEL), hsm.health(CHANNEL)
TIMEOUT = 10
SEEN = []


def watch():
    try:
        for reply in H.Watch(hsm.health_pb2.HealthCheckRequest()):
            SEEN.append(reply.status)
    except grpc.RpcError:
        pass


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, 'it does not come'
        threading.Event().wait(0.02)


def every_method():
    """Every method of the service, with an empty request."""
    for method in pb.DESCRIPTOR.services_by_name['HsmService'].methods:
        request = method.input_type._concrete_class()
        call = getattr(S, method.name)
        begin = pb.Begin(mechanism=hsm.mechanism(hsm.CKM_SHA256))
        if method.client_streaming:
            request.begin.CopyFrom(begin)
            yield method.name, lambda call=call, request=request: list([call(iter([request]), timeout=TIMEOUT)] if not hasattr(call(iter([request]), timeout=TIMEOUT), '__next__') else call(iter([request]), timeout=TIMEOUT))
        else:
            yield method.name, lambda call=call, request=request: [call(request, timeout=TIMEOUT)] if not method.server_streaming else list(call(request, timeout=TIMEOUT))


def serving():
    until(lambda: SEEN and SEEN[-1] == 1)
    assert S.HealthCheck(pb.HealthCheckRequest(), timeout=TIMEOUT).serving
    global session
    session = hsm.open_session(S)
    assert len(S.GenerateRandom(pb.GenerateRandomRequest(session=session, length=8), timeout=TIMEOUT).random) == 8


def down():
    until(lambda: SEEN[-1] == 2)
    assert H.Check(hsm.health_pb2.HealthCheckRequest(), timeout=TIMEOUT).status == 2
    for name, call in every_method():
        error = hsm.fails(call, None)
        # Those that name a session are told that there is none: it went with the agent.
        if hsm.ckr(error) != 'CKR_SESSION_HANDLE_INVALID':
            assert error.code() == grpc.StatusCode.UNAVAILABLE, (name, error.code(), error.details())


def error():
    until(lambda: SEEN[-1] == 2)
    assert H.Check(hsm.health_pb2.HealthCheckRequest(), timeout=TIMEOUT).status == 2
    for name, call in every_method():
        error_ = hsm.fails(call, None)
        assert error_.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNAVAILABLE), (name, error_.code(), error_.details())
    error_ = hsm.fails(lambda: S.HealthCheck(pb.HealthCheckRequest(), timeout=TIMEOUT), None, grpc.StatusCode.INTERNAL)
    assert 'self-test' in error_.details(), error_.details()


def back():
    until(lambda: SEEN[-1] == 1)
    # The session is gone with the agent that it was in.
    hsm.fails(lambda: S.GenerateRandom(pb.GenerateRandomRequest(session=session, length=8), timeout=TIMEOUT), 'CKR_SESSION_HANDLE_INVALID')
    serving()


threading.Thread(target=watch, daemon=True).start()
for line in sys.stdin:
    try:
        globals()[line.strip()]()
        print('ok', flush=True)
    except Exception as problem:  # the line is the result
        print('not ok', repr(problem).replace('\n', ' '), flush=True)
