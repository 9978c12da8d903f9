# SPDX-License-Identifier: Apache-2.0
"""Every method of every service once, as it should go and with what it refuses. Prints the name of each part that held."""
import hashlib
import sys

import grpc
import hsm
from hsm import pb


def part(function):
    """One line per part: ok or why not; the test script turns them into results."""
    try:
        function()
        print('ok', function.__name__.replace('_', ' '), flush=True)
    except Exception as error:  # the line is the result
        print('not ok', function.__name__.replace('_', ' '), repr(error).replace('\n', ' '), flush=True)


CHANNEL = hsm.channel()
S = hsm.hsm(CHANNEL)
TIMEOUT = 30


def tokens_and_pins():
    hsm.fails(lambda: S.OpenSession(pb.OpenSessionRequest(slot=1), timeout=TIMEOUT), 'CKR_TOKEN_NOT_PRESENT', grpc.StatusCode.FAILED_PRECONDITION)
    hsm.fails(lambda: S.OpenSession(pb.OpenSessionRequest(slot=77), timeout=TIMEOUT), 'CKR_SLOT_ID_INVALID', grpc.StatusCode.NOT_FOUND)
    S.InitToken(pb.InitTokenRequest(slot=1, pin=hsm.SO_PIN, label=b'remote'), timeout=TIMEOUT)
    info = S.GetTokenInfo(pb.GetTokenInfoRequest(slot=1), timeout=TIMEOUT)
    assert info.label.rstrip() == b'remote' and info.min_pin_len == 8, info
    # A session of the pool must not be in the SO's way.
    assert len(S.GenerateRandom(pb.GenerateRandomRequest(slot=1, length=16), timeout=TIMEOUT).random) == 16
    session = hsm.open_session(S, 1)
    hsm.login(S, session, hsm.CKU_SO, hsm.SO_PIN)
    S.InitPIN(pb.InitPINRequest(session=session, pin=hsm.USER_PIN), timeout=TIMEOUT)
    S.Logout(pb.LogoutRequest(session=session), timeout=TIMEOUT)
    hsm.fails(lambda: S.Logout(pb.LogoutRequest(session=session), timeout=TIMEOUT), 'CKR_USER_NOT_LOGGED_IN')
    hsm.login(S, session)
    S.SetPIN(pb.SetPINRequest(session=session, old_pin=hsm.USER_PIN, new_pin=b'another-pin-000'), timeout=TIMEOUT)
    hsm.fails(lambda: S.SetPIN(pb.SetPINRequest(session=session, old_pin=b'another-pin-000', new_pin=b'x'), timeout=TIMEOUT), 'CKR_PIN_LEN_RANGE')
    S.Logout(pb.LogoutRequest(session=session), timeout=TIMEOUT)
    error = hsm.fails(lambda: S.Login(pb.LoginRequest(session=session, user_type=1, pin=hsm.USER_PIN), timeout=TIMEOUT), 'CKR_PIN_INCORRECT',
                      grpc.StatusCode.UNAUTHENTICATED)
    assert 'PIN is wrong' in error.details()
    hsm.fails(lambda: S.Login(pb.LoginRequest(session=session, user_type=2, pin=hsm.USER_PIN), timeout=TIMEOUT), 'CKR_USER_TYPE_INVALID')
    S.CloseSession(pb.CloseSessionRequest(session=session), timeout=TIMEOUT)
    hsm.fails(lambda: S.CloseSession(pb.CloseSessionRequest(session=session), timeout=TIMEOUT), 'CKR_SESSION_HANDLE_INVALID', grpc.StatusCode.NOT_FOUND)
    # Again, though the pool may have a session: it must not be in the way of initialising, either.
    assert len(S.GenerateRandom(pb.GenerateRandomRequest(slot=1, length=16), timeout=TIMEOUT).random) == 16
    S.InitToken(pb.InitTokenRequest(slot=1, pin=hsm.SO_PIN, label=b'again'), timeout=TIMEOUT)


SESSION = hsm.open_session(S)
hsm.login(S, SESSION)


