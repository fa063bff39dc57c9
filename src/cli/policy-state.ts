import { userIdentity } from '../auth/store-users.ts';
import type { AliasConfiguration, Configuration } from '../config/configuration.ts';
import type { EstError } from '../errors.ts';
import { limitsOfRequest } from '../est/request-limits.ts';
import type { ClientIdentity } from '../identity.ts';
import type { Log } from '../ops/log.ts';
import { createBlocklist } from '../pkix/weak-keys.ts';
import type { AskedEnrollment } from '../policy/asked-enrollment.ts';
import { refusalBy, type Check } from '../policy/check.ts';
import { compare } from '../policy/enrollment-record.ts';
import { examination, form, namesOfCa, repeat, type StateServices } from '../policy/examination.ts';
import { keyRules } from '../policy/key-holder.ts';
import type { Policy } from '../policy/policy.ts';
import { openingTimeout } from '../server/drivers.ts';
import { readTexts } from '../server/files.ts';
import { learnFromBackends } from '../server/learn-from-backends.ts';
import type { StateStore } from '../store/store.ts';
import { withState } from './state.ts';

/** What a rule says. */
export type Verdict =
  | { readonly state: 'passed'; readonly rule: string }
  | { readonly state: 'refused'; readonly rule: string; readonly refusal: EstError }
  /** With what could not be looked at and why, a sentence for each. */
  | { readonly state: 'unknown'; readonly rule: string; readonly unknown: readonly string[] }
  /** Only a client at the gateway can show it. */
  | { readonly state: 'skipped'; readonly rule: string };

/** An alias, of which the name stands in the configuration, and its policy. */
interface TestedAlias {
  readonly name: string;
  readonly options: AliasConfiguration;
  readonly policy: Policy;
}

const silence = (): void => undefined;

/** What cannot be reached stands in the line of its rule. */
const noLog: Log = { error: silence, warn: silence, info: silence, debug: silence };

/**
 * The examination of a request in the order of the gateway, which goes on after a refusal. What needs a client at the
 * gateway is skipped, the webhook is not asked, and nothing is recorded.
 */
export async function examineByState(
  configuration: Configuration,
  { name, options, policy }: TestedAlias,
  asked: AskedEnrollment,
  address: string | undefined,
): Promise<readonly Verdict[]> {
  const knownKeys = createBlocklist(await readTexts(options.knownKeys));
  return await withState(configuration, async (store) => {
    const learnt = await learnFromBackends(configuration, store, noLog);
    const { reservationOf, unknown } = learnt;
    const ca = learnt.certificationAuthorities.get(name);
    const id = await store.aliases.identify(name, configuration.file);
    const services: StateServices = {
      id: '',
      receivedAt: new Date(),
      alias: {
        id,
        name,
        policy,
        madeFor: { terms: '', how: '' },
        knownKeys,
        ca: ca ?? {},
        askPolicyWebhook: undefined,
      },
      journal: store.enrollments,
      reservationOf,
      credentials: { address },
      signal: AbortSignal.timeout(openingTimeout),
      ...limitsOfRequest(configuration.limits),
    };
    const identity = await withLimits(store, id, asked.identity);
    const compared = await compare(services, { ...asked, identity, otpUser: undefined });
    const verdicts: Verdict[] = [];
    for (const step of examination) {
      if (step.name === namesOfCa && ca === undefined) {
        verdicts.push({ state: 'unknown', rule: step.name, unknown });
      } else if (step.needs === 'compared') {
        for (const check of await step.ask(services, compared))
          verdicts.push(await verdictOf(check, unknown));
      } else {
        // The form of the file was read before.
        const isKnown = step === form || step === repeat;
        verdicts.push({ state: isKnown ? 'passed' : 'skipped', rule: step.name });
      }
    }
    return verdicts;
  });
}

/** The user as the gateway would know it when it has shown its code; users of other sources have no limits. */
async function withLimits(
  { users }: StateStore,
  alias: string,
  identity: ClientIdentity,
): Promise<ClientIdentity> {
  const user = identity.user && (await users.find(alias, identity.user.name));
  return user === undefined ? identity : { ...identity, user: userIdentity(user) };
}

async function verdictOf(check: Check, unknown: readonly string[]): Promise<Verdict> {
  const { rule } = check;
  const refusal = await refusalBy(check);
  if (refusal !== undefined) return { state: 'refused', rule, refusal };
  return isAboutReserved(check) && unknown.length > 0
    ? { state: 'unknown', rule, unknown }
    : { state: 'passed', rule };
}

/** Only these know of keys that are not in the state. */
function isAboutReserved({ rule }: Check): boolean {
  return rule === keyRules.ofCa || rule === keyRules.ofOperator;
}
