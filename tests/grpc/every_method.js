// SPDX-License-Identifier: Apache-2.0
// @grpc/grpc-js through every method of HsmService, with a client certificate. The messages are those that the server's reflection gives, so
// nothing of our .proto files is needed but reflection's own.
'use strict';
const fs = require('fs'), assert = require('assert'), crypto = require('crypto');
const grpc = require('@grpc/grpc-js'), loader = require('@grpc/proto-loader');

const pki = name => fs.readFileSync(`${process.env.PKI}/${name}`);
const address = `localhost:${process.env.FRONT_PORT}`;
const credentials = grpc.credentials.createSsl(pki('root.pem'), pki('alice.key'), pki('alice.pem'));
const options = { longs: Number, keepCase: true, defaults: true };
const deadline = () => ({ deadline: Date.now() + 30000 });

function reflect(symbol) {
	const file = loader.loadSync(`${process.env.TOP}/agent/grpc/reflection.proto`, options);
	const Reflection = grpc.loadPackageDefinition(file).grpc.reflection.v1.ServerReflection;
	const client = new Reflection(address, credentials);
	return new Promise((resolve, reject) => {
		const call = client.ServerReflectionInfo(deadline());
		call.on('data', reply => { resolve(reply.file_descriptor_response.file_descriptor_proto); client.close(); });
		call.on('error', reject);
		call.write({ file_containing_symbol: symbol });
		call.end();
	});
}

// A FileDescriptorSet of one file: the field 1 and its length before it.
function asSet(file) {
	const length = [];
	for (let n = file.length; ; n >>>= 7) {
		if (n < 128) { length.push(n); break; }
		length.push(n & 127 | 128);
	}
	return Buffer.concat([Buffer.from([10, ...length]), file]);
}

