/** Situations of all modes and of RA mode. */
import { certificationRequest, generalName, generateKeyPair, subjectAltName } from '../support/csr.ts';
import { plainCsr } from '../support/device.ts';
import { commonNameOf, withUser, type Situation } from './ejbca-fleet.ts';

const wrongUser = { headers: { Authorization: `Basic ${Buffer.from('device:wrong').toString('base64')}` } };

export const situationsInRaMode: readonly Situation[] = [
  {
    situation: 'an alias that is unknown',
    ejbca: 400,
    ask: async (fleet) => await fleet.get('/nothing/cacerts'),
  },
  {
    situation: 'an alias of more than 32 characters',
    ejbca: 400,
    ask: async (fleet) => await fleet.get(`/${'a'.repeat(33)}/cacerts`),
  },
  {
    situation: 'an operation that is unknown',
    ejbca: 404,
    ask: async (fleet, way) => await fleet.get(`/ra-${way}/nothing`),
  },
  {
    situation: 'an alias and no operation',
    ejbca: 404,
    ask: async (fleet, way) => await fleet.get(`/ra-${way}`),
  },
  {
    situation: 'csrattrs of an alias that demands nothing',
    ejbca: 404,
    rfc: 204,
    ask: async (fleet, way) => await fleet.get(`/ra-${way}/csrattrs`),
  },
  {
    situation: 'cacerts without authentication',
    ejbca: 200,
    issued: 0,
    ask: async (fleet, way) => await fleet.get(`/ra-both-${way}/cacerts`),
  },
  {
    situation: 'a request of the type application/est',
    ejbca: 200,
    rfc: 415,
    ask: async (fleet, way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), {
        headers: { ...withUser.headers, 'Content-Type': 'application/est' },
      }),
  },
  {
    situation: 'RA mode: no Authorization',
    ejbca: 401,
    ask: async (fleet, way) => await fleet.post(`ra-${way}`, await fleet.freshCsr()),
  },
  {
    situation: 'RA mode: a wrong password',
    ejbca: 401,
    ask: async (fleet, way) => await fleet.post(`ra-${way}`, await fleet.freshCsr(), wrongUser),
  },
  {
    situation: 'RA mode: user and password, and no client certificate where one is required too',
    ejbca: 401,
    rfc: 403,
    ask: async (fleet, way) => await fleet.post(`ra-both-${way}`, await fleet.freshCsr(), withUser),
  },
  {
    situation: 'RA mode: a client certificate without user and password where both are required',
    ejbca: 401,
    ask: async (fleet, way) =>
      await fleet.post(`ra-both-${way}`, await fleet.freshCsr(), { shown: await fleet.enrolled(way) }),
  },
  {
    situation: 'RA mode: a client certificate where user and password are required',
    ejbca: 401,
    ask: async (fleet, way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), { shown: await fleet.enrolled(way) }),
  },
  {
    situation: 'RA mode: a client certificate that gives no right',
    ejbca: 403,
    ask: async (fleet, way) =>
      await fleet.post(`ra-certificate-${way}`, await fleet.freshCsr(), {
        shown: await fleet.certified('Foreign CA', 'stranger'),
      }),
  },
  {
    situation: 'RA mode: no client certificate where one is required',
    ejbca: 401,
    rfc: 403,
    ask: async (fleet, way) => await fleet.post(`ra-certificate-${way}`, await fleet.freshCsr()),
  },
  {
    situation: 'RA mode: a client certificate of the CA where one is required',
    ejbca: 200,
    ask: async (fleet, way) =>
      await fleet.post(`ra-certificate-${way}`, await fleet.freshCsr(), { shown: await fleet.enrolled(way) }),
  },
  {
    situation: 'RA mode: a client certificate of the CA, user and password where both are required',
    ejbca: 200,
    ask: async (fleet, way) =>
      await fleet.post(`ra-both-${way}`, await fleet.freshCsr(), {
        ...withUser,
        shown: await fleet.enrolled(way),
      }),
  },
  {
    situation: 'RA mode: the CA of the alias is not there any more',
    ejbca: 400,
    rfc: 502,
    ask: async (fleet, way) => await fleet.post(`ra-lost-${way}`, await fleet.freshCsr(), withUser),
  },
  {
    situation: 'RA mode: user and password are right',
    ejbca: 200,
    ask: async (fleet, way) => await fleet.post(`ra-${way}`, await fleet.freshCsr(), withUser),
  },
  {
    situation: 'RA mode: the end entity profile refuses the request',
    ejbca: 400,
    ask: async (fleet, way) => {
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
    ask: async (fleet, way) => {
      const commonName = fleet.freshName();
      await fleet.post(`ra-${way}`, await fleet.freshCsr(commonName), withUser);
      return await fleet.post(`ra-${way}`, await fleet.freshCsr(commonName), withUser);
    },
  },
  {
    situation: 'simplereenroll without a client certificate',
    ejbca: 401,
    rfc: 403,
    ask: async (fleet, way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), { operation: 'simplereenroll', ...withUser }),
  },
  {
    situation: 'simplereenroll with a client certificate, without user and password',
    ejbca: 200,
    ask: async (fleet, way) => {
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
    ask: async (fleet, way) => {
      const shown = await fleet.enrolled(way);
      const csr = await plainCsr(shown.commonName, shown.keyPair);
      return await fleet.post(`ra-${way}`, csr, { operation: 'simplereenroll', shown });
    },
  },
  {
    situation: 'simplereenroll with the same key where that is not allowed',
    ejbca: 400,
    rfc: 403,
    ask: async (fleet, way) => {
      const shown = await fleet.enrolled(way);
      const csr = await plainCsr(shown.commonName, shown.keyPair);
      return await fleet.post(`ra-newkeys-${way}`, csr, { operation: 'simplereenroll', shown });
    },
  },
  {
    situation: 'simplereenroll again with the old certificate, since the reply was lost',
    ejbca: 200,
    issued: 0,
    ask: async (fleet, way) => {
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
    ask: async (fleet, way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), {
        operation: 'simplereenroll',
        shown: await fleet.enrolled(way),
      }),
  },
  {
    situation: 'serverkeygen with user and password',
    ejbca: 200,
    ask: async (fleet, way) =>
      await fleet.post(`ra-${way}`, await fleet.freshCsr(), { operation: 'serverkeygen', ...withUser }),
  },
  {
    situation: 'serverkeygen with a client certificate of the CA in place of user and password',
    ejbca: 200,
    ask: async (fleet, way) => {
      const shown = await fleet.enrolled(way);
      return await fleet.post(`ra-${way}`, await fleet.freshCsr(shown.commonName), {
        operation: 'serverkeygen',
        shown,
      });
    },
  },
];