def signing_and_verifying():
    public, private = hsm.ec_pair(S, SESSION)
    for session in SESSION, 0:
        sign = hsm.mechanism(hsm.CKM_ECDSA_SHA256)
        signature = S.Sign(pb.SignRequest(session=session, mechanism=sign, key=private, data=b'data'), timeout=TIMEOUT).signature
        assert len(signature) == 64
        verify = pb.VerifyRequest(session=session, mechanism=sign, key=public, data=b'data', signature=signature)
        assert S.Verify(verify, timeout=TIMEOUT).valid
        verify.data = b'other'
        reply = S.Verify(verify, timeout=TIMEOUT)
        assert not reply.valid and reply.ckr == 0xc0, reply
        verify.signature = b'short'
        assert S.Verify(verify, timeout=TIMEOUT).ckr == 0xc1
    hsm.fails(lambda: S.Sign(pb.SignRequest(session=SESSION, mechanism=sign, key=public, data=b'x'), timeout=TIMEOUT), 'CKR_KEY_FUNCTION_NOT_PERMITTED', grpc.StatusCode.PERMISSION_DENIED)
    hsm.fails(lambda: S.Sign(pb.SignRequest(session=SESSION, mechanism=hsm.mechanism(0x7777), key=private, data=b'x'), timeout=TIMEOUT), 'CKR_MECHANISM_INVALID')
    hsm.fails(lambda: S.Sign(pb.SignRequest(session=SESSION, key=private, data=b'x'), timeout=TIMEOUT), 'CKR_MECHANISM_INVALID')
    # A failure leaves nothing behind in the session.
    assert S.Sign(pb.SignRequest(session=SESSION, mechanism=sign, key=private, data=b'data'), timeout=TIMEOUT).signature


def sixty_signatures_at_once_on_one_session():
    public, private = hsm.ec_pair(S, SESSION)
    sign = hsm.mechanism(hsm.CKM_ECDSA_SHA256)
    for session in SESSION, 0:
        calls = [S.Sign.future(pb.SignRequest(session=session, mechanism=sign, key=private, data=b'%d' % i), timeout=TIMEOUT) for i in range(60)]
        for i, call in enumerate(calls):
            verify = pb.VerifyRequest(mechanism=sign, key=public, data=b'%d' % i, signature=call.result().signature)
            assert S.Verify(verify, timeout=TIMEOUT).valid


def encrypting_and_decrypting():
    key = hsm.aes_key(S, SESSION)
    for mechanism in hsm.mechanism(hsm.CKM_AES_CBC_PAD, initialization_vector=hsm.iv(bytes(16))), \
            hsm.mechanism(hsm.CKM_AES_GCM, gcm=pb.Gcm(iv=bytes(12), aad=b'aad', tag_bits=128)), \
            hsm.mechanism(hsm.CKM_AES_CTR, counter=pb.Counter(counter_bits=128, block=bytes(16))):
        for data in b'', b'some data', bytes(100000):
            sealed = S.Encrypt(pb.EncryptRequest(session=SESSION, mechanism=mechanism, key=key, data=data), timeout=TIMEOUT).data
            assert not data or sealed[:len(data)] != data
            assert S.Decrypt(pb.DecryptRequest(slot=0, mechanism=mechanism, key=key, data=sealed), timeout=TIMEOUT).data == data
    hsm.fails(lambda: S.Encrypt(pb.EncryptRequest(session=SESSION, mechanism=hsm.mechanism(hsm.CKM_AES_CBC_PAD), key=key, data=b'x'), timeout=TIMEOUT),
              'CKR_MECHANISM_PARAM_INVALID', grpc.StatusCode.INVALID_ARGUMENT)
    wrong = hsm.mechanism(hsm.CKM_AES_CBC_PAD, pss=pb.Pss(hash=1))
    hsm.fails(lambda: S.Encrypt(pb.EncryptRequest(session=SESSION, mechanism=wrong, key=key, data=b'x'), timeout=TIMEOUT), 'CKR_MECHANISM_PARAM_INVALID')
    gcm = hsm.mechanism(hsm.CKM_AES_GCM, gcm=pb.Gcm(iv=bytes(12), tag_bits=128))
    hsm.fails(lambda: S.Decrypt(pb.DecryptRequest(session=SESSION, mechanism=gcm, key=key, data=bytes(40)), timeout=TIMEOUT), 'CKR_ENCRYPTED_DATA_INVALID')


def digesting():
    for data in b'', b'abc', bytes(1000000):
        reply = S.Digest(pb.DigestRequest(session=SESSION, mechanism=hsm.mechanism(hsm.CKM_SHA256), data=data), timeout=TIMEOUT)
        assert reply.digest == hashlib.sha256(data).digest()


