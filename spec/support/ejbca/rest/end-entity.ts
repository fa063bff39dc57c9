/** `/v1/endentity` and `/v2/endentity`: registered end entities, in Enterprise alone (sections 1.2 and 1.2b). */
import { endEntityStatuses, saveEndEntity, type EndEntity } from '../model/database.ts';
import { normalizedDn } from '../distinguished-name.ts';
import {
  addEndEntity,
  examined,
  requireUsableCa,
  requireCertificateProfile,
  usernameFrom,
  type Registration,
} from '../model/registration.ts';
import { refusals } from '../refusal.ts';
import { json, operationOf, statusReply, text, type Call, type Reply, type Route } from './call.ts';

const enterpriseOnly = true;

/** The routes. */
export const endEntityRoutes: readonly Route[] = [
  { method: 'GET', path: '/v1/endentity/status', enterpriseOnly, handle: statusReply },
  { method: 'POST', path: '/v1/endentity', enterpriseOnly, handle: add },
  { method: 'POST', path: '/v1/endentity/search', enterpriseOnly, handle: search },
  { method: 'POST', path: '/v1/endentity/{name}/setstatus', enterpriseOnly, handle: setStatus },
  { method: 'PUT', path: '/v1/endentity/{name}/revoke', enterpriseOnly, handle: revoke },
  { method: 'DELETE', path: '/v1/endentity/{name}', enterpriseOnly, handle: remove },
  { method: 'GET', path: '/v2/endentity/profiles/authorized', enterpriseOnly, handle: profiles },
];

const empty: Reply = { status: 200, contentType: undefined, body: '' };

async function add(call: Call): Promise<Reply> {
  const operation = operationOf(call);
  const { ejbca, administrator } = operation;
  const ca = requireUsableCa(ejbca, administrator, text(call, 'ca_name'));
  const profile = requireCertificateProfile(ejbca, text(call, 'certificate_profile_name'));
  const registration: Registration = {
    username: usernameFrom(text(call, 'username')),
    password: text(call, 'password') || undefined,
    subjectDn: normalizedDn(text(call, 'subject_dn')),
    subjectAltName: text(call, 'subject_alt_name'),
    email: text(call, 'email'),
    status: 'NEW',
    token: text(call, 'token') as EndEntity['token'],
    certificationAuthority: ca.name,
    certificateProfile: profile.name,
    endEntityProfile: text(call, 'end_entity_profile_name'),
    accountBindingId: text(call, 'account_binding_id') || undefined,
    extendedInformation: [],
    cardNumber: undefined,
  };
  await addEndEntity(operation, registration);
  return empty;
}

function search(call: Call): Reply {
  const administrator = call.authenticate();
  administrator.require('/ra_functionality/view_end_entity');
  const criteria = call.body['criteria'];
  if (!Array.isArray(criteria) || criteria.length === 0) throw refusals.emptyCriteria();
  const most = Number(call.body['max_number_of_results'] ?? 0);
  const found = [...call.ejbca.database.endEntities.values()].filter((endEntity) =>
    criteria.every((criterion) => matches(endEntity, criterion as Criterion)),
  );
  return json(200, {
    end_entities: found.slice(0, most).map((endEntity) => ({
      username: endEntity.username,
      dn: endEntity.subjectDn,
      subject_alt_name: endEntity.subjectAltName,
      email: endEntity.email,
      status: endEntity.status,
      token: endEntity.token,
      extension_data: [],
    })),
    more_results: found.length > most,
  });
}

interface Criterion {
  readonly property: string;
  readonly value: string;
  readonly operation: string;
}

function matches(endEntity: EndEntity, { property, value, operation }: Criterion): boolean {
  switch (property) {
    case 'QUERY': {
      const texts = [endEntity.username, endEntity.subjectDn, endEntity.subjectAltName];
      return texts.some((one) => (operation === 'LIKE' ? one.includes(value) : one === value));
    }
    case 'END_ENTITY_PROFILE':
      return endEntity.endEntityProfile === value;
    case 'CERTIFICATE_PROFILE':
      return endEntity.certificateProfile === value;
    case 'CA':
      return endEntity.certificationAuthority === value;
    case 'STATUS':
      return endEntity.status === value;
    default:
      throw refusals.unknownCriterion(property);
  }
}

function setStatus(call: Call): Reply {
  const operation = operationOf(call);
  const endEntity = named(call);
  const [status, password] = [text(call, 'status'), text(call, 'password')];
  if (!Object.hasOwn(endEntityStatuses, status)) throw refusals.unknownStatus(status);
  const { rowVersion: _, ...before } = endEntity;
  const changed: Registration = {
    ...before,
    status: status as EndEntity['status'],
    token: (text(call, 'token') || endEntity.token) as EndEntity['token'],
    password: password === '' ? endEntity.password : password,
  };
  saveEndEntity(call.ejbca.database, examined(operation, endEntity, changed));
  return empty;
}

/** With all certificates of the end entity. */
function revoke(call: Call): Reply {
  const administrator = call.authenticate();
  administrator.require('/ra_functionality/revoke_end_entity');
  const { endEntities, certificates, clock } = call.ejbca.database;
  const endEntity = named(call);
  for (const certificate of certificates.filter(({ username }) => username === endEntity.username)) {
    certificate.revocation ??= { reason: 'UNSPECIFIED', at: new Date(clock()) };
  }
  saveEndEntity(call.ejbca.database, { ...endEntity, status: 'REVOKED' });
  if (call.body['delete'] === true) endEntities.delete(endEntity.username);
  return empty;
}

function remove(call: Call): Reply {
  const administrator = call.authenticate();
  administrator.require('/ra_functionality/delete_end_entity');
  call.ejbca.database.endEntities.delete(named(call).username);
  return empty;
}

function profiles(call: Call): Reply {
  const administrator = call.authenticate();
  const all = [...call.ejbca.database.endEntityProfiles.values()];
  return json(200, {
    end_entitie_profiles: all
      .filter(({ name }) => administrator.isAuthorized(`/endentityprofilesrules/${name}`))
      .map(({ id, name }) => ({ id, name })),
  });
}

function named({ ejbca, parameters }: Call): EndEntity {
  const { name = '' } = parameters;
  const endEntity = ejbca.database.endEntities.get(name);
  if (endEntity === undefined) throw refusals.unknownEndEntity(name);
  return endEntity;
}
