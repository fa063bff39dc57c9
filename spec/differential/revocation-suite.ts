import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';
import { createRandom, printSeed, seeds, times, type Random } from './random.ts';

/** What is judged, and what is special about it. */
interface Situation {
  readonly features: ReadonlySet<string>;
}

/** A class of situations about which OpenSSL and the gateway disagree, and who is right. */
export interface RevocationDisagreement<Judgement> {
  readonly what: string;
  readonly section: string;
  readonly right: 'gateway' | 'openssl' | 'both: the RFC leaves it open';
  readonly covers: (features: ReadonlySet<string>, gateway: Judgement, openssl: Judgement) => boolean;
}

/** Situations that the gateway and OpenSSL judge. */
export interface RevocationSuite<Judged extends Situation, Judgement extends string> {
  readonly title: string;
  /** How many lists of situations each seed makes. */
  readonly lists: number;
  readonly createGenerator: () => Promise<(random: Random) => Promise<readonly Judged[]>>;
  readonly byGateway: (situation: Judged) => Promise<Judgement>;
  readonly byOpenssl: (situations: readonly Judged[], place: Workplace) => Promise<readonly Judgement[]>;
  readonly disagreements: readonly RevocationDisagreement<Judgement>[];
  /** All of them must occur. */
  readonly judgements: readonly (Judgement | 'undetermined')[];
}

/** The gateway and OpenSSL judge alike by a fixed seed and by one that changes, but for the classes that are known. */
export function describeRevocationSuite<Judged extends Situation, Judgement extends string>({
  title,
  lists,
  createGenerator,
  byGateway,
  byOpenssl,
  disagreements,
  judgements,
}: RevocationSuite<Judged, Judgement | 'undetermined'>): void {
  describeWith('openssl', `${title}, judged by the gateway and OpenSSL`, () => {
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
        printSeed(seed, title);
        const make = await createGenerator();
        const random = createRandom(seed);
        const unexplained: string[] = [];
        const judged = new Set<string>();
        for (let made = 0; made < lists; made += 1) {
          const situations = await make(random);
          const others = await byOpenssl(situations, place);
          for (const [at, situation] of situations.entries()) {
            const { features } = situation;
            const [gateway, openssl = 'undetermined'] = [await byGateway(situation), others[at]];
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
        expect(judged).toEqual(new Set(judgements));
      },
      300_000 * times,
    );
  });
}
