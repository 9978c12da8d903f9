# SPDX-License-Identifier: Apache-2.0
"""A client that knows nothing of our .proto files: it learns the services by reflection (both versions), and calls what it learnt."""
import sys

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

import hsm
import reflection_pb2
import reflection_v1alpha_pb2

CHANNEL = hsm.channel()


def ask(module, *requests):
    service = hsm.Service(CHANNEL, module.DESCRIPTOR.services_by_name['ServerReflection'])
    return list(service.ServerReflectionInfo((module.ServerReflectionRequest(**request) for request in requests), timeout=20))


for module in reflection_pb2, reflection_v1alpha_pb2:
    listed, by_symbol, by_name, missing, extension, empty = ask(
        module, {'list_services': ''}, {'file_containing_symbol': 'craton_hsm.HsmService.Sign'}, {'file_by_filename': 'health.proto'},
        {'file_containing_symbol': 'craton_hsm.Nothing'}, {'all_extension_numbers_of_type': 'craton_hsm.SignRequest'}, {})
    names = {service.name for service in listed.list_services_response.service}
    assert names == {'craton_hsm.HsmService', 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'}, names
    assert by_symbol.original_request.file_containing_symbol == 'craton_hsm.HsmService.Sign'
    assert missing.error_response.error_code == 5 and extension.error_response.error_code == 5 and empty.error_response.error_code == 3
    pool = descriptor_pool.DescriptorPool()
    for reply in by_symbol, by_name:
        for octets in reply.file_descriptor_response.file_descriptor_proto:
            pool.Add(descriptor_pb2.FileDescriptorProto.FromString(octets))
    factory = message_factory.MessageFactory(pool)

    def call(service, method, **fields):
        found = pool.FindServiceByName(service).FindMethodByName(method)
        request, reply = factory.GetPrototype(found.input_type), factory.GetPrototype(found.output_type)
        return CHANNEL.unary_unary(f'/{service}/{method}', request_serializer=request.SerializeToString, response_deserializer=reply.FromString)(
            request(**fields), timeout=20)

    assert len(call('craton_hsm.HsmService', 'GenerateRandom', length=32).random) == 32
    assert call('grpc.health.v1.Health', 'Check').status == 1
    for name in names:
        assert ask(module, {'file_containing_symbol': name})[0].file_descriptor_response.file_descriptor_proto, name
sys.stdout.write('reflected\n')
