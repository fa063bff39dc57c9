/**
 * What EJBCA's own EST answers, as its system tests demand it (EstRAModeBasicSystemTest, EstClientModeBasicSystemTest,
 * EstVendorModeTest), row by row through the gateway and the stand-in, with both values of `compatibility`.
 */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { certificatesFromPem } from '../../src/pkix/certificate.ts';
import { nameToString } from '../../src/pkix/names.ts';
import { startEjbcaGateway, type EjbcaGateway } from '../ejbca/setup.ts';
import type { Answer } from '../support/client.ts';
import {
  certificationRequest,
  generalName,
  generateKeyPair,
  id,
  name,
  subjectAltName,
  utf8String,
} from '../support/csr.ts';
import { certificateOf, plainCsr, privatePem } from '../support/device.ts';
import { code, createFleet, modes, ways, withUser, type Fleet, type Way } from './ejbca-fleet.ts';

let running: EjbcaGateway;
let fleet: Fleet;
beforeAll(async () => {
  running = await startEjbcaGateway({
    aliases: Object.fromEntries(
      Object.entries(modes).flatMap(([mode, settings]) =>
        ways.map((compatibility) => [`${mode}-${compatibility}`, { ...settings, alias: { compatibility } }]),
      ),
    ),
    prepare: async (ejbca) => {
      ejbca.addEndEntityProfile('No SAN', { alternativeNames: [] });
      await ejbca.addCertificationAuthority('Vendor CA');
      await ejbca.addCertificationAuthority('Foreign CA');
    },
  });
  fleet = createFleet(running);
});
afterAll(async () => {
  await running.stop();
});

const wrongUser = { headers: { Authorization: `Basic ${Buffer.from('device:wrong').toString('base64')}` } };

const commonNameOf = (text: string): Buffer => name([id.commonName, utf8String(text)]);

interface Row {
  readonly situation: string;
  /** EJBCA's own answer. */
  readonly ejbca: number;
  /** The gateway's, where it differs: with `compatibility: rfc`, and with `ejbca`. */
  readonly rfc?: number;
  readonly compatible?: number;
  readonly ask: (way: Way) => Promise<Answer>;
}

