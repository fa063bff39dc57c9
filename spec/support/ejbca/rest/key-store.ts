/** Keys that EJBCA generates, and enrolments that waited for approval (section 1.2). */
import { spawn } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { text as readAll, buffer } from 'node:stream/consumers';
import { certificateToPem } from '../../../../src/pkix/certificate.ts';
import { readRequest, requestForKey } from '../certification-request.ts';
import type { Ejbca } from '../ejbca.ts';
import { WaitingForApproval } from '../model/approval.ts';
import type { EndEntity, IssuedCertificate } from '../model/database.ts';
import { issueTo } from '../model/enrollment.ts';
import type { Operation } from '../model/registration.ts';
import { refusals } from '../refusal.ts';
import { isAtLeast, since } from '../version.ts';
import { json, operationOf, text, type Call, type Reply, type Route } from './call.ts';

/** The routes. */
export const keyStoreRoutes: readonly Route[] = [
  { method: 'POST', path: '/v1/certificate/enrollkeystore', handle: enrollKeyStore },
  { method: 'POST', path: '/v1/certificate/{request_id}/finalize', handle: finalize },
];

const keyAlgorithms = ['RSA', 'ECDSA'];

/** A key store for a registered end entity, under the password of the request. */
async function enrollKeyStore(call: Call): Promise<Reply> {
  const operation = operationOf(call);
  const { ejbca } = operation;
  operation.administrator.require('/ca_functionality/create_certificate');
  const [username, algorithm] = [text(call, 'username'), text(call, 'key_alg')];
  const endEntity = ejbca.database.endEntities.get(username);
  if (endEntity === undefined) throw refusals.unknownEndEntity(username);
  if (!keyAlgorithms.includes(algorithm)) throw refusals.unsupportedKeyAlgorithm(algorithm);
  const key = generateKey(algorithm, text(call, 'key_spec'));
  const types = isAtLeast(ejbca.release, since.responseFormat) ? ['P12', 'JKS', 'BCFKS'] : ['P12', 'JKS'];
  if (!types.includes(endEntity.token)) {
    throw isAtLeast(ejbca.release, since.responseFormat)
      ? refusals.unsupportedTokenTypeNewer()
      : refusals.unsupportedTokenType();
  }
  return await keyStoreReply(operation, endEntity, key, text(call, 'password'));
}

/** What an approved request was for. */
async function finalize(call: Call): Promise<Reply> {
  const operation = operationOf(call);
  operation.administrator.require('/ca_functionality/create_certificate');
  const { request_id: written = '' } = call.parameters;
  if (!/^-?\d+$/.test(written)) throw refusals.noParameter('request_id', written);
  const endEntity = approvedEndEntity(operation.ejbca, Number(written), call);
  const format = text(call, 'response_format');
  if (endEntity.token === 'USERGENERATED') {
    if (format !== 'DER' && format !== 'PEM') throw refusals.noKeyStoreForCsr();
    const request = await readRequest(endEntity.certificateRequest ?? '');
    if (request === undefined) throw refusals.general();
    return certificateReply(await issueTo(operation, endEntity.username, request), format);
  }
  if (format === 'DER') throw refusals.noSuchKeyStore();
  const key = generateKey(text(call, 'key_alg') || 'RSA', text(call, 'key_spec') || '2048');
  if (format === 'PEM') {
    const issued = await issueTo(operation, endEntity.username, requestForKey(spkiOf(key)));
    return certificateReply(issued, 'PEM');
  }
  return await keyStoreReply(operation, { ...endEntity, token: 'P12' }, key, text(call, 'password'));
}

function approvedEndEntity({ database }: Ejbca, id: number, call: Call): EndEntity {
  const request = database.approvalRequests.get(id);
  if (request === undefined) throw refusals.unknownRequest(id);
  const formats = ['P12', 'BCFKS', 'JKS', 'PEM', 'DER'];
  if (!formats.includes(text(call, 'response_format'))) throw refusals.invalidResponseFormat();
  switch (request.state) {
    case 'waiting':
      throw new WaitingForApproval(id, `Request with Id '${id}' is still waiting for approval`);
    case 'rejected':
      throw refusals.rejectedRequest(id);
    case 'expired':
      throw refusals.expiredRequest(id);
    case 'failed':
      throw refusals.failedRequest(id);
    case 'approved': {
      const endEntity = database.endEntities.get(request.username);
      if (endEntity === undefined) throw refusals.unknownEndEntity(request.username);
      if (endEntity.status === 'GENERATED') throw refusals.finalizedRequest(id);
      return endEntity;
    }
  }
}

function generateKey(algorithm: string, spec: string): KeyObject {
  if (algorithm === 'ECDSA') {
    if (!['P-256', 'P-384', 'P-521', 'secp256r1', 'secp384r1'].includes(spec)) {
      throw refusals.unsupportedKeyLength(spec);
    }
    return generateKeyPairSync('ec', { namedCurve: spec }).privateKey;
  }
  const modulusLength = Number(spec);
  if (![1024, 2048, 3072, 4096].includes(modulusLength)) throw refusals.unsupportedKeyLength(spec);
  return generateKeyPairSync('rsa', { modulusLength }).privateKey;
}

function spkiOf(key: KeyObject): Buffer {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function certificateReply({ der, serialNumber }: IssuedCertificate, format: 'DER' | 'PEM'): Reply {
  const bytes = format === 'DER' ? der : Buffer.from(certificateToPem(der));
  return json(201, {
    certificate: bytes.toString('base64'),
    serial_number: serialNumber,
    response_format: format,
  });
}

/** The stand-in makes PKCS#12 only, since it has no Java. */
async function keyStoreReply(
  operation: Operation,
  endEntity: EndEntity,
  key: KeyObject,
  password: string,
): Promise<Reply> {
  if (endEntity.token !== 'P12') throw refusals.general();
  const { der, serialNumber, certificationAuthority } = await issueTo(
    operation,
    endEntity.username,
    requestForKey(spkiOf(key)),
  );
  const chain = operation.ejbca.database.certificationAuthorities.get(certificationAuthority)?.chain ?? [];
  const pem = [key.export({ type: 'pkcs8', format: 'pem' }), ...[der, ...chain].map(certificateToPem)];
  return json(201, {
    certificate: (await pkcs12(pem.join(''), password)).toString('base64'),
    serial_number: serialNumber,
    response_format: 'PKCS12',
    certificate_chain: chain.map((certificate) => certificate.toString('base64')),
  });
}

async function pkcs12(pem: string, password: string): Promise<Buffer> {
  const child = spawn('openssl', ['pkcs12', '-export', '-passout', 'env:PASSWORD'], {
    env: { ...process.env, PASSWORD: password },
  });
  child.stdin.end(pem);
  const [bytes, complaint] = await Promise.all([buffer(child.stdout), readAll(child.stderr)]);
  if (bytes.length === 0) throw new Error(`openssl pkcs12: ${complaint}`);
  return bytes;
}
