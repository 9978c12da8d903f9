# SPDX-License-Identifier: Apache-2.0
"""A small gRPC client of cratond for the tests: grpcio with the messages that protoc makes of our .proto files."""
import os
import socket
import ssl

import grpc
import craton_hsm_pb2 as pb
import health_pb2
import status_pb2

PKI = os.environ['PKI']
PORT = os.environ['FRONT_PORT']
SO_PIN, USER_PIN = os.environ['SO_PIN'].encode(), os.environ['USER_PIN'].encode()

# Of PKCS#11, what the tests need.
CKU_SO, CKU_USER = 0, 1
CKO_DATA, CKO_PUBLIC_KEY, CKO_PRIVATE_KEY, CKO_SECRET_KEY = 0, 2, 3, 4
CKK_RSA, CKK_EC, CKK_GENERIC_SECRET, CKK_AES = 0, 3, 0x10, 0x1f
CKA_CLASS, CKA_TOKEN, CKA_PRIVATE, CKA_LABEL, CKA_VALUE = 0, 1, 2, 3, 0x11
CKA_KEY_TYPE, CKA_ID, CKA_SENSITIVE, CKA_ENCRYPT, CKA_DECRYPT, CKA_WRAP, CKA_UNWRAP = 0x100, 0x102, 0x103, 0x104, 0x105, 0x106, 0x107
CKA_SIGN, CKA_VERIFY, CKA_DERIVE, CKA_START_DATE, CKA_VALUE_LEN, CKA_EXTRACTABLE = 0x108, 0x10a, 0x10c, 0x110, 0x161, 0x162
CKA_EC_PARAMS, CKA_EC_POINT, CKA_ALLOWED_MECHANISMS, CKA_ALWAYS_AUTHENTICATE = 0x180, 0x181, 0x40000600, 0x202
CKM_EC_KEY_PAIR_GEN, CKM_ECDSA, CKM_ECDSA_SHA256, CKM_ECDH1_DERIVE = 0x1040, 0x1041, 0x1044, 0x1050
CKM_AES_KEY_GEN, CKM_AES_CBC_PAD, CKM_AES_GCM, CKM_AES_KEY_WRAP_PAD = 0x1080, 0x1085, 0x1087, 0x210a
CKM_AES_CTR, CKM_SHA256, CKM_SHA256_HMAC = 0x1086, 0x250, 0x251
CKM_GENERIC_SECRET_KEY_GEN = 0x350
P256 = bytes.fromhex('06082a8648ce3d030107')


def read(name):
    with open(f'{PKI}/{name}', 'rb') as file:
        return file.read()


def credentials(client='alice', root='root.pem'):
    if client is None:
        return grpc.ssl_channel_credentials(read(root))
    return grpc.ssl_channel_credentials(read(root), read(f'{client}.key'), read(f'{client}.pem'))


def channel(client='alice', port=PORT, **options):
    """A connection of its own: grpcio shares them between channels otherwise."""
    options = [('grpc.use_local_subchannel_pool', 1), ('grpc.max_receive_message_length', -1), ('grpc.max_send_message_length', -1)] + list(options.items())
    return grpc.secure_channel(f'localhost:{port}', credentials(client), options)


def hello(client='alice'):
    """A connection that has sent its half of the TLS handshake, and what goes on with it."""
    context = ssl.create_default_context(cafile=f'{PKI}/root.pem')
    context.load_cert_chain(f'{PKI}/{client}.pem', f'{PKI}/{client}.key')
    context.set_alpn_protocols(['h2'])
    received, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(received, sent, server_hostname='localhost')
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    raw = socket.create_connection(('127.0.0.1', int(PORT)), timeout=20)
    raw.sendall(sent.read())
    return raw, tls, received, sent


class Service:
    """The methods of a service, by the descriptor that protoc made."""

    def __init__(self, channel_, service):
        for method in service.methods:
            kind = ('stream' if method.client_streaming else 'unary') + '_' + ('stream' if method.server_streaming else 'unary')
            call = getattr(channel_, kind)(
                f'/{service.full_name}/{method.name}', request_serializer=method.input_type._concrete_class.SerializeToString,
                response_deserializer=method.output_type._concrete_class.FromString)
            setattr(self, method.name, call)


def hsm(channel_):
    return Service(channel_, pb.DESCRIPTOR.services_by_name['HsmService'])


def health(channel_):
    return Service(channel_, health_pb2.DESCRIPTOR.services_by_name['Health'])


def ckr(error):
    """The return value that a failed call carries, three times over."""
    trailers = dict(error.trailing_metadata())
    if 'craton-ckr' not in trailers:
        return None
    status = status_pb2.Status.FromString(trailers['grpc-status-details-bin'])
    detail = pb.ErrorDetail.FromString(status.details[0].value)
    assert status.details[0].type_url.endswith('craton_hsm.ErrorDetail')
    assert status.code == error.code().value[0], (status, error.code())
    assert str(detail.ckr) == trailers['craton-ckr'] and error.details().startswith(detail.name), (detail, trailers, error.details())
    return detail.name


def fails(call, name, code=None):
    """The call fails with this return value (or, when there is none, this status)."""
    try:
        call()
    except grpc.RpcError as error:
        if name is not None:
            assert ckr(error) == name, (ckr(error), error.details())
        if code is not None:
            assert error.code() == code, (error.code(), error.details())
        return error
    raise AssertionError(f'succeeded; {name or code} was expected')


def attribute(type_, value):
    result = pb.Attribute(type=type_)
    if isinstance(value, bool):
        result.flag = value
    elif isinstance(value, int):
        result.number = value
    elif isinstance(value, bytes):
        result.octets = value
    elif isinstance(value, list):
        result.mechanisms.types.extend(value)
    else:
        result.date = value
    return result


def attributes(values):
    return [attribute(type_, value) for type_, value in values.items()]


def mechanism(type_, **parameter):
    return pb.Mechanism(type=type_, **parameter)


def iv(octets):
    return pb.InitializationVector(iv=octets)


def open_session(service, slot=0, read_write=True):
    return service.OpenSession(pb.OpenSessionRequest(slot=slot, read_write=read_write)).session


def login(service, session, user=CKU_USER, pin=USER_PIN):
    service.Login(pb.LoginRequest(session=session, user_type=user, pin=pin))


def ec_pair(service, session, token=False, label=b'ec', private=True, **more):
    pair = service.GenerateKeyPair(pb.GenerateKeyPairRequest(
        session=session, mechanism=mechanism(CKM_EC_KEY_PAIR_GEN),
        public_attributes=attributes({CKA_EC_PARAMS: P256, CKA_TOKEN: token, CKA_VERIFY: True, CKA_LABEL: label, CKA_PRIVATE: False}),
        private_attributes=attributes({CKA_TOKEN: token, CKA_SIGN: True, CKA_LABEL: label, CKA_PRIVATE: private, CKA_DERIVE: True})))
    return pair.public_key, pair.private_key


def aes_key(service, session, label=b'aes', **more):
    values = {CKA_VALUE_LEN: 32, CKA_TOKEN: False, CKA_ENCRYPT: True, CKA_DECRYPT: True, CKA_LABEL: label, CKA_WRAP: True, CKA_UNWRAP: True,
              CKA_EXTRACTABLE: True, CKA_SENSITIVE: False}
    values.update(more.get('values', {}))
    return service.GenerateKey(pb.GenerateKeyRequest(session=session, mechanism=mechanism(CKM_AES_KEY_GEN), attributes=attributes(values))).key