const rows: readonly Row[] = [
  { situation: 'an alias that is unknown', ejbca: 400, ask: async () => await fleet.get('/nothing/cacerts') },
  {
    situation: 'an alias of more than 32 characters',
    ejbca: 400,
    ask: async () => await fleet.get(`/${'a'.repeat(33)}/cacerts`),
  },
  {
    situation: 'an operation that is unknown',
    ejbca: 404,
    ask: async (way) => await fleet.get(`/ra-${way}/nothing`),
  },
  { situation: 'an alias and no operation', ejbca: 404, ask: async (way) => await fleet.get(`/ra-${way}`) },
  {
    situation: 'csrattrs of an alias that demands nothing',
    ejbca: 404,
    rfc: 204,
    ask: async (way) => await fleet.get(`/ra-${way}/csrattrs`),
  },
  {
    situation: 'cacerts without authentication',
    ejbca: 200,
    ask: async (way) => await fleet.get(`/ra-both-${way}/cacerts`),
  },
  {
    situation: 'RA mode: no Authorization',
    ejbca: 401,
    ask: async (way) => await fleet.post(`ra-${way}`, await fleet.freshCsr()),
  },
  {
    situation: 'RA mode: a wrong password',
    ejbca: 401,
    ask: async (way) => await fleet.post(`ra-${way}`, await fleet.freshCsr(), wrongUser),
  },
  {
    situation: 'RA mode: user and password, and no client certificate where one is required too',
    ejbca: 401,
    rfc: 403,
    ask: async (way) => await fleet.post(`ra-both-${way}`, await fleet.freshCsr(), withUser),
  },
  {
    situation: 'RA mode: a client certificate without user and password where both are required',
    ejbca: 401,
    ask: async (way) =>
      await fleet.post(`ra-both-${way}`, await fleet.freshCsr(), { shown: await fleet.enrolled(way) }),
  },
  {
    situation: 'RA mode: a client certificate where user and password are required',
    ejbca: 401,
    ask: async (way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), { shown: await fleet.enrolled(way) }),
  },
  {
    situation: 'RA mode: a client certificate that gives no right',
    ejbca: 403,
    ask: async (way) =>
      await fleet.post(`ra-certificate-${way}`, await fleet.freshCsr(), {
        shown: await fleet.certified('Foreign CA', 'stranger'),
      }),
  },
  {
    situation: 'RA mode: no client certificate where one is required',
    ejbca: 401,
    rfc: 403,
    ask: async (way) => await fleet.post(`ra-certificate-${way}`, await fleet.freshCsr()),
  },
  {
    situation: 'RA mode: user and password are right',
    ejbca: 200,
    ask: async (way) => await fleet.post(`ra-${way}`, await fleet.freshCsr(), withUser),
  },
  {
    situation: 'RA mode: the end entity profile refuses the request',
    ejbca: 400,
    ask: async (way) => {
      const csr = await certificationRequest({
        key: await generateKeyPair('P-256'),
        subject: commonNameOf(fleet.freshName()),
        extensions: [subjectAltName(generalName(2, 'device.example'))],
      });
      return await fleet.post(`ra-strict-${way}`, csr, withUser);
    },
  },
  {
    situation: 'RA mode: another enrolment under the same name',
    ejbca: 200,
    ask: async (way) => {
      const commonName = fleet.freshName();
      await fleet.post(`ra-${way}`, await fleet.freshCsr(commonName), withUser);
      return await fleet.post(`ra-${way}`, await fleet.freshCsr(commonName), withUser);
    },
  },
  {
    situation: 'simplereenroll without a client certificate',
    ejbca: 401,
    rfc: 403,
    ask: async (way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), { operation: 'simplereenroll', ...withUser }),
  },
  {
    situation: 'simplereenroll with a client certificate, without user and password',
    ejbca: 200,
    ask: async (way) => {
      const shown = await fleet.enrolled(way);
      return await fleet.post(`ra-${way}`, await fleet.freshCsr(shown.commonName), {
        operation: 'simplereenroll',
        shown,
      });
    },
  },
  {
    situation: 'simplereenroll with the same key where that is allowed',
    ejbca: 200,
    ask: async (way) => {
      const shown = await fleet.enrolled(way);
      const csr = await plainCsr(shown.commonName, shown.keyPair);
      return await fleet.post(`ra-${way}`, csr, { operation: 'simplereenroll', shown });
    },
  },
  {
    situation: 'simplereenroll with the same key where that is not allowed',
    ejbca: 400,
    rfc: 403,
    ask: async (way) => {
      const shown = await fleet.enrolled(way);
      const csr = await plainCsr(shown.commonName, shown.keyPair);
      return await fleet.post(`ra-newkeys-${way}`, csr, { operation: 'simplereenroll', shown });
    },
  },
  {
    situation: 'simplereenroll again with the old certificate, since the reply was lost',
    ejbca: 200,
    ask: async (way) => {
      const shown = await fleet.enrolled(way);
      const csr = await fleet.freshCsr(shown.commonName);
      await fleet.post(`ra-newkeys-${way}`, csr, { operation: 'simplereenroll', shown });
      return await fleet.post(`ra-newkeys-${way}`, csr, { operation: 'simplereenroll', shown });
    },
  },
  {
    situation: 'simplereenroll under another subject than that of the client certificate',
    ejbca: 400,
    rfc: 403,
    ask: async (way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), {
        operation: 'simplereenroll',
        shown: await fleet.enrolled(way),
      }),
  },
  {
    situation: 'serverkeygen with user and password',
    ejbca: 200,
    ask: async (way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), { operation: 'serverkeygen', ...withUser }),
  },
  {
    situation: 'serverkeygen with a client certificate of the CA in place of user and password',
    ejbca: 200,
    rfc: 401,
    compatible: 401,
    ask: async (way) => {
      const shown = await fleet.enrolled(way);
      return await fleet.post(`ra-${way}`, await fleet.freshCsr(shown.commonName), {
        operation: 'serverkeygen',
        shown,
      });
    },
  },
  {
    situation: 'client mode: the right code as challengePassword',
    ejbca: 200,
    ask: async (way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.registered(), code)),
  },
  {
    situation: 'client mode: an end entity that is unknown',
    ejbca: 400,
    ask: async (way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.freshName(), code)),
  },
  {
    situation: 'client mode: a wrong code',
    ejbca: 400,
    ask: async (way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.registered(), 'wrong')),
  },
  {
    situation: 'client mode: an end entity that is not NEW',
    ejbca: 400,
    ask: async (way) =>
      await fleet.post(
        `challenge-${way}`,
        await fleet.challengeCsr(fleet.registered({ status: 'GENERATED' }), code),
      ),
  },
  {
    situation: 'client mode: another certificate by the same code',
    ejbca: 400,
    ask: async (way) => {
      const username = fleet.registered();
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(username, code));
      return await fleet.post(`challenge-${way}`, await fleet.challengeCsr(username, code));
    },
  },
  {
    situation: 'client mode: the right code as a part of the DN',
    ejbca: 200,
    ask: async (way) => await fleet.post(`dnpart-${way}`, await fleet.dnPartCsr(fleet.registered(), code)),
  },
  {
    situation: 'client mode: the part of the DN that holds the code is missing',
    ejbca: 400,
    ask: async (way) => await fleet.post(`dnpart-${way}`, await fleet.freshCsr(fleet.registered())),
  },
  {
    situation: 'client mode: the code as challengePassword where a part of the DN holds it',
    ejbca: 400,
    ask: async (way) => await fleet.post(`dnpart-${way}`, await fleet.challengeCsr(fleet.registered(), code)),
  },
  {
    situation: 'client mode: a wrong code by HTTP Basic',
    ejbca: 400,
    rfc: 401,
    ask: async (way) => {
      const Authorization = `Basic ${Buffer.from(`${fleet.registered()}:wrong`).toString('base64')}`;
      return await fleet.post(`basicauth-${way}`, await fleet.freshCsr(), { headers: { Authorization } });
    },
  },
  {
    situation: 'client mode: simplereenroll without a code',
    ejbca: 200,
    ask: async (way) => {
      const keyPair = await generateKeyPair('P-256');
      const commonName = fleet.registered();
      const cert = await certificateOf(
        await fleet.post(`challenge-${way}`, await fleet.challengeCsr(commonName, code, keyPair)),
      );
      const shown = { commonName, keyPair, key: privatePem(keyPair.privateKey), cert };
      return await fleet.post(`challenge-${way}`, await fleet.freshCsr(commonName), {
        operation: 'simplereenroll',
        shown,
      });
    },
  },
  {
    situation: 'client mode: serverkeygen by the right code',
    ejbca: 200,
    ask: async (way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.registered(), code), {
        operation: 'serverkeygen',
      }),
  },
  {
    situation: 'vendor mode: a vendor certificate of a registered end entity',
    ejbca: 200,
    ask: async (way) => {
      const shown = await fleet.vendorDevice();
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: no client certificate',
    ejbca: 400,
    rfc: 403,
    compatible: 401,
    ask: async (way) => await fleet.post(`vendor-${way}`, await fleet.freshCsr(fleet.registered())),
  },
  {
    situation: 'vendor mode: no end entity of this name',
    ejbca: 400,
    ask: async (way) => {
      const shown = await fleet.certified('Vendor CA', fleet.freshName());
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: an end entity that is not NEW',
    ejbca: 400,
    ask: async (way) => {
      const shown = await fleet.vendorDevice({ status: 'GENERATED' });
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: another subject than that of the vendor certificate',
    ejbca: 400,
    ask: async (way) =>
      await fleet.post(`vendor-${way}`, await fleet.freshCsr(fleet.registered()), {
        shown: await fleet.vendorDevice(),
      }),
  },
  {
    situation: 'vendor mode: the end entity has another subject, and there is no ChangeSubjectName',
    ejbca: 400,
    ask: async (way) => {
      const shown = await fleet.vendorDevice({ subjectDn: `CN=Pump ${fleet.freshName()}` });
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: ChangeSubjectName has another subject than the end entity',
    ejbca: 400,
    ask: async (way) => {
      const shown = await fleet.vendorDevice({ subjectDn: `CN=Pump ${fleet.freshName()}` });
      return await fleet.post(`vendor-${way}`, await fleet.renamingCsr(shown, commonNameOf('Other')), {
        shown,
      });
    },
  },
  {
    situation: 'vendor mode: ChangeSubjectName has the subject of the end entity',
    ejbca: 200,
    ask: async (way) => {
      const pump = `Pump ${fleet.freshName()}`;
      const shown = await fleet.vendorDevice({ subjectDn: `CN=${pump}` });
      return await fleet.post(`vendor-${way}`, await fleet.renamingCsr(shown, commonNameOf(pump)), { shown });
    },
  },
];

describe.each(ways)("EJBCA's EST, with compatibility: %s", (way) => {
  it.each(rows)('$situation', async ({ ejbca, rfc = ejbca, compatible = ejbca, ask }) => {
    const answer = await ask(way);
    expect([answer.status, answer.body]).toEqual([way === 'rfc' ? rfc : compatible, expect.anything()]);
  });

  it('gives exactly one certificate, and the chain by cacerts', async () => {
    const answer = await fleet.post(`ra-${way}`, await fleet.freshCsr(), withUser);
    expect(certificatesFromPem(await certificateOf(answer))).toHaveLength(1);
    const bag = Buffer.from((await fleet.get(`/ra-${way}/cacerts`)).body, 'base64');
    for (const der of running.ejbca.database.certificationAuthorities.get('Device CA')?.chain ?? []) {
      expect(bag.includes(der)).toBe(true);
    }
  });

  it('client mode: certifies the registered subject, not that of the CSR', async () => {
    const username = fleet.freshName();
    running.ejbca.addEndEntity({ username, password: code, subjectDn: `CN=${username},O=Registered` });
    const answer = await fleet.post(`dnpart-${way}`, await fleet.dnPartCsr(username, code));
    const [certificate] = certificatesFromPem(await certificateOf(answer));
    expect(certificate && nameToString(certificate.subject)).toBe(`O=Registered,CN=${username}`);
  });
});

it('docs/compatibility.md has every row that differs from EJBCA', () => {
  const page = readFileSync('docs/compatibility.md', 'utf8').split('\n');
  for (const { situation, ejbca, rfc = ejbca, compatible = ejbca } of rows) {
    if (rfc === ejbca && compatible === ejbca) continue;
    const cells = page.find((line) => line.startsWith(`| ${situation} `))?.split('|') ?? [];
    const found = cells.slice(1, 5).map((cell) => cell.trim());
    expect(found).toEqual([situation, String(ejbca), String(rfc), String(compatible)]);
  }
});
