/** EJBCA as the gateway's calls see it: the stand-in's transactions, without a network and without signatures. */
import type { FoundCertificate } from '../../../src/ca/ejbca/calls.ts';
import { refusalOf, refusalOfFault } from '../../../src/ca/ejbca/refusal.ts';
import type { EndEntityFields, RegisteredEndEntity } from '../../../src/ca/ejbca/web-service.ts';
import type { Certificate } from '../../../src/pkix/certificate.ts';
import { nameFromAttributes } from '../../../src/pkix/names.ts';
import {
  createDatabase,
  endEntityStatuses,
  saveEndEntity,
  type Database,
  type EndEntity,
  type EndEntityStatus,
  type IssuedCertificate,
} from '../../support/ejbca/model/database.ts';
import { begin } from '../../support/ejbca/model/transaction.ts';
import { Refusal } from '../../support/ejbca/refusal.ts';
import type { World } from './world.ts';

/** What it keeps, and its calls as transactions that pause at every step. */
export interface ModelledEjbca {
  readonly database: Database;
  /** Where `isApprovalNeeded`, it waits for `approve`. */
  editUser(fields: EndEntityFields): Promise<void>;
  isApprovalNeeded: boolean;
  /** A person approves all that waits. */
  approve(): void;
  /** Of a request for approval: it holds no CSR, so that it fails once it is approved. */
  finalize(approval: number): Promise<{ readonly status: 'waiting' }>;
  findUser(username: string): Promise<RegisteredEndEntity | undefined>;
  certificateRequest(username: string, password: string, key: string): Promise<Buffer>;
  pkcs10Enroll(username: string, password: string, key: string): Promise<Buffer>;
  search(username: string, updatedSince: Date | undefined): Promise<readonly FoundCertificate[]>;
}

/** Milliseconds for which a transaction may stand still at one step. */
const longestStep = 4000;

/** An empty one. */
export function createModelledEjbca(world: World): ModelledEjbca {
  const database = createDatabase(world.now);
  /** Certificates that were signed, whether or not they are kept. */
  let signed = 0;
  const waiting = new Map<number, { readonly username: string; readonly execute: () => void }>();
  let approvals = 0;
  const rowOf = (text: string): string => text.trim();

  /** Seldom long, so that an answer is late and the next call overtakes. */
  async function step(): Promise<void> {
    await world.pause(world.chance.happens(0.15) ? longestStep : 20);
  }

  async function issue(
    username: string,
    key: string,
    take: (existing: EndEntity | undefined) => Omit<EndEntity, 'rowVersion'>,
    locking: Parameters<typeof begin>[1],
  ): Promise<Buffer> {
    await step();
    const transaction = begin(database, locking);
    const endEntity = take(transaction.endEntity(rowOf(username)));
    await step();
    signed += 1;
    const issued = certificateFor(endEntity, key, (0x1000 + signed).toString(16), database);
    transaction.add(issued);
    transaction.save({ ...endEntity, status: 'GENERATED' });
    await step();
    transaction.commit();
    return issued.der;
  }

  /** The same is put up for approval once. */
  function putUp(username: string, execute: () => void): Error {
    if ([...waiting.values()].some((one) => one.username === username)) {
      return fault('ApprovalException', 'Approval request with approvalID 1 already exists.');
    }
    approvals += 1;
    waiting.set(approvals, { username, execute });
    const message = 'Add Entity request has been added for approval by authorized administrators.';
    return fault('WaitingForApprovalException', message, approvals);
  }

  return {
    database,
    isApprovalNeeded: false,
    approve() {
      for (const { execute } of waiting.values()) execute();
      waiting.clear();
    },
    async finalize(approval) {
      await step();
      if (waiting.has(approval)) return { status: 'waiting' };
      throw refused(500, 'General failure.');
    },
    async editUser({ password, status, ...fields }) {
      await step();
      const transaction = begin(database);
      const existing = transaction.endEntity(rowOf(fields.username));
      await step();
      const wanted = Object.entries(endEntityStatuses).find(([, code]) => code === status)?.[0] ?? 'NEW';
      const endEntity = endEntityFrom(
        fields,
        password,
        existing === undefined ? 'NEW' : (wanted as EndEntityStatus),
      );
      if (this.isApprovalNeeded) {
        throw putUp(rowOf(fields.username), () => {
          saveEndEntity(database, endEntity);
        });
      }
      transaction.save(endEntity);
      await step();
      transaction.commit();
    },
    async findUser(username) {
      await step();
      const found = database.endEntities.get(rowOf(username));
      return found && userData(found);
    },
    certificateRequest: async (username, password, key) =>
      await issue(
        username,
        key,
        (endEntity) => {
          if (endEntity === undefined) throw refused(400, 'Wrong username or password');
          const { status } = endEntity;
          if (status !== 'NEW') {
            const required = `Status NEW, FAILED or INPROCESS required: ${username}.`;
            throw refused(
              400,
              `Got request with status ${status} (${endEntityStatuses[status]}). ${required}`,
            );
          }
          if (endEntity.password !== password) {
            throw refused(400, `Got request for user with invalid password: ${username}.`);
          }
          return endEntity;
        },
        'row version',
      ),
    pkcs10Enroll: async (username, password, key) =>
      await issue(
        username,
        key,
        (existing) => existing ?? endEntityFrom({ ...defaults, username }, password, 'NEW'),
        'last one wins',
      ),
    async search(username, updatedSince) {
      await step();
      const wanted = username.toLowerCase();
      return database.certificates
        .filter((one) => one.username.toLowerCase() === wanted)
        .filter(({ updatedAt }) => updatedSince === undefined || updatedAt > updatedSince)
        .map(found);
    },
  };
}

