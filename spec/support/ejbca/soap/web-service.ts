/** `/ejbca/ejbcaws/ejbcaws`: what of EJBCA's web service concerns registered end entities. */
import type { Administrator } from '../administrator.ts';
import { endEntityStatuses, type EndEntity } from '../database.ts';
import { normalizedDn, partsOf } from '../distinguished-name.ts';
import type { Ejbca } from '../ejbca.ts';
import { checkEndEntity, putUpForApproval } from '../enrollment.ts';
import { Refusal } from '../refusal.ts';
import type { Reply } from '../rest/call.ts';
import { faultReply, readEnvelope, resultReply, SoapFault, type SoapCall } from './envelope.ts';

/** Where the service is. */
export const webServicePath = '/ejbca/ejbcaws/ejbcaws';

/** Answers a SOAP request. `authenticate` refuses a caller whom EJBCA does not know. */
export async function answerWebService(
  ejbca: Ejbca,
  xml: string,
  authenticate: () => Administrator,
): Promise<Reply> {
  try {
    const call = readEnvelope(xml);
    return resultReply(call.operation, await perform(ejbca, call, authenticate));
  } catch (error) {
    return faultReply(asFault(error));
  }
}

function asFault(error: unknown): SoapFault {
  if (error instanceof SoapFault) return error;
  if (error instanceof Refusal) {
    return new SoapFault(
      error.status === 403 ? 'AuthorizationDeniedException' : 'UserDoesntFullfillEndEntityProfile',
      error.message,
    );
  }
  return new SoapFault('EjbcaException', error instanceof Error ? error.message : '');
}

type Results = Parameters<typeof resultReply>[1];

function perform(
  ejbca: Ejbca,
  call: SoapCall,
  authenticate: () => Administrator,
): Results | Promise<Results> {
  switch (call.operation) {
    case 'getEjbcaVersion':
      return [`EJBCA ${ejbca.release.version} ${ejbca.release.edition}`];
    case 'isAuthorized':
      return [String(authenticate().isAuthorized(call.text))];
    case 'findUser':
      return findUser(ejbca, authenticate(), call.members);
    case 'editUser':
      return editUser(ejbca, authenticate(), call.members);
  }
}

/** EJBCA gives no more. */
const mostUsers = 100;

function findUser(
  { database }: Ejbca,
  administrator: Administrator,
  match: ReadonlyMap<string, string>,
): Results {
  administrator.require('/ra_functionality/view_end_entity');
  const [matchWith, matchType] = [Number(match.get('matchwith')), Number(match.get('matchtype'))];
  const wanted = match.get('matchvalue') ?? '';
  const valuesOf = matchable[matchWith];
  const compare = comparisons[matchType];
  if (valuesOf === undefined || compare === undefined) {
    throw new SoapFault('IllegalQueryException', 'Wrong query format.');
  }
  return [...database.endEntities.values()]
    .filter(({ endEntityProfile }) =>
      administrator.isAuthorized(`/endentityprofilesrules/${endEntityProfile}/view_end_entity`),
    )
    .filter((endEntity) => valuesOf(endEntity).some((value) => compare(value, wanted)))
    .slice(0, mostUsers)
    .map(userData);
}

/** MATCH_WITH_... of EJBCA's UserMatch. */
const matchable: Readonly<Record<number, ((endEntity: EndEntity) => readonly string[]) | undefined>> = {
  0: ({ username }) => [username],
  1: ({ email }) => [email],
  2: ({ status }) => [String(endEntityStatuses[status])],
  3: ({ endEntityProfile }) => [endEntityProfile],
  4: ({ certificateProfile }) => [certificateProfile],
  5: ({ certificationAuthority }) => [certificationAuthority],
  6: ({ token }) => [token],
  7: ({ subjectDn }) => [subjectDn],
  100: subjectPart('UID'),
  101: subjectPart('CN'),
  102: subjectPart('SN'),
  107: subjectPart('OU'),
  108: subjectPart('O'),
  111: subjectPart('DC'),
  112: subjectPart('C'),
};

