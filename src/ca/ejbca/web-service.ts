import { Ajv } from 'ajv';
import { createClientAsync, type Client, type IHttpClient } from 'soap';
import { EstError } from '../../errors.ts';
import type { Log } from '../../ops/log.ts';
import { createConnection, type HttpAnswer } from '../../ops/connection.ts';
import type { Credentials } from './credentials.ts';
import type { EjbcaOptions } from './options.ts';
import { refusalOf, type Meaning, type Refusal } from './refusal.ts';
import { webServiceDescription } from './web-service-description.ts';

/** An end entity as EJBCA's web service gives it (UserDataVOWS); members that the gateway does not use are kept. */
export interface RegisteredEndEntity {
  readonly username: string;
  readonly caName: string;
  /** In EJBCA's writing, such as `CN=device,O=Acme`. */
  readonly subjectDN: string;
  /** Such as `dNSName=a.example, iPAddress=192.0.2.1`. */
  readonly subjectAltName?: string;
  /** One of `endEntityStatus`, or another. */
  readonly status: number;
}

/** NEW: a certificate may be issued. */
export const newEndEntity = 10;

/** What the REST API of EJBCA Community cannot say of registered end entities, by its SOAP web service. */
export interface WebService {
  /** Undefined: there is none of this name that the gateway may see. Throws EstError after a line in the log. */
  findEndEntity(username: string, requestId: string): Promise<RegisteredEndEntity | undefined>;
  /** Gives the end entity a new enrolment code, for one certificate. Throws as `findEndEntity`. */
  setEnrollmentCode(endEntity: RegisteredEndEntity, code: string, requestId: string): Promise<void>;
  /** Those of the access rules that the role of the gateway does not allow. Throws as `findEndEntity`. */
  missingRules(rules: readonly string[]): Promise<readonly string[]>;
  close(): void;
}

/** What a web service client is made of. */
export interface WebServiceParts {
  readonly options: EjbcaOptions;
  /** PEM. */
  readonly trustAnchor: string;
  readonly credentials: Credentials;
  /** The backend's name, for the log. */
  readonly name: string;
  readonly log: Log;
}

/** UserMatch: MATCH_WITH_USERNAME, MATCH_TYPE_EQUALS. */
const byUsername = { matchwith: 0, matchtype: 0 };

/** Nothing is asked before the first call. */
export async function createWebService(parts: WebServiceParts): Promise<WebService> {
  const { options, credentials, name: backend, log } = parts;
  const connection = createConnection({
    peer: 'EJBCA',
    tls: { ca: parts.trustAnchor, ...credentials.tls },
    timeouts: options.timeouts,
    limits: options.limits,
  });
  const url = `${options.baseUrl.replace(/\/$/, '')}/ejbcaws/ejbcaws`;

  async function send(body: string, headers: object): Promise<HttpAnswer> {
    const authorization = await credentials.authorization();
    const all = { ...headers, ...(authorization !== undefined && { Authorization: authorization }) };
    return await connection.send({ method: 'POST', url, headers: all, body }, never);
  }

  const client = await createClientAsync(webServiceDescription, {
    endpoint: url,
    httpClient: httpClientOver(send),
    disableCache: true,
  });

  async function call(operation: string, argument: object, requestId?: string): Promise<unknown> {
    try {
      const [result] = (await invoke(client, operation, argument)) as readonly unknown[];
      return result;
    } catch (thrown) {
      throw logged(thrown, { backend, requestId, operation });
    }
  }

  /** Gives the error that the caller throws, after a line in the log: loud when the operator has to do something. */
  function logged(thrown: unknown, fields: object): EstError {
    if (thrown instanceof EstError) {
      log.error('The web service of EJBCA could not be asked.', { ...fields, error: thrown });
      return thrown;
    }
    const { error, text: answer, advice } = meaningOf(thrown);
    if (advice === undefined) log.warn('The web service of EJBCA refuses a request.', { ...fields, answer });
    else log.error('The web service of EJBCA refuses the gateway.', { ...fields, answer, advice });
    return error;
  }

  return {
    async findEndEntity(username, requestId) {
      const result = await call('findUser', { arg0: { ...byUsername, matchvalue: username } }, requestId);
      if (!isFound(result)) throw nonsense('findUser');
      const [found, ...others] = result?.return ?? [];
      // EJBCA compares as its database does, which may ignore case.
      return others.length === 0 && found?.username === username ? found : undefined;
    },
    async setEnrollmentCode(endEntity, code, requestId) {
      await call('editUser', { arg0: { ...endEntity, password: code, clearPwd: false } }, requestId);
    },
    async missingRules(rules) {
      const answers = await Promise.all(
        rules.map(async (rule) => await call('isAuthorized', { arg0: rule })),
      );
      if (!answers.every((answer) => isDecision(answer))) throw nonsense('isAuthorized');
      return rules.filter((_, index) => !answers[index]?.return);
    },
    close() {
      connection.close();
    },
  };
}

