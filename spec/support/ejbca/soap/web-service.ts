/** `/ejbca/ejbcaws/ejbcaws`: what of EJBCA's web service concerns registered end entities and CAs. */
import type { Administrator } from '../administrator.ts';
import { normalizedDn } from '../distinguished-name.ts';
import type { Ejbca } from '../ejbca.ts';
import { WaitingForApproval } from '../model/approval.ts';
import {
  endEntityStatuses,
  saveEndEntity,
  type CertificationAuthority,
  type EndEntity,
  type TokenType,
} from '../model/database.ts';
import { editUser, requireCa, usernameFrom, type Registration } from '../model/registration.ts';
import type { Pause } from '../model/transaction.ts';
import { findUsers } from '../model/user-match.ts';
import { Refusal, refusals } from '../refusal.ts';
import type { Reply } from '../rest/call.ts';
import { revisionOf } from '../version.ts';
import {
  faultReply,
  memberText,
  readEnvelope,
  resultReply,
  SoapFault,
  type SoapArgument,
  type SoapCall,
  type SoapMembers,
  type SoapValue,
} from './envelope.ts';

/** Where the service is. */
export const webServicePath = '/ejbca/ejbcaws/ejbcaws';

/** Who calls, and what holds the call up. */
export interface WebServiceCaller {
  /** Refuses a caller whom EJBCA does not know. */
  authenticate(): Administrator;
  readonly pause: Pause;
}

/** Answers a SOAP request. */
export async function answerWebService(ejbca: Ejbca, xml: string, caller: WebServiceCaller): Promise<Reply> {
  try {
    const call = readEnvelope(xml);
    return resultReply(call.operation, await perform(ejbca, call, caller));
  } catch (error) {
    return faultReply(asFault(error));
  }
}

function asFault(error: unknown): SoapFault {
  if (error instanceof SoapFault) return error;
  if (error instanceof WaitingForApproval) {
    return new SoapFault('WaitingForApprovalException', error.message, { requestId: error.requestId });
  }
  if (error instanceof Refusal) return faultOf(error);
  return new SoapFault('EjbcaException', error instanceof Error ? error.message : '');
}

function faultOf({ kind, status, message }: Refusal): SoapFault {
  if (status === 403) return new SoapFault('AuthorizationDeniedException', message);
  if (kind === 'approval') return new SoapFault('ApprovalException', message);
  if (kind === 'profile') {
    return new SoapFault(
      'UserDoesntFullfillEndEntityProfile',
      `org.ejbca.core.model.ra.raadmin.EndEntityProfileValidationException: ${message}`,
    );
  }
  // The container says no more of what it has rolled back.
  return new SoapFault('EjbcaException', status === 500 ? 'Transaction rolled back' : message);
}

async function perform(
  ejbca: Ejbca,
  call: SoapCall,
  caller: WebServiceCaller,
): Promise<readonly SoapValue[]> {
  if (call.operation === 'getEjbcaVersion') return [revisionOf(ejbca.release)];
  if (!ejbca.enabledProtocols.has('Web Service')) {
    throw new SoapFault('EjbcaException', 'Web Services not enabled');
  }
  const { pause } = caller;
  const authenticate = (): Administrator => caller.authenticate();
  const [first, second, third] = ['arg0', 'arg1', 'arg2'].map((name) => call.arguments.get(name));
  switch (call.operation) {
    case 'isAuthorized':
      return [isAuthorized(authenticate, first?.text ?? '')];
    case 'findUser':
      return findUser(ejbca, authenticate(), first);
    case 'editUser':
      await edit(ejbca, { administrator: authenticate(), pause }, first);
      return [];
    case 'revokeUser':
      revokeUser(ejbca, authenticate(), first?.text ?? '', third?.text === 'true');
      return [];
    case 'getAuthorizedEndEntityProfiles':
      return authorizedEndEntityProfiles(ejbca, authenticate());
    case 'getAvailableCAs':
      return availableCas(ejbca, authenticate());
    case 'getLastCAChain':
      return requireNamedCa(ejbca, authenticate(), first?.text ?? '').chain.map(certificate);
    case 'getLatestCRL':
    case 'getLatestCRLPartition':
      authenticate();
      return latestCrl(ejbca, first?.text ?? '', second?.text === 'true', Number(third?.text ?? '0'));
  }
}

