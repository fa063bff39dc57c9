import type { AliasConfiguration, Configuration } from '../config/configuration.ts';
import { examineQuota } from '../est/enrollment-record.ts';
import { examineKeyHolder, keyRules } from '../est/key-holder.ts';
import type { PermittedEnrollment } from '../est/permitted-enrollment.ts';
import { examineModulus } from '../est/prime-modulus.ts';
import { limitsOfRequest } from '../est/request-limits.ts';
import type { Log } from '../ops/log.ts';
import { createBlocklist } from '../pkix/weak-keys.ts';
import type { Check } from '../policy/check.ts';
import type { Policy } from '../policy/policy.ts';
import { openingTimeout } from '../server/drivers.ts';
import { readTexts } from '../server/files.ts';
import { learnReservedKeys } from '../server/learn-reserved-keys.ts';
import { withState } from './state.ts';

/** A question whose answer may be incomplete. */
export interface StateCheck extends Check {
  /** What could not be looked at and why, a sentence for each; left out: nothing. */
  readonly unknown?: readonly string[];
}

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
 * What the gateway asks the state and the CAs' certificates about a request that the policy grants: whose the key is,
 * and the quota. Nothing is recorded.
 */
export async function examineByState(
  configuration: Configuration,
  { name, options, policy }: TestedAlias,
  permitted: PermittedEnrollment,
): Promise<readonly StateCheck[]> {
  const knownKeys = createBlocklist(await readTexts(options.knownKeys));
  return await withState(configuration, async (store) => {
    const asked = {
      id: '',
      receivedAt: new Date(),
      alias: { name, policy, knownKeys },
      journal: store.enrollments,
      ...limitsOfRequest(configuration.limits),
    };
    const quota = await examineQuota(asked, permitted);
    // The gateway makes the key itself.
    if (permitted.operation === 'serverkeygen') return quota;
    const { reservationOf, unknown } = await learnReservedKeys(configuration, store, noLog);
    const keys = await examineKeyHolder({ ...asked, reservationOf }, permitted);
    return [
      ...keys.map((check) => (isAboutReserved(check) ? { ...check, unknown } : check)),
      ...(await examineModulus(permitted.csr.publicKey, operator, AbortSignal.timeout(openingTimeout))),
      ...quota,
    ];
  });
}

/** Who asks where no client does. */
const operator = { address: undefined, identity: 'operator' };

/** Only these know of keys that are not in the state. */
function isAboutReserved({ rule }: Check): boolean {
  return rule === keyRules.ofCa || rule === keyRules.ofOperator;
}