function subjectPart(symbol: string): (endEntity: EndEntity) => readonly string[] {
  return ({ subjectDn }) =>
    partsOf(subjectDn).flatMap((part) => (part.symbol === symbol ? [part.value] : []));
}

/** MATCH_TYPE_... of EJBCA's UserMatch. */
const comparisons: Readonly<Record<number, ((value: string, wanted: string) => boolean) | undefined>> = {
  0: (value, wanted) => value === wanted,
  1: (value, wanted) => value.startsWith(wanted),
  2: (value, wanted) => value.includes(wanted),
};

/** As UserDataVOWS; the password is never given away. */
function userData(endEntity: EndEntity): Readonly<Record<string, string | number | boolean | undefined>> {
  const { subjectAltName, email } = endEntity;
  return {
    caName: endEntity.certificationAuthority,
    certificateProfileName: endEntity.certificateProfile,
    clearPwd: false,
    email: email === '' ? undefined : email,
    endEntityProfileName: endEntity.endEntityProfile,
    keyRecoverable: false,
    sendNotification: false,
    status: endEntityStatuses[endEntity.status],
    subjectAltName: subjectAltName === '' ? undefined : subjectAltName,
    subjectDN: endEntity.subjectDn,
    tokenType: endEntity.token,
    username: endEntity.username,
  };
}

/** Changes the end entity of this name, or adds it. Without a password, an end entity keeps the one it has. */
async function editUser(
  ejbca: Ejbca,
  administrator: Administrator,
  members: ReadonlyMap<string, string>,
): Promise<Results> {
  const { database } = ejbca;
  const caName = members.get('caName') ?? '';
  const ca = database.certificationAuthorities.get(caName);
  if (ca === undefined) throw new SoapFault('CADoesntExistsException', `Error CA ${caName} does not exist.`);
  const endEntity = endEntityFrom(ejbca, members);
  administrator.require(`/ca/${caName}`);
  checkEndEntity(ejbca, administrator, endEntity);
  const execute = (): void => {
    database.endEntities.set(endEntity.username, endEntity);
  };
  if (ca.requiresApproval) {
    const { message, requestId } = putUpForApproval(ejbca, endEntity.username, execute);
    throw new SoapFault('WaitingForApprovalException', message, { approvalId: requestId, requestId });
  }
  execute();
  return await Promise.resolve([]);
}

function endEntityFrom({ database }: Ejbca, members: ReadonlyMap<string, string>): EndEntity {
  const text = (name: string): string => members.get(name) ?? '';
  const username = text('username');
  const existing = database.endEntities.get(username);
  const status = Object.entries(endEntityStatuses).find(([, code]) => code === Number(text('status')));
  const token = (['USERGENERATED', 'P12', 'JKS', 'PEM', 'BCFKS'] as const).find(
    (type) => type === text('tokenType'),
  );
  requireKnown('End Entity profile', text('endEntityProfileName'), database.endEntityProfiles);
  requireKnown('Certificate profile', text('certificateProfileName'), database.certificateProfiles);
  if (token === undefined) {
    throw new SoapFault('EjbcaException', `Error Token Type ${text('tokenType')} does not exist.`);
  }
  return {
    username,
    password: members.get('password') ?? existing?.password ?? '',
    subjectDn: normalizedDn(text('subjectDN')),
    subjectAltName: text('subjectAltName'),
    email: text('email'),
    status: (status?.[0] ?? 'NEW') as EndEntity['status'],
    token,
    certificationAuthority: text('caName'),
    certificateProfile: text('certificateProfileName'),
    endEntityProfile: text('endEntityProfileName'),
    accountBindingId: existing?.accountBindingId,
  };
}

function requireKnown(kind: string, name: string, known: ReadonlyMap<string, unknown>): void {
  if (!known.has(name)) throw new SoapFault('EjbcaException', `Error ${kind} ${name} does not exist.`);
}