def finding_and_reading_objects():
    keys = {hsm.aes_key(S, SESSION, b'found') for _ in range(5)}
    find = pb.FindObjectsRequest(session=SESSION, attributes=hsm.attributes({hsm.CKA_LABEL: b'found'}))
    assert set(S.FindObjects(find, timeout=TIMEOUT).objects) == keys
    find.max_objects = 3
    assert len(S.FindObjects(find, timeout=TIMEOUT).objects) == 3
    find.max_objects, find.session = 5000, 0
    assert set(S.FindObjects(find, timeout=TIMEOUT).objects) == keys
    find.attributes[0].octets = b'nothing of this name'
    assert not S.FindObjects(find, timeout=TIMEOUT).objects
    key = keys.pop()
    get = pb.GetAttributeValueRequest(session=SESSION, object=key, types=[hsm.CKA_LABEL, hsm.CKA_KEY_TYPE, hsm.CKA_TOKEN, hsm.CKA_START_DATE, hsm.CKA_VALUE])
    reply = S.GetAttributeValue(get, timeout=TIMEOUT)
    label, kind, token, date, value = reply.attributes
    assert (label.octets, kind.number, token.flag, date.date, len(value.octets), reply.ckr) == (b'found', hsm.CKK_AES, False, '', 32, 0), reply
    get.types.append(hsm.CKA_EC_POINT)
    reply = S.GetAttributeValue(get, timeout=TIMEOUT)
    assert reply.ckr == 0x12 and reply.attributes[5].unavailable == 0x12 and reply.attributes[0].octets == b'found', reply
    _, private = hsm.ec_pair(S, SESSION)
    reply = S.GetAttributeValue(pb.GetAttributeValueRequest(object=private, types=[hsm.CKA_VALUE, hsm.CKA_LABEL]), timeout=TIMEOUT)
    assert reply.ckr == 0x11 and reply.attributes[0].unavailable == 0x11 and reply.attributes[1].octets == b'ec', reply
    hsm.fails(lambda: S.GetAttributeValue(pb.GetAttributeValueRequest(object=4242, types=[0]), timeout=TIMEOUT), 'CKR_OBJECT_HANDLE_INVALID')


def copying_and_destroying():
    key = hsm.aes_key(S, SESSION)
    copy = S.CopyObject(pb.CopyObjectRequest(session=SESSION, object=key, attributes=hsm.attributes({hsm.CKA_LABEL: b'copy'})), timeout=TIMEOUT).object
    assert copy != key
    S.DestroyObject(pb.DestroyObjectRequest(session=SESSION, object=copy), timeout=TIMEOUT)
    hsm.fails(lambda: S.DestroyObject(pb.DestroyObjectRequest(session=SESSION, object=copy), timeout=TIMEOUT), 'CKR_OBJECT_HANDLE_INVALID')
    hsm.fails(lambda: S.CopyObject(pb.CopyObjectRequest(session=SESSION, object=key, attributes=hsm.attributes({hsm.CKA_CLASS: 4})), timeout=TIMEOUT),
              'CKR_ATTRIBUTE_READ_ONLY', grpc.StatusCode.PERMISSION_DENIED)


def attributes_of_the_wrong_form():
    for value in b'octets', 'not a date', 5, [1]:
        values = hsm.attributes({hsm.CKA_VALUE_LEN: 16}) + [hsm.attribute(hsm.CKA_TOKEN, value)]
        request = pb.GenerateKeyRequest(session=SESSION, mechanism=hsm.mechanism(hsm.CKM_AES_KEY_GEN), attributes=values)
        hsm.fails(lambda: S.GenerateKey(request, timeout=TIMEOUT), 'CKR_ATTRIBUTE_VALUE_INVALID', grpc.StatusCode.INVALID_ARGUMENT)
    many = pb.GenerateKeyRequest(session=SESSION, mechanism=hsm.mechanism(hsm.CKM_AES_KEY_GEN), attributes=[hsm.attribute(hsm.CKA_LABEL, b'')] * 200)
    hsm.fails(lambda: S.GenerateKey(many, timeout=TIMEOUT), 'CKR_ARGUMENTS_BAD')
    nested = pb.Attribute(type=0x40000211, attributes=pb.Attributes(attributes=hsm.attributes({hsm.CKA_SIGN: True})))
    allowed = hsm.attribute(hsm.CKA_ALLOWED_MECHANISMS, [hsm.CKM_AES_CBC_PAD])
    key = S.GenerateKey(pb.GenerateKeyRequest(session=SESSION, mechanism=hsm.mechanism(hsm.CKM_AES_KEY_GEN),
                                              attributes=hsm.attributes({hsm.CKA_VALUE_LEN: 16, hsm.CKA_START_DATE: '20200101', hsm.CKA_WRAP: True}) + [nested, allowed]),
                        timeout=TIMEOUT).key
    reply = S.GetAttributeValue(pb.GetAttributeValueRequest(object=key, types=[0x40000211, hsm.CKA_ALLOWED_MECHANISMS, hsm.CKA_START_DATE]), timeout=TIMEOUT)
    assert reply.attributes[0].attributes.attributes[0].flag and list(reply.attributes[1].mechanisms.types) == [hsm.CKM_AES_CBC_PAD], reply
    assert reply.attributes[2].date == '20200101', reply


