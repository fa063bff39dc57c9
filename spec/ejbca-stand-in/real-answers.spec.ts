import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { caProbes } from './probes/ca-probes.ts';
import {
  certificateRequestProbes,
  keyStoreProbes,
  namesProbes,
  pkcs10EnrollProbes,
  type Probe,
} from './probes/enrollment-probes.ts';
import realAnswers from './probes/real-answers.json' with { type: 'json' };
import { searchProbes } from './probes/search-probes.ts';
import { startProbeSite, type ProbeSite } from './probes/site.ts';
import { webServiceProbes } from './probes/web-service-probes.ts';

const prefixed = (prefix: string, probes: Readonly<Record<string, Probe>>): Readonly<Record<string, Probe>> =>
  Object.fromEntries(Object.entries(probes).map(([name, probe]) => [`${prefix}: ${name}`, probe]));

const probes: Readonly<Record<string, Probe>> = {
  ...prefixed('pkcs10enroll', pkcs10EnrollProbes),
  ...namesProbes,
  ...searchProbes,
  ...caProbes,
  ...prefixed('certificaterequest', certificateRequestProbes),
  ...keyStoreProbes,
  ...webServiceProbes,
};

describe('what EJBCA Community 8.2.0.1 answered', () => {
  let site: ProbeSite;

  beforeAll(async () => {
    site = await startProbeSite();
  });

  afterAll(async () => {
    await site.stop();
  });

  it('is asked of the stand-in, all of it', () => {
    expect(Object.keys(probes).sort()).toEqual(Object.keys(realAnswers).sort());
  });

  it.each(Object.entries(realAnswers))('%s', async (name, answer) => {
    expect(await probes[name]?.(site)).toBe(answer);
  });
});
