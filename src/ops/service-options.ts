import type { SchemaObject } from 'ajv';

/** How much a service of somebody else is asked, and how long it may take; times in seconds. */
export interface ServiceOptions {
  readonly timeouts: { readonly connect: number; readonly answer: number };
  readonly limits: {
    /** Octets of an answer. */
    readonly maxResponse: number;
    readonly concurrency: number;
    readonly queue: number;
  };
  readonly circuitBreaker: { readonly failures: number; readonly pause: number };
}

/** What differs between services. */
export interface ServiceDefaults {
  /** How descriptions call it, such as `the upstream`. */
  readonly peer: string;
  /** Seconds until an answer must be complete. */
  readonly answer: number;
  /** Octets of an answer. */
  readonly maxResponse: number;
}

/** JSON Schemas of ServiceOptions. */
export function serviceProperties({
  peer,
  answer,
  maxResponse,
}: ServiceDefaults): Readonly<Record<keyof ServiceOptions, SchemaObject>> {
  return {
    timeouts: {
      type: 'object',
      title: 'Timeouts',
      description: `How long ${peer} may take.`,
      default: {},
      properties: {
        connect: wholeNumber('Connect', 'Seconds until a TLS connection must be there.', 300, 5),
        answer: wholeNumber('Answer', 'Seconds until an answer must be complete.', 3600, answer),
      },
      additionalProperties: false,
    },
    limits: {
      type: 'object',
      title: 'Limits',
      description: `How much is asked of ${peer} and taken from it.`,
      default: {},
      properties: {
        maxResponse: wholeNumber('Largest answer', 'Octets of an answer.', 104_857_600, maxResponse),
        concurrency: wholeNumber('Requests at once', 'More than these wait.', 10_000, 200),
        queue: wholeNumber('Queue', 'Requests that may wait; for more: 503.', 100_000, 2000),
      },
      additionalProperties: false,
    },
    circuitBreaker: {
      type: 'object',
      title: 'Circuit breaker',
      description: `After failures in a row ${peer} is left alone for a pause; clients get 503 at once.`,
      default: {},
      properties: {
        failures: wholeNumber('Failures', 'Connections that failed and answers that did not come.', 1000, 10),
        pause: wholeNumber('Pause', `Seconds until one request tries whether ${peer} is back.`, 3600, 10),
      },
      additionalProperties: false,
    },
  };
}

/** JSON Schema of a whole number from 1 on. */
export function wholeNumber(
  title: string,
  description: string,
  most: number,
  byDefault: number,
): SchemaObject {
  return { type: 'integer', minimum: 1, maximum: most, default: byDefault, title, description };
}