def wrapping_and_unwrapping():
    key, wrapper = hsm.aes_key(S, SESSION), hsm.aes_key(S, SESSION)
    mechanism = hsm.mechanism(hsm.CKM_AES_KEY_WRAP_PAD)
    wrapped = S.WrapKey(pb.WrapKeyRequest(session=SESSION, mechanism=mechanism, wrapping_key=wrapper, key=key), timeout=TIMEOUT).wrapped_key
    assert len(wrapped) == 40, len(wrapped)
    values = hsm.attributes({hsm.CKA_CLASS: hsm.CKO_SECRET_KEY, hsm.CKA_KEY_TYPE: hsm.CKK_AES, hsm.CKA_DECRYPT: True})
    again = S.UnwrapKey(pb.UnwrapKeyRequest(session=SESSION, mechanism=mechanism, unwrapping_key=wrapper, wrapped_key=wrapped, attributes=values), timeout=TIMEOUT).key
    cbc = hsm.mechanism(hsm.CKM_AES_CBC_PAD, initialization_vector=hsm.iv(bytes(16)))
    sealed = S.Encrypt(pb.EncryptRequest(session=SESSION, mechanism=cbc, key=key, data=b'same'), timeout=TIMEOUT).data
    assert S.Decrypt(pb.DecryptRequest(session=SESSION, mechanism=cbc, key=again, data=sealed), timeout=TIMEOUT).data == b'same'
    bad = pb.UnwrapKeyRequest(session=SESSION, mechanism=mechanism, unwrapping_key=wrapper, wrapped_key=bytes(40), attributes=values)
    hsm.fails(lambda: S.UnwrapKey(bad, timeout=TIMEOUT), 'CKR_WRAPPED_KEY_INVALID')
    hidden = hsm.aes_key(S, SESSION, values={hsm.CKA_EXTRACTABLE: False, hsm.CKA_SENSITIVE: True})
    hsm.fails(lambda: S.WrapKey(pb.WrapKeyRequest(session=SESSION, mechanism=mechanism, wrapping_key=wrapper, key=hidden), timeout=TIMEOUT),
              'CKR_KEY_UNEXTRACTABLE', grpc.StatusCode.PERMISSION_DENIED)


def deriving():
    (public_a, private_a), (public_b, private_b) = hsm.ec_pair(S, SESSION), hsm.ec_pair(S, SESSION)
    point = {public: S.GetAttributeValue(pb.GetAttributeValueRequest(object=public, types=[hsm.CKA_EC_POINT]), timeout=TIMEOUT).attributes[0].octets
             for public in (public_a, public_b)}
    values = hsm.attributes({hsm.CKA_CLASS: hsm.CKO_SECRET_KEY, hsm.CKA_KEY_TYPE: hsm.CKK_GENERIC_SECRET, hsm.CKA_VALUE_LEN: 32,
                             hsm.CKA_SENSITIVE: False, hsm.CKA_EXTRACTABLE: True})
    secrets = []
    for private, public in (private_a, public_b), (private_b, public_a):
        ecdh = hsm.mechanism(hsm.CKM_ECDH1_DERIVE, ecdh1=pb.Ecdh1(kdf=1, public_data=point[public]))
        key = S.DeriveKey(pb.DeriveKeyRequest(session=SESSION, mechanism=ecdh, base_key=private, attributes=values), timeout=TIMEOUT).key
        secrets.append(S.GetAttributeValue(pb.GetAttributeValueRequest(object=key, types=[hsm.CKA_VALUE]), timeout=TIMEOUT).attributes[0].octets)
    assert secrets[0] == secrets[1] and len(secrets[0]) == 32


