import { Ajv } from 'ajv';
import { randomBytes } from 'node:crypto';
import { EstError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import type { HttpAnswer } from '../../ops/connection.ts';
import { decodeCertificate, decodeDer } from './calls.ts';
import { logRefusal, refusalOf, refusalOfFault, type EjbcaRefusal } from './refusal.ts';
import { nonsense } from './rest-client.ts';
import { readEnvelope, writeEnvelope, type SoapAnswer, type XmlContent } from './soap-envelope.ts';
import type { EjbcaTransport } from './transport.ts';

/**
 * An end entity as EJBCA's web service takes it (UserDataVOWS). One that EJBCA gave has all its members, those without a
 * name here too (`extendedInformation`, `email`, `startTime`), so that a copy with changes can be written back.
 */
export interface RegisteredEndEntity {
  readonly username: string;
  readonly caName: string;
  readonly certificateProfileName: string;
  readonly endEntityProfileName: string;
  /** In EJBCA's writing, such as `CN=device,O=Acme`. */
  readonly subjectDN: string;
  /** Such as `dNSName=a.example, iPAddress=192.0.2.1`. */
  readonly subjectAltName?: string;
  /** EJBCA's number: 10 is NEW. EJBCA makes an end entity that it does not have NEW whatever this is. */
  readonly status: number;
  /** Such as `USERGENERATED`. */
  readonly tokenType: string;
}

/** An end entity as it shall be registered. */
export interface EndEntityFields extends RegisteredEndEntity {
  /** The enrolment code. */
  readonly password: string;
}

/** NEW: a certificate may be issued. */
export const newEndEntity = 10;

/** GENERATED: it has its certificate. */
export const generatedEndEntity = 40;

/** REVOKED: it shall get none. */
export const revokedEndEntity = 50;

/**
 * What the REST API of EJBCA Community cannot say or do, by its SOAP web service. Everything throws an EstError for what
 * is no answer, after a line in the log.
 */
export interface WebService {
  /** Undefined: there is none of exactly this name that the gateway may see. */
  findEndEntity(
    username: string,
    requestId: string,
    signal: AbortSignal,
  ): Promise<RegisteredEndEntity | undefined>;
  /** Registers the end entity, or changes the one of this name to these fields. */
  editEndEntity(fields: EndEntityFields, requestId: string, signal: AbortSignal): Promise<void>;
  /** Deletes the end entity, and leaves its certificates as they are. */
  deleteEndEntity(endEntity: RegisteredEndEntity, requestId: string, signal: AbortSignal): Promise<void>;
  /** Gives the end entity a new enrolment code, for one certificate. */
  setEnrollmentCode(
    endEntity: RegisteredEndEntity,
    code: string,
    requestId: string,
    signal: AbortSignal,
  ): Promise<void>;
  /** The names of the CAs that the gateway may use, external and off-line ones included. */
  availableCas(signal: AbortSignal): Promise<readonly string[]>;
  /** The end entity profiles whose end entities, and whose CAs all, the gateway may use. */
  authorizedEndEntityProfiles(signal: AbortSignal): Promise<readonly NameAndId[]>;
  /** The names of the certificate profiles that an end entity profile offers. */
  certificateProfilesOf(endEntityProfile: NameAndId, signal: AbortSignal): Promise<readonly string[]>;
  /** The names of the CAs that an end entity profile offers. */
  casOf(endEntityProfile: NameAndId, signal: AbortSignal): Promise<readonly string[]>;
  /** From the CA of this name up to its root, DER; `/v1/ca` of the REST API has no external CAs. */
  caChain(name: string, signal: AbortSignal): Promise<readonly Buffer[]>;
  /** The CRL of a partition, or of what belongs to none (0), DER; undefined: EJBCA has no such CRL. */
  latestCrl(name: string, partition: number, signal: AbortSignal): Promise<Buffer | undefined>;
  /** Those of the access rules that the role of the gateway does not allow. */
  missingRules(rules: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
}

/** How EJBCA lists what it has. */
export interface NameAndId {
  readonly name: string;
  /** EJBCA's number, as a text. */
  readonly id: string;
}

interface SoapCall {
  readonly operation: string;
  readonly parameters: readonly XmlContent[];
  /** The call changes nothing, so that it may be repeated. */
  readonly isSafe: boolean;
  readonly requestId?: string;
  /** What must never be logged though EJBCA may quote it. */
  readonly secret?: string;
}

/** CRLReason of RFC 5280, section 5.3.1. */
const unspecified = 0;

/** UserMatch: MATCH_WITH_USERNAME, MATCH_TYPE_EQUALS. */
const byUsername = { matchwith: 0, matchtype: 0 };

const path = '/ejbcaws/ejbcaws';
const mediaType = 'text/xml';

/** The web service over a transport. `backend` is the name for the log. */
export function createWebService(transport: EjbcaTransport, backend: string, log: Log): WebService {
  async function call(soapCall: SoapCall, signal: AbortSignal): Promise<readonly XmlContent[]> {
    const { operation, requestId } = soapCall;
    try {
      return read(soapCall, await send(soapCall, signal));
    } catch (error) {
      logRefusal(log, error, { backend, requestId, operation });
      throw error;
    }
  }

  async function send(soapCall: SoapCall, signal: AbortSignal): Promise<HttpAnswer> {
    const { operation, parameters, isSafe } = soapCall;
    const body = writeEnvelope(operation, parameters);
    if (body === undefined) throw unwritable();
    const headers = { Accept: mediaType, 'Content-Type': `${mediaType}; charset=utf-8`, SOAPAction: '""' };
    const refusalIn = (answer: HttpAnswer): EjbcaRefusal => readRefused(soapCall, answer);
    return await transport.send({ method: 'POST', path, headers, body, isSafe, refusalIn }, signal);
  }

  async function ask(
    operation: string,
    parameters: readonly XmlContent[],
    signal: AbortSignal,
  ): Promise<readonly XmlContent[]> {
    return await call({ operation, parameters, isSafe: true }, signal);
  }

  async function list(
    operation: string,
    parameters: readonly XmlContent[],
    signal: AbortSignal,
  ): Promise<readonly NameAndId[]> {
    return (await ask(operation, parameters, signal)).map((found) => {
      if (!isNameAndId(found)) throw nonsense(`${path} ${operation}`);
      return found;
    });
  }

  const editEndEntity: WebService['editEndEntity'] = async (fields, requestId, signal) => {
    const parameters = [{ ...fields, clearPwd: false }];
    const secret = fields.password;
    await call({ operation: 'editUser', parameters, isSafe: false, requestId, secret }, signal);
  };

  return {
    async findEndEntity(username, requestId, signal) {
      const operation = 'findUser';
      const parameters = [{ ...byUsername, matchvalue: username }];
      const found = await call({ operation, parameters, isSafe: true, requestId }, signal);
      const endEntities = found.map((members) => {
        if (!isUserData(members)) throw nonsense(`${path} ${operation}`);
        return { ...members, status: Number(members.status) };
      });
      // EJBCA compares as its database does, which may ignore case and blanks at the end.
      const [endEntity, ...others] = endEntities.filter((each) => each.username === username);
      return others.length === 0 ? endEntity : undefined;
    },
    editEndEntity,
    async deleteEndEntity(endEntity, requestId, signal) {
      // The certificates of one that is not REVOKED would be revoked with it.
      const password = randomBytes(24).toString('base64url');
      await editEndEntity({ ...endEntity, status: revokedEndEntity, password }, requestId, signal);
      const parameters = [endEntity.username, unspecified, true];
      await call({ operation: 'revokeUser', parameters, isSafe: false, requestId }, signal);
    },
    async setEnrollmentCode(endEntity, code, requestId, signal) {
      await editEndEntity({ ...endEntity, password: code }, requestId, signal);
    },
    async availableCas(signal) {
      return namesOf(await list('getAvailableCAs', [], signal));
    },
    async authorizedEndEntityProfiles(signal) {
      return await list('getAuthorizedEndEntityProfiles', [], signal);
    },
    async certificateProfilesOf({ id }, signal) {
      return namesOf(await list('getAvailableCertificateProfiles', [id], signal));
    },
    async casOf({ id }, signal) {
      return namesOf(await list('getAvailableCAsInProfile', [id], signal));
    },
    async caChain(name, signal) {
      const certificates = (await ask('getLastCAChain', [name], signal)).map((found) =>
        isCertificateData(found) ? decodeCertificate(found.certificateData) : undefined,
      );
      if (certificates.length > 0 && certificates.every((each) => each !== undefined)) return certificates;
      throw nonsense(`${path} getLastCAChain`);
    },
    async latestCrl(name, partition, signal) {
      const [crl] = await ask('getLatestCRLPartition', [name, false, partition], signal);
      const der = typeof crl === 'string' ? decodeDer(crl) : undefined;
      if (crl !== undefined && der === undefined) throw nonsense(`${path} getLatestCRLPartition`);
      return der;
    },
    async missingRules(rules, signal) {
      const answers = await Promise.all(
        rules.map(async (rule) => ({ rule, answer: await ask('isAuthorized', [rule], signal) })),
      );
      return answers.flatMap(({ rule, answer: [decision] }) => {
        if (decision !== 'true' && decision !== 'false') throw nonsense(`${path} isAuthorized`);
        return decision === 'true' ? [] : [rule];
      });
    },
  };
}

/** The results of an answer that is no refusal. */
function read(call: SoapCall, answer: HttpAnswer): readonly XmlContent[] {
  const soap = readSoap(call, answer);
  if (soap?.kind === 'results') return soap.results;
  throw readRefused(call, answer);
}

/** A fault, or what something else than the web service says. */
function readRefused(call: SoapCall, answer: HttpAnswer): EjbcaRefusal {
  const { secret } = call;
  const soap = readSoap(call, answer);
  if (soap?.kind === 'fault') return refusalOfFault({ ...soap, secret });
  const { status, body, retryAfter } = answer;
  return refusalOf({
    status,
    message: undefined,
    page: body.toString('utf8'),
    path: '/ejbcaws',
    retryAfter,
    secret,
  });
}

/** Undefined: it is none of the web service. */
function readSoap({ operation }: SoapCall, answer: HttpAnswer): SoapAnswer | undefined {
  if (answer.mediaType !== mediaType) return undefined;
  const soap = readEnvelope(answer.body.toString('utf8'), operation);
  if (soap === undefined) throw nonsense(`${path} ${operation}`);
  return soap;
}

function unwritable(): EstError {
  return new EstError(
    'bad_certification_request',
    'A name or a code of the request has a character that the CA cannot take, such as a control character.',
  );
}

const ajv = new Ajv();
const text = { type: 'string' } as const;

type UserData = Omit<RegisteredEndEntity, 'status'> & { readonly status: string };

/** Of a member that occurs twice the parser makes a list, which is none of these. */
const isUserData = ajv.compile<UserData>({
  type: 'object',
  properties: {
    username: text,
    caName: text,
    certificateProfileName: text,
    endEntityProfileName: text,
    subjectDN: text,
    subjectAltName: text,
    status: { type: 'string', pattern: '^[0-9]{1,9}$' },
    tokenType: text,
  },
  required: [
    'username',
    'caName',
    'certificateProfileName',
    'endEntityProfileName',
    'subjectDN',
    'status',
    'tokenType',
  ],
});

const isNameAndId = ajv.compile<NameAndId>({
  type: 'object',
  properties: { name: text, id: text },
  required: ['name', 'id'],
});

function namesOf(found: readonly NameAndId[]): readonly string[] {
  return found.map(({ name }) => name);
}

const isCertificateData = ajv.compile<{ readonly certificateData: string }>({
  type: 'object',
  properties: { certificateData: text },
  required: ['certificateData'],
});