/** As the web service refuses. */
function fault(exception: string, message: string, approval?: number): Error {
  return refusalOfFault({ exception, message, approval });
}

/** As the REST API refuses; a transaction that fails is `General failure.` */
function refused(status: number, message: string): Error {
  return refusalOf({
    status,
    message,
    page: '',
    retryAfter: undefined,
    path: '/v1/certificate/certificaterequest',
  });
}

/** What a call of the gateway throws for what EJBCA has thrown. */
export function asRefusal(thrown: unknown): unknown {
  return thrown instanceof Refusal ? refused(thrown.status, thrown.message) : thrown;
}

const defaults = {
  caName: 'Device CA',
  certificateProfileName: 'Device',
  endEntityProfileName: 'Device',
  subjectDN: 'CN=device',
  tokenType: 'USERGENERATED',
};

function endEntityFrom(
  fields: Omit<RegisteredEndEntity, 'status'>,
  password: string,
  status: EndEntityStatus,
): Omit<EndEntity, 'rowVersion'> {
  return {
    username: fields.username.trim(),
    password,
    subjectDn: fields.subjectDN,
    subjectAltName: '',
    email: '',
    status,
    token: 'USERGENERATED',
    certificationAuthority: fields.caName,
    certificateProfile: fields.certificateProfileName,
    endEntityProfile: fields.endEntityProfileName,
    accountBindingId: undefined,
    cardNumber: undefined,
    remainingRequests: 1,
    extendedInformation: [],
  };
}

function userData({ username, status, subjectDn }: EndEntity): RegisteredEndEntity {
  return { ...defaults, username, subjectDN: subjectDn, status: endEntityStatuses[status] };
}

/** The certificate is its serial number. */
function certificateFor(
  { username, subjectDn }: Omit<EndEntity, 'rowVersion'>,
  key: string,
  serialNumber: string,
  { clock }: Database,
): IssuedCertificate {
  const now = new Date(clock());
  return {
    der: Buffer.from(`${serialNumber} ${key}`),
    serialNumber,
    issuerDn: 'CN=Device CA',
    subjectDn,
    subjectAltName: '',
    username,
    certificationAuthority: 'Device CA',
    certificateProfile: 'Device',
    endEntityProfile: 'Device',
    accountBindingId: undefined,
    notBefore: new Date(clock() - 600_000),
    notAfter: new Date(clock() + 86_400_000),
    certificateRequest: Buffer.alloc(0),
    crlPartition: undefined,
    updatedAt: now,
    keyHash: key,
    revocation: undefined,
  };
}

/** Of a certificate no more is looked at. */
function found({
  der,
  serialNumber,
  username,
  keyHash,
  notBefore,
  notAfter,
}: IssuedCertificate): FoundCertificate {
  const certificate = {
    der,
    serialNumber,
    notBefore,
    notAfter,
    spki: Buffer.from(keyHash),
    subject: nameFromAttributes([]),
  };
  return { certificate: certificate as unknown as Certificate, username, isRevoked: false };
}