def random_octets():
    for length in 0, 1, 32, 200000:
        assert len(S.GenerateRandom(pb.GenerateRandomRequest(session=SESSION, length=length), timeout=TIMEOUT).random) == length
    hsm.fails(lambda: S.GenerateRandom(pb.GenerateRandomRequest(length=1 << 40), timeout=TIMEOUT), 'CKR_ARGUMENTS_BAD')


def streams():
    data = bytes(range(256)) * 1000
    parts = [data[i:i + 10007] for i in range(0, len(data), 10007)]
    begin = lambda **fields: pb.Begin(session=SESSION, **fields)
    sha = hsm.mechanism(hsm.CKM_SHA256)
    digest = S.DigestStream((pb.DigestStreamRequest(begin=begin(mechanism=sha) if i == 0 else None, data=p) for i, p in enumerate(parts)), timeout=TIMEOUT)
    assert digest.digest == hashlib.sha256(data).digest()
    public, private = hsm.ec_pair(S, SESSION)
    sign = hsm.mechanism(hsm.CKM_ECDSA_SHA256)
    signature = S.SignStream((pb.SignStreamRequest(begin=begin(mechanism=sign, key=private) if i == 0 else None, data=p) for i, p in enumerate(parts)),
                             timeout=TIMEOUT).signature
    for last, valid in (signature, True), (bytes(64), False):
        verify = [pb.VerifyStreamRequest(begin=begin(mechanism=sign, key=public) if i == 0 else None, data=p) for i, p in enumerate(parts)]
        verify.append(pb.VerifyStreamRequest(signature=last))
        assert S.VerifyStream(iter(verify), timeout=TIMEOUT).valid == valid
    key = hsm.aes_key(S, SESSION)
    cbc = hsm.mechanism(hsm.CKM_AES_CBC_PAD, initialization_vector=hsm.iv(bytes(16)))
    sealed = b''.join(r.data for r in S.EncryptStream(
        (pb.EncryptStreamRequest(begin=begin(mechanism=cbc, key=key) if i == 0 else None, data=p) for i, p in enumerate(parts)), timeout=TIMEOUT))
    assert len(sealed) == len(data) + 16 - len(data) % 16
    opened = b''.join(r.data for r in S.DecryptStream(iter([pb.DecryptStreamRequest(begin=begin(mechanism=cbc, key=key)), pb.DecryptStreamRequest(data=sealed)]),
                                                      timeout=TIMEOUT))
    assert opened == data
    assert sum(len(r.random) for r in S.GenerateRandomStream(pb.GenerateRandomRequest(length=5000000), timeout=TIMEOUT)) == 5000000
    hsm.fails(lambda: S.DigestStream(iter([]), timeout=TIMEOUT), None, grpc.StatusCode.INVALID_ARGUMENT)
    hsm.fails(lambda: S.DigestStream(iter([pb.DigestStreamRequest(data=b'x')]), timeout=TIMEOUT), None, grpc.StatusCode.INVALID_ARGUMENT)
    twice = [pb.DigestStreamRequest(begin=begin(mechanism=sha)), pb.DigestStreamRequest(begin=begin(mechanism=sha))]
    hsm.fails(lambda: S.DigestStream(iter(twice), timeout=TIMEOUT), None, grpc.StatusCode.INVALID_ARGUMENT)
    # What failed has left nothing behind in the session.
    assert S.Digest(pb.DigestRequest(session=SESSION, mechanism=sha, data=b''), timeout=TIMEOUT).digest


def a_cancelled_stream_frees_its_session():
    import queue
    messages = queue.Queue()
    messages.put(pb.EncryptStreamRequest(begin=pb.Begin(session=SESSION, key=hsm.aes_key(S, SESSION), mechanism=hsm.mechanism(
        hsm.CKM_AES_CBC_PAD, initialization_vector=hsm.iv(bytes(16)))), data=bytes(64)))
    call = S.EncryptStream(iter(messages.get, None), timeout=TIMEOUT)
    next(call)
    waiting = S.Digest.future(pb.DigestRequest(session=SESSION, mechanism=hsm.mechanism(hsm.CKM_SHA256)), timeout=TIMEOUT)
    call.cancel()
    assert waiting.result().digest
    messages.put(None)


