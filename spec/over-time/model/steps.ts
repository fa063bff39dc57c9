/** What may happen in a run. Numbers choose among what is there when the step is taken. */
import * as fc from 'fast-check';
import { mostSkew } from './site.ts';
import { revocationReasons, type RevocationReason } from '../../../src/store/store.ts';

/** How a request is sent. */
export interface Sending {
  readonly gateway: number;
  /** The gateway dies before so many calls of the store are made; undefined: it lives. */
  readonly diesAfter: number | undefined;
}

/** Which key a CSR is for: a new one, or that of an earlier request. */
type KeyChoice = 'new' | number;

/** What a client asks for. */
export type Asking =
  | { readonly ask: 'enrol'; readonly user: number; readonly device: number; readonly key: KeyChoice }
  | {
      readonly ask: 'renew';
      readonly certificate: number;
      readonly key: KeyChoice;
      readonly elsewhere: boolean;
    }
  | { readonly ask: 'enrol for'; readonly line: boolean; readonly device: number; readonly key: KeyChoice }
  | { readonly ask: 'renew for'; readonly line: boolean; readonly device: number; readonly key: KeyChoice }
  | { readonly ask: 'repeat'; readonly request: number };

export type Step =
  | { readonly step: 'ask'; readonly asking: Asking; readonly sending: Sending }
  /** Two at once, which call the store in an order of the numbers. */
  | {
      readonly step: 'ask at once';
      readonly asking: readonly [Asking, Asking];
      readonly order: readonly number[];
      /** As that of `Sending`, for the first. */
      readonly diesAfter: number | undefined;
    }
  | { readonly step: 'wait'; readonly seconds: number }
  /** The clock of a gateway is so much ahead from now on. */
  | { readonly step: 'set clock'; readonly gateway: number; readonly seconds: number }
  | { readonly step: 'decide'; readonly request: number; readonly approve: boolean }
  | { readonly step: 'revoke'; readonly certificate: number; readonly reason: RevocationReason }
  /** That the key of a certificate that is revoked already was compromised. */
  | { readonly step: 'raise'; readonly certificate: number }
  | {
      readonly step: 'add user';
      readonly user: number;
      readonly uses: number | undefined;
      readonly seconds: number | undefined;
    }
  | { readonly step: 'remove user'; readonly user: number }
  | { readonly step: 'replace registration authority' }
  | { readonly step: 'rename'; readonly what: 'first' | 'second' | 'line' | 'line without its state' }
  | { readonly step: 'restart'; readonly gateway: number };

/** With a prototype, so that counterexamples are printed as they are written. */
function record<Fields>(fields: {
  [Name in keyof Fields]: fc.Arbitrary<Fields[Name]>;
}): fc.Arbitrary<Fields> {
  return fc.record(fields, { noNullPrototype: true });
}

const some = fc.nat({ max: 1000 });
/** Often the newest. */
const newest = fc.oneof({ weight: 2, arbitrary: fc.nat({ max: 1 }) }, { weight: 2, arbitrary: some });

const key: fc.Arbitrary<KeyChoice> = fc.oneof(
  { weight: 5, arbitrary: fc.constant('new' as const) },
  { weight: 2, arbitrary: some },
);

const asking: fc.Arbitrary<Asking> = fc.oneof(
  {
    weight: 5,
    arbitrary: record({ ask: fc.constant('enrol' as const), user: some, device: some, key }),
  },
  {
    weight: 3,
    arbitrary: record({
      ask: fc.constant('renew' as const),
      certificate: newest,
      key,
      elsewhere: fc.integer({ min: 0, max: 5 }).map((n) => n === 5),
    }),
  },
  {
    weight: 2,
    arbitrary: record({
      ask: fc.constantFrom('enrol for' as const, 'renew for' as const),
      line: fc.boolean(),
      device: some,
      key,
    }),
  },
  { weight: 6, arbitrary: record({ ask: fc.constant('repeat' as const), request: newest }) },
);

const diesAfter = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: fc.integer({ min: 2, max: 12 }) },
);

const sending: fc.Arbitrary<Sending> = record({ gateway: fc.nat({ max: 1 }), diesAfter });

const seconds = fc.constantFrom(1, 41, 641, 3607, 8009, 21_613, 43_313, 87_011);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 24, arbitrary: record({ step: fc.constant('ask' as const), asking, sending }) },
  {
    weight: 3,
    arbitrary: record({
      step: fc.constant('ask at once' as const),
      asking: fc.tuple(asking, asking),
      order: fc.array(fc.nat({ max: 1 }), { minLength: 4, maxLength: 40 }),
      diesAfter,
    }),
  },
  { weight: 6, arbitrary: record({ step: fc.constant('wait' as const), seconds }) },
  {
    weight: 1,
    arbitrary: record({
      step: fc.constant('set clock' as const),
      gateway: fc.nat({ max: 1 }),
      seconds: fc.constantFrom(-mostSkew, 0, mostSkew),
    }),
  },
  {
    weight: 4,
    arbitrary: record({
      step: fc.constant('decide' as const),
      request: some,
      approve: fc.integer({ min: 0, max: 3 }).map((n) => n > 0),
    }),
  },
  {
    weight: 4,
    arbitrary: record({
      step: fc.constant('revoke' as const),
      certificate: newest,
      reason: fc.constantFrom(...revocationReasons),
    }),
  },
  { weight: 1, arbitrary: record({ step: fc.constant('raise' as const), certificate: some }) },
  {
    weight: 4,
    arbitrary: record({
      step: fc.constant('add user' as const),
      user: some,
      uses: fc.constantFrom(undefined, 1, 1, 2, 3),
      seconds: fc.constantFrom(undefined, undefined, undefined, 5003, 90_001),
    }),
  },
  { weight: 2, arbitrary: record({ step: fc.constant('remove user' as const), user: some }) },
  { weight: 1, arbitrary: record({ step: fc.constant('replace registration authority' as const) }) },
  {
    weight: 2,
    arbitrary: record({
      step: fc.constant('rename' as const),
      what: fc.constantFrom(
        'first' as const,
        'second' as const,
        'line' as const,
        'line without its state' as const,
      ),
    }),
  },
  {
    weight: 1,
    arbitrary: record({ step: fc.constant('restart' as const), gateway: fc.nat({ max: 1 }) }),
  },
);

/** Sequences of steps. */
export const sequences: fc.Arbitrary<readonly Step[]> = fc.array(step, {
  minLength: 10,
  maxLength: 40,
  size: 'max',
});