/** The connection has its own time limit. */
const never = new AbortController().signal;

async function invoke(client: Client, operation: string, argument: object): Promise<unknown> {
  const method = (client as unknown as Readonly<Record<string, (argument: object) => Promise<unknown>>>)[
    `${operation}Async`
  ];
  if (method === undefined) throw new Error(`There is no operation ${operation}.`);
  return await method.call(client, argument);
}

/** The library over our connection, which bounds time and size and follows no redirect. */
function httpClientOver(send: (body: string, headers: object) => Promise<HttpAnswer>): IHttpClient {
  return {
    request(
      _url: string,
      body: string,
      callback: (error: unknown, answer?: object, text?: string) => void,
      headers = {},
    ) {
      send(body, headers).then(
        (answer) => {
          if (answer.mediaType !== 'text/xml') callback(new NoSoapAnswer(answer));
          else callback(null, { status: answer.status }, answer.body.toString('utf8'));
        },
        (error: unknown) => {
          callback(error);
        },
      );
      return undefined as never;
    },
  };
}

/** Something else than the web service answered. */
class NoSoapAnswer extends Error {
  readonly answer: HttpAnswer;

  constructor(answer: HttpAnswer) {
    super('It is no SOAP.');
    this.answer = answer;
  }
}

const ajv = new Ajv();

const isFound = ajv.compile<{ readonly return?: readonly RegisteredEndEntity[] } | null>({
  type: ['object', 'null'],
  properties: {
    return: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          username: { type: 'string' },
          caName: { type: 'string' },
          subjectDN: { type: 'string' },
          subjectAltName: { type: 'string' },
          status: { type: 'integer' },
        },
        required: ['username', 'caName', 'subjectDN', 'status'],
      },
    },
  },
});

const isDecision = ajv.compile<{ readonly return: boolean }>({
  type: 'object',
  properties: { return: { type: 'boolean' } },
  required: ['return'],
});

/** What a fault means, or an answer that is no SOAP. The request stays out of it: it may hold an enrolment code. */
function meaningOf(thrown: unknown): Refusal {
  if (thrown instanceof NoSoapAnswer) {
    const { status, body, retryAfter } = thrown.answer;
    const page = body.toString('utf8', 0, 4096);
    return refusalOf({ status, message: undefined, page, retryAfter, path: '/ejbcaws' });
  }
  const { exception, message } = faultOf(thrown);
  if (exception === 'AuthorizationDeniedException') {
    return refusalOf({ status: 403, message, page: '', retryAfter: undefined, path: '/ejbcaws' });
  }
  const { code, sentence, advice } = meaningOfException(exception);
  const cause = new Error(`EJBCA: ${message}${advice === undefined ? '' : ` - ${advice}`}`);
  return { error: new EstError(code, sentence, { cause }), text: message, advice };
}

function meaningOfException(exception: string): Meaning {
  switch (exception) {
    case 'WaitingForApprovalException':
    case 'ApprovalException':
      return {
        code: 'rejected_by_ca',
        sentence: 'The CA wants every request approved by a person.',
        advice: 'Switch approvals off for editing end entities in the CA and the certificate profile.',
      };
    case 'UserDoesntFullfillEndEntityProfile':
      return {
        code: 'rejected_by_ca',
        sentence: 'The registration of the device does not fit its profile.',
        advice: 'Make the end entity fit its end entity profile; the text says what does not.',
      };
    default:
      return { code: 'ca_bad_answer', sentence: 'The web service of EJBCA failed.' };
  }
}

/** The library gives a fault as an Error that has the parsed envelope as `root`. */
function faultOf(thrown: unknown): { readonly exception: string; readonly message: string } {
  if (!isFault(thrown)) return { exception: '', message: 'It is no SOAP.' };
  const { detail, faultstring } = thrown.root.Envelope.Body.Fault;
  const [exception = ''] = Object.keys(detail ?? {});
  return { exception, message: String(faultstring).slice(0, 500) };
}

const isFault = ajv.compile<{
  readonly root: {
    readonly Envelope: {
      readonly Body: { readonly Fault: { readonly faultstring?: unknown; readonly detail?: object } };
    };
  };
}>({
  type: 'object',
  properties: {
    root: {
      type: 'object',
      properties: {
        Envelope: {
          type: 'object',
          properties: {
            Body: {
              type: 'object',
              properties: { Fault: { type: 'object', properties: { detail: { type: 'object' } } } },
              required: ['Fault'],
            },
          },
          required: ['Body'],
        },
      },
      required: ['Envelope'],
    },
  },
  required: ['root'],
});

function nonsense(operation: string): EstError {
  return new EstError('ca_bad_answer', 'The answer of EJBCA makes no sense.', {
    cause: new Error(`The answer to ${operation} does not have the form that EJBCA documents.`),
  });
}
