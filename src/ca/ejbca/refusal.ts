import { EstError, type EstErrorCode } from '../../errors.ts';

/** What an answer of EJBCA that is no success means. */
export interface Refusal {
  readonly error: EstError;
  /** What EJBCA said, for the log. */
  readonly text: string;
  /** What the operator has to change; undefined: nothing, the request was at fault, or EJBCA is for the moment. */
  readonly advice: string | undefined;
}

/** What of the answer counts. */
export interface RefusedAnswer {
  readonly status: number;
  /** `error_message` of EJBCA's error JSON; undefined: the answer is no such JSON. */
  readonly message: string | undefined;
  /** The body as text, for what is no JSON. */
  readonly page: string;
  /** Of Retry-After, in seconds. */
  readonly retryAfter: number | undefined;
  /** Below the REST API, such as `/v1/certificate/pkcs10enroll`, or `/ejbcaws`. */
  readonly path: string;
}

/** EJBCA's texts as its sources have them, whatever status they come with: pkcs10enroll makes nearly all of them 400. */
interface KnownText extends Meaning {
  readonly pattern: RegExp;
  /** `$1` is what the pattern caught. */
  readonly advice?: string;
}

/** Seconds until an administrator may have activated a CA. */
const retryWhenOffline = 60;

/** The client's part of a wrong user name, a wrong code and a wrong status alike, in EJBCA's own words. */
export const wrongEnrollmentCode = 'Invalid username, enrollment code, or end entity status';