async function main() {
	const [file] = await reflect('craton_hsm.HsmService');
	const { HsmService } = grpc.loadPackageDefinition(loader.loadFileDescriptorSetFromBuffer(asSet(file), options)).craton_hsm;
	const client = new HsmService(address, credentials);
	const called = new Set();
	const unary = (name, request) => new Promise((resolve, reject) => {
		called.add(name);
		client[name](request, deadline(), (error, reply) => error ? reject(error) : resolve(reply));
	});
	const upload = (name, requests) => new Promise((resolve, reject) => {
		called.add(name);
		const call = client[name](deadline(), (error, reply) => error ? reject(error) : resolve(reply));
		for (const request of requests) call.write(request);
		call.end();
	});
	const collect = (call, requests) => new Promise((resolve, reject) => {
		const parts = [];
		call.on('data', reply => parts.push(reply.data || reply.random));
		call.on('error', reject);
		call.on('end', () => resolve(Buffer.concat(parts)));
		for (const request of requests) call.write(request);
		if (requests.length) call.end();
	});
	const both = (name, requests) => { called.add(name); return collect(client[name](deadline()), requests); };
	const octets = (type, value) => ({ type, octets: Buffer.from(value) }), number = (type, value) => ({ type, number: value }), flag = (type, value) => ({ type, flag: value });

	const so = Buffer.from(process.env.SO_PIN), user = Buffer.from(process.env.USER_PIN);
	await unary('InitToken', { slot: 1, pin: so, label: Buffer.from('by node') });
	assert((await unary('GetTokenInfo', { slot: 1 })).label.toString().startsWith('by node'));
	const { session } = await unary('OpenSession', { slot: 1, read_write: true });
	await unary('Login', { session, user_type: 0, pin: so });
	await unary('InitPIN', { session, pin: Buffer.from('first-pin-0000') });
	await unary('Logout', { session });
	await unary('Login', { session, user_type: 1, pin: Buffer.from('first-pin-0000') });
	await unary('SetPIN', { session, old_pin: Buffer.from('first-pin-0000'), new_pin: user });

	const pair = await unary('GenerateKeyPair', { session, mechanism: { type: 0x1040 },
		public_attributes: [octets(0x180, Buffer.from('06082a8648ce3d030107', 'hex'))], private_attributes: [flag(0x108, true), flag(0x10c, true)] });
	const ecdsa = { type: 0x1044 }, data = crypto.randomBytes(300000), half = [data.subarray(0, 150000), data.subarray(150000)];
	const { signature } = await unary('Sign', { session, mechanism: ecdsa, key: pair.private_key, data });
	assert((await unary('Verify', { session, mechanism: ecdsa, key: pair.public_key, data, signature })).valid);
	assert(!(await unary('Verify', { session, mechanism: ecdsa, key: pair.public_key, data: Buffer.from('x'), signature })).valid);
	const signed = await upload('SignStream', [{ begin: { session, mechanism: ecdsa, key: pair.private_key }, data: half[0] }, { data: half[1] }]);
	assert((await upload('VerifyStream', [{ begin: { session, mechanism: ecdsa, key: pair.public_key }, data: half[0] }, { data: half[1], signature: signed.signature }])).valid);

	const template = [number(0x161, 32), flag(0x104, true), flag(0x105, true), flag(0x106, true), flag(0x107, true), flag(0x162, true), octets(3, 'node')];
	const { key } = await unary('GenerateKey', { session, mechanism: { type: 0x1080 }, attributes: template });
	const cbc = { type: 0x1085, initialization_vector: { iv: Buffer.alloc(16) } };
	const sealed = (await unary('Encrypt', { session, mechanism: cbc, key, data })).data;
	assert((await unary('Decrypt', { session, mechanism: cbc, key, data: sealed })).data.equals(data));
	assert((await both('EncryptStream', [{ begin: { session, mechanism: cbc, key }, data: half[0] }, { data: half[1] }])).equals(sealed));
	assert((await both('DecryptStream', [{ begin: { session, mechanism: cbc, key } }, { data: sealed }])).equals(data));
	const hash = crypto.createHash('sha256').update(data).digest();
	assert((await unary('Digest', { session, mechanism: { type: 0x250 }, data })).digest.equals(hash));
	assert((await upload('DigestStream', [{ begin: { session, mechanism: { type: 0x250 } }, data: half[0] }, { data: half[1] }])).digest.equals(hash));

	const { object } = await unary('CopyObject', { session, object: key, attributes: [octets(3, 'copy')] });
	assert.deepStrictEqual((await unary('FindObjects', { session, attributes: [octets(3, 'copy')] })).objects, [object]);
	assert.strictEqual((await unary('GetAttributeValue', { session, object, types: [3] })).attributes[0].octets.toString(), 'copy');
	const { wrapped_key } = await unary('WrapKey', { session, mechanism: { type: 0x210a }, wrapping_key: object, key });
	await unary('UnwrapKey', { session, mechanism: { type: 0x210a }, unwrapping_key: object, wrapped_key, attributes: [number(0, 4), number(0x100, 0x1f)] });
	const point = (await unary('GetAttributeValue', { session, object: pair.public_key, types: [0x181] })).attributes[0].octets;
	await unary('DeriveKey', { session, mechanism: { type: 0x1050, ecdh1: { kdf: 1, public_data: point } }, base_key: pair.private_key,
		attributes: [number(0, 4), number(0x100, 0x10), number(0x161, 32)] });
	await unary('DestroyObject', { session, object });
	assert.strictEqual((await unary('GenerateRandom', { session, length: 33 })).random.length, 33);
	called.add('GenerateRandomStream');
	assert.strictEqual((await collect(client.GenerateRandomStream({ slot: 1, length: 1000000 }, deadline()), [])).length, 1000000);
	assert((await unary('HealthCheck', {})).serving);

	const failure = await unary('Sign', { session, mechanism: ecdsa, key: 999, data }).then(() => null, error => error);
	assert.strictEqual(failure.code, grpc.status.NOT_FOUND);
	assert.strictEqual(failure.metadata.get('craton-ckr')[0], '96');
	await unary('CloseSession', { session });
	const left = Object.values(HsmService.service).map(method => method.path.split('/').pop()).filter(name => !called.has(name));
	assert.deepStrictEqual(left, [], 'not called');
	client.close();
	console.log(`${called.size} methods`);
}

main().catch(error => { console.error(error); process.exit(1); });
