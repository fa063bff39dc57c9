import { expect, it } from '@jest/globals';
import { startEjbca } from '../support/ejbca/start.ts';
import { refusal, rest } from './rest-client.ts';

it('tells the status of no certificate to a role that may not use its CA', async () => {
  const ejbca = await startEjbca();
  const rules = ['/administrator/', '/ca/Root CA/', '/ca_functionality/'];
  const client = await ejbca.addClientCertificate('elsewhere', rules);
  const { dn, id } = ejbca.database.certificationAuthorities.get('Device CA') ?? { dn: '', id: 0 };
  const path = `/v1/certificate/${encodeURIComponent(dn)}/0badcafe/revocationstatus`;
  expect(await rest(ejbca, 'GET', path, { client })).toMatchObject(
    refusal(403, `Administrator is not authorized to resource /ca/${id}. Msg: .`),
  );
  expect(await rest(ejbca, 'GET', path)).toMatchObject(
    refusal(404, `Certificate with serial number '0badcafe' and issuer DN '${dn}' was not found`),
  );
  await ejbca.stop();
});
