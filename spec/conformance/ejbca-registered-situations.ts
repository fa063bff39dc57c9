/** Situations of registered end entities: client mode and vendor mode. */
import { generalName, sequence } from '../support/csr.ts';
import { code, commonNameOf, type Outcome, type Situation } from './ejbca-fleet.ts';

const wrongEnrollmentCode = 'Invalid username, enrollment code, or end entity status';

export const situationsOfRegistered: readonly Situation[] = [
  {
    situation: 'client mode: the right code as challengePassword',
    ejbca: 200,
    ask: async (fleet, way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.registered(), code)),
  },
  {
    situation: 'client mode: an end entity that is unknown',
    ejbca: 400,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.freshName(), code)),
  },
  {
    situation: 'client mode: a wrong code',
    ejbca: 400,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.registered(), 'wrong')),
  },
  {
    situation: 'client mode: an end entity that is not NEW',
    ejbca: 400,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) =>
      await fleet.post(
        `challenge-${way}`,
        await fleet.challengeCsr(fleet.registered({ status: 'GENERATED' }), code),
      ),
  },
  {
    situation: 'client mode: another certificate by the same code',
    ejbca: 400,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) => {
      const username = fleet.registered();
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(username, code));
      return await fleet.post(`challenge-${way}`, await fleet.challengeCsr(username, code));
    },
  },
  {
    situation: 'client mode: another certificate after the end entity was set to NEW again',
    ejbca: 200,
    ask: async (fleet, way) => {
      const username = fleet.registered();
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(username, code));
      fleet.setNew(username);
      return await fleet.post(`challenge-${way}`, await fleet.challengeCsr(username, code));
    },
  },
  {
    situation: 'client mode: the right code as a part of the DN',
    ejbca: 200,
    ask: async (fleet, way) =>
      await fleet.post(`dnpart-${way}`, await fleet.dnPartCsr(fleet.registered(), code)),
  },
  {
    situation: 'client mode: the part of the DN that holds the code is missing',
    ejbca: 400,
    says: 'Could not extract password from CSR request using the DnPartPwd authentication module',
    ask: async (fleet, way) => await fleet.post(`dnpart-${way}`, await fleet.freshCsr(fleet.registered())),
  },
  {
    situation: 'client mode: the code as challengePassword where a part of the DN holds it',
    ejbca: 400,
    ask: async (fleet, way) =>
      await fleet.post(`dnpart-${way}`, await fleet.challengeCsr(fleet.registered(), code)),
  },
  {
    situation: 'client mode: the right code by HTTP Basic',
    ejbca: 200,
    ask: async (fleet, way) => {
      const Authorization = `Basic ${Buffer.from(`${fleet.registered()}:${code}`).toString('base64')}`;
      return await fleet.post(`basicauth-${way}`, await fleet.freshCsr(), { headers: { Authorization } });
    },
  },
  {
    situation: 'client mode: a wrong code by HTTP Basic',
    ejbca: 400,
    rfc: 401,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) => {
      const Authorization = `Basic ${Buffer.from(`${fleet.registered()}:wrong`).toString('base64')}`;
      return await fleet.post(`basicauth-${way}`, await fleet.freshCsr(), { headers: { Authorization } });
    },
  },
  {
    situation: 'client mode: simplereenroll without a code',
    ejbca: 200,
    ask: async (fleet, way) => {
      const shown = await fleet.enrolledByCode(way);
      return await fleet.post(`challenge-${way}`, await fleet.freshCsr(shown.commonName), {
        operation: 'simplereenroll',
        shown,
      });
    },
  },
  {
    situation: 'client mode: simplereenroll of an end entity that has been renamed',
    ejbca: 200,
    ask: async (fleet, way) => {
      const shown = await fleet.enrolledByCode(way);
      fleet.rename(shown.commonName);
      return await fleet.post(`challenge-${way}`, await fleet.freshCsr(shown.commonName), {
        operation: 'simplereenroll',
        shown,
      });
    },
  },
  {
    situation: 'client mode: simplereenroll without a client certificate',
    ejbca: 401,
    rfc: 403,
    ask: async (fleet, way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.registered(), code), {
        operation: 'simplereenroll',
      }),
  },
  {
    situation: 'client mode: serverkeygen by the right code',
    ejbca: 200,
    ask: async (fleet, way) =>
      await fleet.post(`challenge-${way}`, await fleet.challengeCsr(fleet.registered(), code), {
        operation: 'serverkeygen',
      }),
  },
  {
    situation: 'client mode: serverkeygen again by the same code',
    ejbca: 400,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) => {
      const username = fleet.registered();
      const ask = async (): Promise<Outcome> =>
        await fleet.post(`challenge-${way}`, await fleet.challengeCsr(username, code), {
          operation: 'serverkeygen',
        });
      await ask();
      return await ask();
    },
  },
  {
    situation: 'client mode: serverkeygen with a client certificate of the CA in place of a code',
    ejbca: 200,
    ask: async (fleet, way) => {
      const shown = await fleet.enrolledByCode(way);
      return await fleet.post(`challenge-${way}`, await fleet.freshCsr(shown.commonName), {
        operation: 'serverkeygen',
        shown,
      });
    },
  },
  {
    situation: 'vendor mode: a vendor certificate of a registered end entity',
    ejbca: 200,
    ask: async (fleet, way) => {
      const shown = await fleet.vendorDevice();
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: no client certificate',
    ejbca: 400,
    rfc: 403,
    compatible: 401,
    ask: async (fleet, way) => await fleet.post(`vendor-${way}`, await fleet.freshCsr(fleet.registered())),
  },
  {
    situation: 'vendor mode: no end entity of this name',
    ejbca: 400,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) => {
      const shown = await fleet.certified('Vendor CA', fleet.freshName());
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: an end entity that is not NEW',
    ejbca: 400,
    says: wrongEnrollmentCode,
    ask: async (fleet, way) => {
      const shown = await fleet.vendorDevice({ status: 'GENERATED' });
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: another subject than that of the vendor certificate',
    ejbca: 400,
    says: "Can't enroll using different subject than requesting certificate.",
    ask: async (fleet, way) =>
      await fleet.post(`vendor-${way}`, await fleet.freshCsr(fleet.registered()), {
        shown: await fleet.vendorDevice(),
      }),
  },
  {
    situation: 'vendor mode: another subject than that of the vendor certificate, and ChangeSubjectName',
    ejbca: 400,
    rfc: 403,
    ask: async (fleet, way) => {
      const shown = await fleet.vendorDevice();
      const commonName = fleet.freshName();
      const csr = await fleet.renamingCsr({ ...shown, commonName }, commonNameOf(shown.commonName));
      return await fleet.post(`vendor-${way}`, csr, { shown });
    },
  },
  {
    situation: 'vendor mode: the end entity has another subject, and there is no ChangeSubjectName',
    ejbca: 400,
    says: 'Request DN must match end entity DN.',
    ask: async (fleet, way) => {
      const shown = await fleet.vendorDevice({ subjectDn: `CN=Pump ${fleet.freshName()}` });
      return await fleet.post(`vendor-${way}`, await fleet.freshCsr(shown.commonName), { shown });
    },
  },
  {
    situation: 'vendor mode: ChangeSubjectName has another subject than the end entity',
    ejbca: 400,
    ask: async (fleet, way) => {
      const shown = await fleet.vendorDevice({ subjectDn: `CN=Pump ${fleet.freshName()}` });
      return await fleet.post(`vendor-${way}`, await fleet.renamingCsr(shown, commonNameOf('Other')), {
        shown,
      });
    },
  },
  {
    situation: 'vendor mode: ChangeSubjectName has the subject of the end entity',
    ejbca: 200,
    ask: async (fleet, way) => {
      const pump = `Pump ${fleet.freshName()}`;
      const shown = await fleet.vendorDevice({ subjectDn: `CN=${pump}` });
      return await fleet.post(`vendor-${way}`, await fleet.renamingCsr(shown, commonNameOf(pump)), { shown });
    },
  },
  {
    situation: 'vendor mode: ChangeSubjectName has the subjectAltName of the end entity alone',
    ejbca: 200,
    ask: async (fleet, way) => {
      const shown = await fleet.vendorDevice({ subjectAltName: 'dNSName=pump.example' });
      const names = sequence(generalName(2, 'pump.example'));
      return await fleet.post(`vendor-${way}`, await fleet.renamingCsr(shown, names), { shown });
    },
  },
];