/** A caller in no role has no rights, which is no fault. */
function isAuthorized(authenticate: () => Administrator, resource: string): boolean {
  try {
    return authenticate().isAuthorized(resource);
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
}

function findUser(
  { database }: Ejbca,
  administrator: Administrator,
  match: SoapArgument | undefined,
): readonly SoapValue[] {
  const found = findUsers(database, administrator, {
    matchWith: Number(memberText(match, 'matchwith')),
    matchType: Number(memberText(match, 'matchtype')),
    matchValue: memberText(match, 'matchvalue') ?? '',
  });
  if (found === undefined) throw new SoapFault('IllegalQueryException', 'Fault occurred while processing.');
  return found.map(userData);
}

/** As UserDataVOWS; the password is never given away. */
function userData(endEntity: EndEntity): SoapMembers {
  return {
    username: endEntity.username,
    clearPwd: false,
    subjectDN: endEntity.subjectDn,
    caName: endEntity.certificationAuthority,
    subjectAltName: endEntity.subjectAltName,
    email: endEntity.email === '' ? undefined : endEntity.email,
    status: endEntityStatuses[endEntity.status],
    tokenType: endEntity.token,
    sendNotification: false,
    keyRecoverable: false,
    endEntityProfileName: endEntity.endEntityProfile,
    certificateProfileName: endEntity.certificateProfile,
    extendedInformation: endEntity.extendedInformation.map(({ name, value }) => ({ name, value })),
    cardNumber: endEntity.cardNumber,
  };
}

async function edit(
  ejbca: Ejbca,
  { administrator, pause }: { readonly administrator: Administrator; readonly pause: Pause },
  user: SoapArgument | undefined,
): Promise<void> {
  const registration = registrationFrom(ejbca, user);
  administrator.require('/ra_functionality/view_end_entity');
  await editUser({ ejbca, administrator, pause }, registration);
}

function registrationFrom({ database }: Ejbca, user: SoapArgument | undefined): Registration {
  const text = (name: string): string => memberText(user, name) ?? '';
  const caName = text('caName');
  if (!database.certificationAuthorities.has(caName)) {
    throw new SoapFault('CADoesntExistsException', `No CA found by name of ${caName}`);
  }
  requireKnown('End Entity profile', text('endEntityProfileName'), database.endEntityProfiles);
  requireKnown('Certificate profile', text('certificateProfileName'), database.certificateProfiles);
  const username = usernameFrom(text('username'));
  const status = Object.entries(endEntityStatuses).find(([, code]) => code === Number(text('status')));
  return {
    username,
    password: memberText(user, 'password'),
    subjectDn: normalizedDn(text('subjectDN')),
    isMultiValued: /[^\\]\+/.test(text('subjectDN')),
    subjectAltName: text('subjectAltName'),
    email: text('email'),
    status: (status?.[0] ?? 'NEW') as EndEntity['status'],
    token: tokenFrom(text('tokenType')),
    certificationAuthority: caName,
    certificateProfile: text('certificateProfileName'),
    endEntityProfile: text('endEntityProfileName'),
    accountBindingId: database.endEntities.get(username)?.accountBindingId,
    extendedInformation: (user?.members.get('extendedInformation') ?? []).map((one) => ({
      name: memberText(one, 'name') ?? '',
      value: memberText(one, 'value') ?? '',
    })),
    cardNumber: memberText(user, 'cardNumber'),
  };
}

function tokenFrom(text: string): TokenType {
  const token = (['USERGENERATED', 'P12', 'JKS', 'PEM', 'BCFKS'] as const).find((type) => type === text);
  if (token === undefined) {
    throw new SoapFault('EjbcaException', `Error Token Type  ${text} does not exist.`);
  }
  return token;
}

function requireKnown(kind: string, name: string, known: ReadonlyMap<string, unknown>): void {
  if (!known.has(name)) throw new SoapFault('EjbcaException', `Error ${kind} ${name} does not exist.`);
}

/** With all certificates of the end entity. */
function revokeUser(
  { database }: Ejbca,
  administrator: Administrator,
  username: string,
  isDeleted: boolean,
): void {
  administrator.require('/ra_functionality/revoke_end_entity');
  if (isDeleted) administrator.require('/ra_functionality/delete_end_entity');
  const endEntity = database.endEntities.get(usernameFrom(username));
  if (endEntity === undefined)
    throw new SoapFault('NotFoundException', refusals.wrongUsernameOrPassword().message);
  const at = new Date(database.clock());
  for (const issued of database.certificates.filter((one) => one.username === endEntity.username)) {
    if (issued.revocation !== undefined) continue;
    issued.revocation = { reason: 'UNSPECIFIED', at };
    issued.updatedAt = at;
  }
  saveEndEntity(database, { ...endEntity, status: 'REVOKED' });
  if (isDeleted) database.endEntities.delete(endEntity.username);
}

/** Those of which the role may use every CA, besides. */
function authorizedEndEntityProfiles(
  { database }: Ejbca,
  administrator: Administrator,
): readonly SoapValue[] {
  return [...database.endEntityProfiles.values()]
    .filter(
      ({ name, certificationAuthorities }) =>
        administrator.isAuthorized(`/endentityprofilesrules/${name}/create_end_entity`) &&
        certificationAuthorities?.every((ca) => administrator.isAuthorized(`/ca/${ca}`)) !== false,
    )
    .map(({ id, name }) => ({ id, name }));
}

/** All that the role may use: external and off-line ones, too. */
function availableCas({ database }: Ejbca, administrator: Administrator): readonly SoapValue[] {
  return [...database.certificationAuthorities.values()]
    .filter(({ name }) => administrator.isAuthorized(`/ca/${name}`))
    .map(({ id, name }) => ({ id, name }));
}

function requireNamedCa(ejbca: Ejbca, administrator: Administrator, name: string): CertificationAuthority {
  if (!ejbca.database.certificationAuthorities.has(name)) throw unknownCa(name);
  return requireCa(ejbca, administrator, name);
}

function unknownCa(name: string): SoapFault {
  return new SoapFault('CADoesntExistsException', `CA with name ${name} does not exist.`);
}

/** Base64 that the transport encodes once more. */
function certificate(der: Buffer): SoapMembers {
  return { certificateData: Buffer.from(der.toString('base64')).toString('base64') };
}

function latestCrl(
  { database }: Ejbca,
  name: string,
  isDelta: boolean,
  partition: number,
): readonly SoapValue[] {
  const ca = database.certificationAuthorities.get(name);
  if (ca === undefined) throw unknownCa(name);
  const crl = isDelta ? undefined : ca.crls.get(partition);
  return crl === undefined ? [] : [crl.der.toString('base64')];
}