const knownTexts: readonly KnownText[] = [
  // Of the CA.
  {
    pattern: /^Single transaction enrollment request rejected since approvals are enabled/,
    code: 'rejected_by_ca',
    sentence:
      'The CA wants every request approved by a person, which it cannot do for this way of enrolment.',
    advice:
      'Switch approvals off for adding and editing end entities in the CA and the certificate profile that the text names, or register end entities before and use operationMode client.',
  },
  {
    pattern: /^Signing CA .* is not active|\bCA\b.*\boff-?line\b/i,
    code: 'ca_unavailable',
    sentence: 'The CA is not active.',
    advice: 'Activate the CA in EJBCA.',
  },
  {
    pattern: /^Device was unavailable|crypto token.*off-?line/i,
    code: 'ca_unavailable',
    sentence: "The CA's key is not available.",
    advice: 'Activate the crypto token of the CA in EJBCA.',
  },
  // Of the client.
  {
    pattern:
      /^(Wrong username or password|Got request for user with invalid password|Got request with status)/,
    code: 'unauthenticated',
    sentence: wrongEnrollmentCode,
  },
  {
    pattern: /^(Invalid certificate request|Failed to generate certificate due to malformed CSR)/,
    code: 'bad_certification_request',
    sentence: 'The CA cannot read the CSR.',
  },
  {
    pattern: /not allowed to use same (key|subject DN) as|conflicting with an existing one/,
    code: 'bad_certification_request',
    sentence:
      'The key or the subject of the CSR belongs to another user of the CA; make a new key, or ask its operator.',
  },
  {
    pattern:
      /^The key .* is not permitted by the certificate profile|illegal key|key (size|length|strength)/i,
    code: 'bad_certification_request',
    sentence: 'The certificate profile of the CA does not allow a key of this kind.',
  },
  {
    pattern:
      /^Wrong number of|fields? in (Subject|Subject Alternative Name)|does not match end entity profile/i,
    code: 'bad_certification_request',
    sentence: 'The end entity profile of the CA does not allow this subject or subjectAltName.',
  },
  {
    pattern: /has been rejected$|has expired$|could not be executed$/,
    code: 'rejected_by_ca',
    sentence: 'The CA has not approved the request.',
  },
  {
    pattern: /^Could not find request with Id|has already been finalized$/,
    code: 'rejected_by_ca',
    sentence: 'The CA does not know this request any more; enrol again.',
  },
  // Of the operator.
  {
    pattern: /^Error: Wrong Token Type of user/,
    code: 'rejected_by_ca',
    sentence: 'The end entity is registered for a key that the CA makes, not for a CSR.',
    advice: 'Set the token of the end entity to "User Generated" in EJBCA.',
  },
  {
    pattern: /^CA with name "(.*)" doesn't exist|^Couldn't find CA/,
    code: 'ca_bad_answer',
    sentence:
      'EJBCA has no CA of the name that the alias gives, or its end entity profile does not allow it.',
    advice:
      'Give ejbca.certificateAuthority as EJBCA names it, and add the CA to the available CAs of the end entity profile.',
  },
  {
    pattern:
      /certificate profile (with name )?["'].*["'] (doesn't exist|among available certificate profiles)/i,
    code: 'ca_bad_answer',
    sentence:
      'EJBCA has no certificate profile of the name that the alias gives, or its end entity profile does not allow it.',
    advice:
      'Give ejbca.certificateProfile as EJBCA names it, and add it to the available certificate profiles of the end entity profile.',
  },
  {
    pattern: /end entity profile (with name )?["'].*["'] doesn't exist/i,
    code: 'ca_bad_answer',
    sentence: 'EJBCA has no end entity profile of the name that the alias gives.',
    advice: 'Give ejbca.endEntityProfile as EJBCA names it.',
  },
  {
    pattern: /not authorized to resource (\S+?)\. Msg/,
    code: 'ca_bad_answer',
    sentence: "The gateway's role in EJBCA lacks an access rule.",
    advice: 'Allow $1 in the role of the gateway in EJBCA.',
  },
  {
    pattern: /not authorized to CA (-?\d+)/,
    code: 'ca_bad_answer',
    sentence: "The gateway's role in EJBCA has no access to the CA.",
    advice: 'Allow the CA with the id $1 (/ca/<its name>/) in the role of the gateway in EJBCA.',
  },
  {
    pattern: /^Error no client certificate or OAuth token received/,
    code: 'ca_bad_answer',
    sentence: 'No credentials of the gateway reached EJBCA.',
    advice:
      'Let EJBCA ask for TLS client certificates; a proxy in front of it must hand the certificate or the Authorization header on.',
  },
  {
    pattern: /No admin authenticated for certificate/,
    code: 'ca_bad_answer',
    sentence: "EJBCA does not know the gateway's certificate.",
    advice: "Make the gateway's certificate a member of a role in EJBCA; it must not be revoked or expired.",
  },
  {
    pattern: /OAuth Bearer Token/,
    code: 'ca_bad_answer',
    sentence: "EJBCA refuses the gateway's token.",
    advice:
      'Configure the identity provider as a trusted OAuth provider in EJBCA, and give the gateway a token that is in force.',
  },
  {
    pattern: /^RESTEASY003210/,
    code: 'ca_bad_answer',
    sentence: 'This EJBCA lacks a REST resource that the gateway needs.',
    advice: 'Upgrade EJBCA to 8.1 or newer.',
  },
];

/** What an answer means that is neither success nor "wait for approval". */
export function refusalOf(answer: RefusedAnswer): Refusal {
  const text = (answer.message ?? `${answer.status}: ${pageText(answer.page)}`).slice(0, 500);
  const { code, sentence, advice } = knownMeaning(answer) ?? meaningOfStatus(answer);
  const cause = new Error(`EJBCA: ${text}${advice === undefined ? '' : ` - ${advice}`}`);
  const wait = code === 'ca_unavailable' ? { retryAfter: answer.retryAfter ?? retryWhenOffline } : {};
  return { error: new EstError(code, sentence, { cause, ...wait }), text, advice };
}

/** A kind of refusal. */
export interface Meaning {
  readonly code: EstErrorCode;
  readonly sentence: string;
  readonly advice?: string | undefined;
}

function knownMeaning({ message }: RefusedAnswer): Meaning | undefined {
  if (message === undefined) return undefined;
  for (const { pattern, advice, ...meaning } of knownTexts) {
    const [found, caught = ''] = pattern.exec(message) ?? [];
    if (found !== undefined) return { ...meaning, advice: advice?.replace('$1', () => caught) };
  }
  return undefined;
}

function meaningOfStatus({ status, message, page, path }: RefusedAnswer): Meaning {
  if (page.includes('This service has been disabled')) {
    return {
      code: 'ca_bad_answer',
      sentence: 'A protocol that the gateway needs is switched off in EJBCA.',
      advice: `Enable "${protocolOf(path)}" under System Configuration, Protocol Configuration in EJBCA.`,
    };
  }
  if (message === undefined) return meaningWithoutJson(status);
  switch (status) {
    case 400:
    case 409:
    case 422:
      return {
        code: 'bad_certification_request',
        sentence: 'The CA refuses this request; what it said is in the log of the gateway.',
      };
    case 401:
    case 403:
      return {
        code: 'ca_bad_answer',
        sentence: 'EJBCA refuses the gateway.',
        advice: 'Give the role of the gateway in EJBCA the access that the text names.',
      };
    case 429:
    case 503:
      return { code: 'ca_unavailable', sentence: 'The CA is not available.' };
    default:
      return { code: 'ca_bad_answer', sentence: 'EJBCA failed.' };
  }
}

/** What is neither EJBCA's REST API nor its web service answers: a proxy, a servlet, something else. */
function meaningWithoutJson(status: number): Meaning {
  if ([429, 502, 503, 504].includes(status)) {
    return { code: 'ca_unavailable', sentence: 'EJBCA is not available.' };
  }
  return {
    code: 'ca_bad_answer',
    sentence: 'The answer is none that EJBCA gives.',
    advice: 'Check baseUrl, and what stands between the gateway and EJBCA.',
  };
}

/** The switch that a path depends on. */
function protocolOf(path: string): string {
  if (path.startsWith('/ejbcaws')) return 'Web Service';
  return path.startsWith('/v2/') ? 'REST Certificate Management V2' : 'REST Certificate Management';
}

/** What people would read of an HTML page. */
function pageText(page: string): string {
  return page
    .replaceAll(/<[^>]*>/g, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
