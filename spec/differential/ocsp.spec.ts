import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';
import { judgeOcspByOpenssl } from './judges.ts';
import { createOcspGenerator, judgeOcspByGateway, type OcspJudgement } from './ocsp.ts';
import { createRandom, printSeed, seeds, times } from './random.ts';

/** Answers of each seed, about ten clients each. */
const answers = 15 * times;

/** A class of situations about which OpenSSL and the gateway disagree, and who is right. */
interface Disagreement {
  readonly what: string;
  readonly section: string;
  readonly right: 'gateway' | 'openssl' | 'both: the RFC leaves it open';
  readonly covers: (features: ReadonlySet<string>, gateway: OcspJudgement, openssl: OcspJudgement) => boolean;
}

const disagreements: readonly Disagreement[] = [
  {
    what: 'OpenSSL ignores critical extensions that it does not know',
    section: 'RFC 6960, section 4.1.2',
    right: 'gateway',
    covers: (features, gateway) => features.has('critical extension') && gateway === 'undetermined',
  },
  {
    what: 'OpenSSL lets a responder answer whose key is not for signatures',
    section: 'RFC 5280, section 4.2.1.3',
    right: 'gateway',
    covers: (features, gateway) => features.has('responder enciphering') && gateway === 'undetermined',
  },
  {
    what: 'to OpenSSL an answer without nextUpdate never gets old',
    section: 'RFC 6960, section 4.2.2.1',
    right: 'both: the RFC leaves it open',
    covers: (features, gateway) => features.has('dates old, no end') && gateway === 'undetermined',
  },
  {
    what: 'OpenSSL refuses an answer altogether that speaks of certificates of another issuer, too',
    section: 'RFC 6960, section 3.2, item 4',
    right: 'gateway',
    covers: (features, _gateway, openssl) =>
      features.has('about another issuer, too') && openssl === 'undetermined',
  },
];

describeWith('openssl', 'OCSP answers, judged by the gateway and OpenSSL', () => {
  let place: Workplace;
  beforeAll(async () => {
    place = await openWorkplace();
  });
  afterAll(async () => {
    await place.remove();
  });

  it.each(Object.entries(seeds))(
    'S-07 agree but for known reasons, by the %s seed: %i',
    async (_, seed) => {
      printSeed(seed, 'OCSP answers');
      const make = await createOcspGenerator();
      const random = createRandom(seed);
      const unexplained: string[] = [];
      const judged = new Set<OcspJudgement>();
      for (let made = 0; made < answers; made += 1) {
        const situations = await make(random);
        const others = await judgeOcspByOpenssl(situations, place);
        for (const [at, situation] of situations.entries()) {
          const { features } = situation;
          const [gateway, openssl = 'undetermined'] = [await judgeOcspByGateway(situation), others[at]];
          judged.add(gateway);
          const isKnown =
            gateway === openssl || disagreements.some(({ covers }) => covers(features, gateway, openssl));
          if (!isKnown)
            unexplained.push(
              `seed ${seed}, ${made}.${at} (${[...features].join(', ')}): gateway: ${gateway}; openssl: ${openssl}`,
            );
        }
      }
      expect(unexplained).toEqual([]);
      expect(judged.size).toBe(4);
    },
    300_000 * times,
  );
});