def context_specific_pin():
    pair = S.GenerateKeyPair(pb.GenerateKeyPairRequest(
        session=SESSION, mechanism=hsm.mechanism(hsm.CKM_EC_KEY_PAIR_GEN), public_attributes=hsm.attributes({hsm.CKA_EC_PARAMS: hsm.P256}),
        private_attributes=hsm.attributes({hsm.CKA_SIGN: True, hsm.CKA_ALWAYS_AUTHENTICATE: True, hsm.CKA_PRIVATE: True})), timeout=TIMEOUT)
    sign = pb.SignRequest(session=SESSION, mechanism=hsm.mechanism(hsm.CKM_ECDSA_SHA256), key=pair.private_key, data=b'x')
    hsm.fails(lambda: S.Sign(sign, timeout=TIMEOUT), 'CKR_USER_NOT_LOGGED_IN')
    sign.context_pin = hsm.USER_PIN
    assert S.Sign(sign, timeout=TIMEOUT).signature
    sign.context_pin = b''
    hsm.fails(lambda: S.Sign(sign, timeout=TIMEOUT), 'CKR_USER_NOT_LOGGED_IN')


def health():
    h = hsm.health(CHANNEL)
    known = hsm.health_pb2.HealthCheckRequest
    assert h.Check(known(), timeout=TIMEOUT).status == 1 and h.Check(known(service='craton_hsm.HsmService'), timeout=TIMEOUT).status == 1
    hsm.fails(lambda: h.Check(known(service='other'), timeout=TIMEOUT), None, grpc.StatusCode.NOT_FOUND)
    watch = h.Watch(known(), timeout=TIMEOUT)
    assert next(watch).status == 1
    watch.cancel()
    assert next(h.Watch(known(service='other'), timeout=TIMEOUT)).status == 3
    reply = S.HealthCheck(pb.HealthCheckRequest(), timeout=TIMEOUT)
    assert reply.serving and reply.state == 'OPERATIONAL' and reply.version


def what_grpc_itself_refuses():
    unknown = CHANNEL.unary_unary('/craton_hsm.HsmService/Nothing')
    hsm.fails(lambda: unknown(b'', timeout=TIMEOUT), None, grpc.StatusCode.UNIMPLEMENTED)
    garbage = CHANNEL.unary_unary('/craton_hsm.HsmService/Sign')
    hsm.fails(lambda: garbage(b'\xff\xff\xff', timeout=TIMEOUT), None, grpc.StatusCode.INVALID_ARGUMENT)
    hsm.fails(lambda: S.Digest(pb.DigestRequest(mechanism=hsm.mechanism(hsm.CKM_SHA256), data=b'x' * 100), compression=grpc.Compression.Gzip, timeout=TIMEOUT),
              None, grpc.StatusCode.UNIMPLEMENTED)
    # The SO's wrong PIN is answered after a pause, so that the deadline comes first.
    session = hsm.open_session(S, 1)
    hsm.fails(lambda: S.Login(pb.LoginRequest(session=session, user_type=0, pin=b'wrong-pin-1234'), timeout=0.05), None, grpc.StatusCode.DEADLINE_EXCEEDED)
    S.CloseSession(pb.CloseSessionRequest(session=session), timeout=TIMEOUT)


def another_connection_is_another_application():
    other = hsm.channel()
    o = hsm.hsm(other)
    key = hsm.aes_key(S, SESSION, b'mine')
    hsm.fails(lambda: o.CloseSession(pb.CloseSessionRequest(session=SESSION), timeout=TIMEOUT), 'CKR_SESSION_HANDLE_INVALID')
    find = pb.FindObjectsRequest(attributes=hsm.attributes({hsm.CKA_LABEL: b'mine'}))
    assert list(S.FindObjects(find, timeout=TIMEOUT).objects) == [key]
    assert not o.FindObjects(find, timeout=TIMEOUT).objects
    session = hsm.open_session(o)
    request = pb.GenerateKeyRequest(session=session, mechanism=hsm.mechanism(hsm.CKM_AES_KEY_GEN),
                                    attributes=hsm.attributes({hsm.CKA_VALUE_LEN: 16, hsm.CKA_PRIVATE: True}))
    hsm.fails(lambda: o.GenerateKey(request, timeout=TIMEOUT), 'CKR_USER_NOT_LOGGED_IN', grpc.StatusCode.UNAUTHENTICATED)
    other.close()


for function in (tokens_and_pins, signing_and_verifying, sixty_signatures_at_once_on_one_session, encrypting_and_decrypting, digesting,
                 finding_and_reading_objects, copying_and_destroying, attributes_of_the_wrong_form, wrapping_and_unwrapping, deriving, random_octets, streams,
                 a_cancelled_stream_frees_its_session, context_specific_pin, health, another_connection_is_another_application, what_grpc_itself_refuses):
    part(function)
sys.stdout.flush()
