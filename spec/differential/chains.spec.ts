import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openWorkplace, type Workplace } from '../support/programs.ts';
import { describeWith } from '../support/programs.ts';
import { createChainGenerator, type Chain } from './chains.ts';
import { disagreements, type Judge } from './disagreements.ts';
import { judgeByGateway, judgeByGo, judgeByOpenssl } from './judges.ts';
import { createRandom, printSeed, seeds, times } from './random.ts';

/** Hierarchies of each seed, with ten clients each. */
const hierarchies = 75 * times;

describeWith('openssl', 'chains of certificates, judged by the gateway, OpenSSL and Go', () => {
  describeWith('go', 'crypto/x509', () => {
    let place: Workplace;
    beforeAll(async () => {
      place = await openWorkplace();
    });
    afterAll(async () => {
      await place.remove();
    });

    it.each(Object.entries(seeds))(
      'T-13 agree but for known reasons, by the %s seed: %i',
      async (_, seed) => {
        printSeed(seed, 'Chains');
        const make = await createChainGenerator();
        const random = createRandom(seed);
        const chains: Chain[] = [];
        const judged: Record<Judge | 'gateway', string[]> = { gateway: [], openssl: [], go: [] };
        for (let made = 0; made < hierarchies; made += 1) {
          const ofOne = await make(random);
          chains.push(...ofOne);
          judged.openssl.push(...(await judgeByOpenssl(ofOne, place)));
          for (const chain of ofOne) judged.gateway.push(await judgeByGateway(chain));
        }
        judged.go.push(...(await judgeByGo(chains)));
        const unexplained = chains.flatMap((chain, at) =>
          (['openssl', 'go'] as const).flatMap((judge) => {
            const [gateway = '', other = ''] = [judged.gateway[at], judged[judge][at]];
            return isExplained(judge, chain, gateway, other)
              ? []
              : [
                  `seed ${seed}, chain ${at} (${[...chain.features].join(', ')}): gateway: ${gateway}; ${judge}: ${other}`,
                ];
          }),
        );
        expect(unexplained).toEqual([]);
        const valid = judged.gateway.filter((judgement) => judgement === 'valid').length;
        expect(valid).toBeGreaterThan(chains.length / 10);
        expect(valid).toBeLessThan((chains.length * 9) / 10);
      },
      300_000 * times,
    );
  });
});

describe('the table of disagreements', () => {
  it('says of each class who is right by which section', () => {
    for (const { section, right } of disagreements) {
      expect(section).toMatch(/^RFC \d+, section/);
      expect(right).toMatch(/^(gateway|judge|both: )/);
    }
  });
});

function isExplained(judge: Judge, { features }: Chain, gateway: string, other: string): boolean {
  const refusal = (judgement: string): string | undefined => (judgement === 'valid' ? undefined : judgement);
  if ((gateway === 'valid') === (other === 'valid')) return true;
  return disagreements.some(
    (known) => known.judge === judge && known.covers(features, refusal(gateway), refusal(other)),
  );
}
