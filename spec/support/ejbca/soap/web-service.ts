/** `/ejbca/ejbcaws/ejbcaws`: what of EJBCA's web service concerns registered end entities and CAs. */
import { withAccess, type Administrator } from '../administrator.ts';
import { isKnownField, normalizedDn, partsOf } from '../distinguished-name.ts';
import type { Ejbca } from '../ejbca.ts';
import { WaitingForApproval } from '../model/approval.ts';
import {
  endEntityStatuses,
  saveEndEntity,
  type CertificationAuthority,
  type EndEntity,
  type TokenType,
} from '../model/database.ts';
import {
  editUser,
  requireEndEntityProfile,
  requireUsableCa,
  requireView,
  usernameFrom,
  type Operation,
  type Registration,
} from '../model/registration.ts';
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

type Asker = Pick<Operation, 'ejbca' | 'administrator'>;

/** Where the service is. */
export const webServicePath = '/ejbca/ejbcaws/ejbcaws';

/** Who calls, and what holds the call up. */
export interface WebServiceCaller {
  /** Refuses a caller whom EJBCA does not know. */
  identify(): Administrator;
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
    const details = { requestId: error.requestId };
    return new SoapFault('WaitingForApprovalException', error.message, details);
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
  if (kind === 'exists') {
    return new SoapFault('EjbcaException', `org.ejbca.core.ejb.ra.EndEntityExistsException: ${message}`);
  }
  if (status !== 500) return new SoapFault('EjbcaException', message);
  const rolledBack = 'javax.transaction.RollbackException: ARJUNA016053: Could not commit transaction.';
  return new SoapFault('EjbcaException', rolledBack);
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
  const identify = (): Administrator => caller.identify();
  const authenticate = (): Administrator => withAccess(identify());
  const [first, second, third] = ['arg0', 'arg1', 'arg2'].map((name) => call.arguments.get(name));
  switch (call.operation) {
    case 'isAuthorized':
      return [isAuthorized(identify, first?.text ?? '')];
    case 'findUser':
      return findUser(ejbca, authenticate(), first);
    case 'editUser':
      await edit(ejbca, { administrator: authenticate(), pause }, first);
      return [];
    case 'revokeUser':
      revokeUser({ ejbca, administrator: authenticate() }, first?.text ?? '', third?.text === 'true');
      return [];
    case 'getAuthorizedEndEntityProfiles':
      return authorizedEndEntityProfiles(ejbca, authenticate());
    case 'getAvailableCAs':
      return availableCas(ejbca, identify());
    case 'getAvailableCertificateProfiles':
      authenticate();
      return certificateProfilesIn(ejbca, Number(first?.text ?? '0'));
    case 'getAvailableCAsInProfile':
      return casIn(ejbca, authenticate(), Number(first?.text ?? '0'));
    case 'getLastCAChain':
      return requireNamedCa(ejbca, authenticate(), first?.text ?? '').chain.map(certificate);
    case 'getLatestCRL':
    case 'getLatestCRLPartition':
      return latestCrl(
        { ejbca, administrator: identify() },
        { name: first?.text ?? '', isDelta: second?.text === 'true', partition: Number(third?.text ?? '0') },
      );
  }
}

