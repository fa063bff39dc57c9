import type { AxiosError, AxiosRequestConfig } from 'axios';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP } from 'node:net';
import { createAddressFilter, filteredLookup, type AddressFilter } from '../../ops/public-address.ts';

/** Bounds of what is fetched. */
export interface FetchOptions {
  /** Networks that may be connected to although their addresses are not public, such as `10.0.0.0/8`. */
  readonly allowedNetworks: readonly string[];
  /** Seconds for the whole answer. */
  readonly timeout: number;
  /** Octets of an answer. */
  readonly maxBytes: number;
}

/** A question to a responder; without it, a document is fetched. */
interface Question {
  readonly mediaType: string;
  readonly body: Buffer;
}

/** Gives the body of an answer 200. Throws an Error with a plain sentence. */
export type Fetch = (url: string, question?: Question) => Promise<Buffer>;

/**
 * Fetches over http and https, follows no redirect, and connects only to addresses that are public or allowed. The
 * address is checked when the connection is made, so that no name can lead elsewhere in the meantime.
 */
export function createFetch({ allowedNetworks, timeout, maxBytes }: FetchOptions): Fetch {
  const mayConnect = createAddressFilter(allowedNetworks);
  const lookup = filteredLookup(mayConnect, notAllowed);
  const options: AxiosRequestConfig = {
    httpAgent: new HttpAgent({ lookup }),
    httpsAgent: new HttpsAgent({ lookup }),
    proxy: false,
    maxRedirects: 0,
    maxContentLength: maxBytes,
    decompress: false,
    responseType: 'arraybuffer',
    transformRequest: (body: Buffer | undefined) => body,
    validateStatus: (status) => status === 200,
  };
  return async function fetch(url, question) {
    requireAllowed(url, mayConnect);
    const signal = AbortSignal.timeout(timeout * 1000);
    const sent =
      question === undefined
        ? { method: 'GET' }
        : { method: 'POST', data: question.body, headers: { 'Content-Type': question.mediaType } };
    // Most gateways never fetch, and need no memory for what does.
    const { default: axios, isAxiosError } = await import('axios');
    try {
      const { data } = await axios.request<Buffer>({ ...options, url, signal, ...sent });
      return data;
    } catch (error) {
      const failure = isAxiosError(error) ? error : { message: String(error) };
      throw new Error(`${url}: ${reasonOf(failure, signal)}`, { cause: error });
    }
  };
}

/** A host that is an address is never looked up. */
function requireAllowed(url: string, mayConnect: AddressFilter): void {
  const { protocol, hostname, username, password } = new URL(url);
  if (!/^https?:$/.test(protocol) || username !== '' || password !== '') {
    throw new Error(`${url}: expected an http or https URL without a user name.`);
  }
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  if (isIP(host) !== 0 && !mayConnect(host)) throw new Error(`${url}: ${notAllowed}`);
}

const notAllowed =
  'it leads to an address that is not public; revocation.allowedNetworks may allow its network.';

type FetchFailure = Pick<AxiosError, 'message'> & Partial<Pick<AxiosError, 'code' | 'response'>>;

function reasonOf({ message, code = '', response }: FetchFailure, signal: AbortSignal): string {
  if (signal.aborted) return 'the answer did not come in time.';
  if (message.startsWith('maxContentLength')) return 'the answer is larger than revocation.maxBytes.';
  if (message.includes(notAllowed)) return notAllowed;
  if (response !== undefined)
    return `the answer has the status ${response.status}; 200 is expected, no redirect.`;
  return `it cannot be reached (${code || message}).`;
}