/** A caller in no role has no rights, which is no fault. */
function isAuthorized(identify: () => Administrator, resource: string): boolean {
  try {
    return identify().isAuthorized(resource);
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
  await editUser({ ejbca, administrator, pause }, registration);
}

/** Other than pkcs10enroll, editUser does not drop what EJBCA does not know. */
function requireSupported(subjectDn: string): void {
  if (partsOf(subjectDn).every(({ symbol }) => isKnownField(symbol))) return;
  throw new SoapFault(
    'UserDoesntFullfillEndEntityProfile',
    `org.ejbca.core.model.ra.raadmin.EndEntityProfileValidationException: Unsupported Subject DN Field found in:${subjectDn}`,
  );
}

function registrationFrom({ database }: Ejbca, user: SoapArgument | undefined): Registration {
  const text = (name: string): string => memberText(user, name) ?? '';
  const caName = text('caName');
  if (!database.certificationAuthorities.has(caName)) {
    throw new SoapFault('CADoesntExistsException', `No CA found by name of ${caName}`);
  }
  requireKnown('End Entity profile', text('endEntityProfileName'), database.endEntityProfiles);
  requireKnown('Certificate profile', text('certificateProfileName'), database.certificateProfiles);
  requireSupported(text('subjectDN'));
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
function revokeUser({ ejbca, administrator }: Asker, username: string, isDeleted: boolean): void {
  const { database } = ejbca;
  const endEntity = database.endEntities.get(usernameFrom(username));
  if (endEntity === undefined)
    throw new SoapFault('NotFoundException', refusals.wrongUsernameOrPassword().message);
  requireView({ ejbca, administrator }, endEntity);
  const rights = ['revoke_end_entity', ...(isDeleted ? ['delete_end_entity'] : [])];
  const profile = requireEndEntityProfile(ejbca, endEntity.endEntityProfile);
  const isAllowed = rights.every(
    (right) =>
      administrator.isAuthorized(`/ra_functionality/${right}`) &&
      administrator.isAuthorized(`/endentityprofilesrules/${profile.name}/${right}`),
  );
  if (!isAllowed) throw refusals.notAuthorizedToProfile(profile.id, administrator.name);
  const at = new Date(database.clock());
  // Of one that is deleted and REVOKED already, EJBCA leaves the certificates as they are.
  const isLeft = isDeleted && endEntity.status === 'REVOKED';
  for (const issued of database.certificates.filter((one) => one.username === endEntity.username)) {
    if (isLeft || issued.revocation !== undefined) continue;
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
    .map(({ id, name }) => ({ name, id }));
}

function certificateProfilesIn({ database }: Ejbca, id: number): readonly SoapValue[] {
  const found = [...database.endEntityProfiles.values()].find((profile) => profile.id === id);
  return [...database.certificateProfiles.values()]
    .filter(({ name }) => found !== undefined && found.certificateProfiles?.includes(name) !== false)
    .map((profile) => ({ name: profile.name, id: profile.id }));
}

/** Any CA is those that the caller may use; of a list all are told. */
function casIn(ejbca: Ejbca, administrator: Administrator, id: number): readonly SoapValue[] {
  const found = [...ejbca.database.endEntityProfiles.values()].find((profile) => profile.id === id);
  if (found === undefined) return [];
  if (found.certificationAuthorities === undefined) return availableCas(ejbca, administrator);
  return [...ejbca.database.certificationAuthorities.values()]
    .filter(({ name }) => found.certificationAuthorities?.includes(name) === true)
    .map((ca) => ({ name: ca.name, id: ca.id }));
}

/** All that the role may use: external and off-line ones, too. */
function availableCas({ database }: Ejbca, administrator: Administrator): readonly SoapValue[] {
  return [...database.certificationAuthorities.values()]
    .filter(({ name }) => administrator.isAuthorized(`/ca/${name}`))
    .map(({ id, name }) => ({ name, id }));
}

function requireNamedCa(ejbca: Ejbca, administrator: Administrator, name: string): CertificationAuthority {
  if (!ejbca.database.certificationAuthorities.has(name)) throw unknownCa(name);
  return requireUsableCa(ejbca, administrator, name);
}

function unknownCa(name: string): SoapFault {
  return new SoapFault('CADoesntExistsException', `CA with name ${name} doesn't exist.`);
}

/** Base64 that the transport encodes once more. */
function certificate(der: Buffer): SoapMembers {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return { type: 0, certificateData: Buffer.from(lines.join('\n')).toString('base64') };
}

interface WantedCrl {
  readonly name: string;
  readonly isDelta: boolean;
  readonly partition: number;
}

/** Other than by REST, of a CA that the role may use; without the right it is no AuthorizationDeniedException. */
function latestCrl(
  { ejbca, administrator }: Asker,
  { name, isDelta, partition }: WantedCrl,
): readonly SoapValue[] {
  const ca = ejbca.database.certificationAuthorities.get(name);
  if (ca === undefined) throw unknownCa(name);
  if (!administrator.isAuthorized(`/ca/${name}`)) {
    const { message } = refusals.notAuthorizedToCa(administrator.name, name);
    throw new SoapFault('EjbcaException', message);
  }
  const crl = isDelta ? undefined : ca.crls.get(partition);
  return crl === undefined ? [] : [crl.der.toString('base64')];
}
