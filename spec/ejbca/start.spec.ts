import { describe, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfiguration } from '../../src/config/load.ts';
import { checkGateway } from '../../src/server.ts';
import { generateKeyPair } from '../support/csr.ts';
import { enrolWithBasic, plainCsr } from '../support/device.ts';
import { registrationAuthorityRules } from '../support/ejbca/administrator.ts';
import type { StandIn } from '../support/ejbca/start.ts';
import { recordLog } from '../support/log.ts';
import { opensslOctets } from '../support/openssl.ts';
import { startEjbcaGateway, type EjbcaGateway, type EjbcaGatewayOptions } from './setup.ts';

const byUser = { requireClientCertificate: false, requireUsernameAndPassword: true };
const rules = registrationAuthorityRules('Device CA', 'Device');

/** Why the gateway does not start; it must not. */
async function refusalOf(options: EjbcaGatewayOptions): Promise<string> {
  let running: EjbcaGateway;
  try {
    running = await startEjbcaGateway(options);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
  await running.stop();
  throw new Error('The gateway started.');
}

async function started(
  options: EjbcaGatewayOptions,
  use: (running: EjbcaGateway) => Promise<void>,
): Promise<void> {
  const running = await startEjbcaGateway(options);
  try {
    await use(running);
  } finally {
    await running.stop();
  }
}

async function enrolOnce({ gateway }: EjbcaGateway): Promise<number> {
  const csr = await plainCsr('device', await generateKeyPair('P-256'));
  return (await enrolWithBasic(gateway, csr, 'basic')).status;
}

describe('the start in front of EJBCA', () => {
  it.each([
    ['8.2.0.1', 'Community'],
    ['9.3.3', 'Enterprise'],
  ] as const)('says in the log that it is %s, not that it is %s', async (version, edition) => {
    await started({ installation: { version, edition }, aliases: { basic: byUser } }, async ({ gateway }) => {
      expect(gateway.log.entries).toContainEqual({
        level: 'info',
        message: 'EJBCA answers.',
        fields: { backend: 'ejbca', version: `EJBCA ${version} Enterprise (working copy)` },
      });
      await Promise.resolve();
    });
  });

  it.each<[string, Partial<EjbcaGatewayOptions>, RegExp]>([
    [
      'the REST API is switched off',
      { installation: { enabledProtocols: [] } },
      /^backends\.ejbca: .*Enable "REST Certificate Management"\. EJBCA: System Configuration/,
    ],
    [
      'the web service is switched off, and an old EJBCA lists its CAs nowhere else',
      {
        installation: {
          version: '8.0.0',
          enabledProtocols: ['REST Certificate Management', 'REST Certificate Management V2'],
        },
      },
      /^aliases\.basic: ejbca\.certificateAuthority: .*Enable "Web Service"/,
    ],
    [
      'the role lacks access to the CA',
      { role: registrationAuthorityRules('Root CA', 'Device') },
      /no CA Device CA that the gateway's role may use; it may use: Root CA\.$/,
    ],
    ['the role is not one of an administrator', { role: ['/ca/'] }, /Allow \/administrator in the role/],
    [
      'the CA does not exist',
      { aliases: { basic: { ...byUser, certificateAuthority: 'No CA' } } },
      /^aliases\.basic: ejbca\.certificateAuthority: EJBCA has no CA No CA/,
    ],
    [
      'the certificate profile does not exist',
      { aliases: { basic: { ...byUser, certificateProfile: 'No profile' } } },
      /^aliases\.basic: ejbca\.certificateProfile: EJBCA has no certificate profile No profile\.$/,
    ],
    [
      'there are no credentials',
      { backend: { clientCertificate: undefined } },
      /^backends\.ejbca: Give either clientCertificate or oauth/,
    ],
    [
      'a secret is given twice',
      { backend: { clientCertificate: { pkcs12: 'a', certificate: 'b', privateKey: 'file:c' } } },
      /give either pkcs12, or certificate and privateKey/,
    ],
    [
      'oauth has no source',
      { backend: { clientCertificate: undefined, oauth: {} } },
      /oauth: give either token or clientCredentials/,
    ],
    [
      'codes that only EJBCA can check are to bind names',
      {
        aliases: {
          basic: {
            operationMode: 'client',
            authenticationModule: 'HttpBasicAuth',
            alias: { policy: { names: 'identity' } },
          },
        },
      },
      /policy\.names: identity binds names/,
    ],
    [
      'codes that only EJBCA can check are to be shown by Digest',
      {
        aliases: {
          basic: {
            operationMode: 'client',
            authenticationModule: 'HttpBasicAuth',
            alias: { httpAuthentication: ['digest-SHA-256', 'basic'] },
          },
        },
      },
      /httpAuthentication: it would not be used: in operationMode client EJBCA knows who enrols/,
    ],
  ])('is refused with the reason when %s', async (_name, options, reason) => {
    expect(await refusalOf({ aliases: { basic: byUser }, ...options })).toMatch(reason);
  });

  it.each([
    [
      'authentication',
      { authentication: 'either' },
      'authentication: leave it out; the settings below "ejbca" say it',
    ],
    ['profile', { profile: 'Device' }, 'profile: leave it out; the settings below "ejbca" say it'],
  ])('is refused when the alias says %s twice', async (_key, alias, problem) => {
    expect(await refusalOf({ aliases: { basic: { ...byUser, alias } } })).toContain(
      `aliases.basic.${problem}`,
    );
  });

  it('is refused at the line of a setting that contradicts another one', async () => {
    const reason = await refusalOf({ aliases: { basic: { ...byUser, vendorCas: ['Vendor'] } } });
    expect(reason).toMatch(
      /est-gateway\.yaml:\d+: aliases\.basic\.ejbca: vendorCas is for vendorCertificateMode\./,
    );
  });

  it('warns, and lets everybody enrol, while the REST API V2 is switched off; check calls it a problem', async () => {
    const options = {
      installation: { enabledProtocols: ['REST Certificate Management', 'Web Service'] as const },
      aliases: { basic: byUser },
    };
    await started(options, async (running) => {
      expect(running.gateway.log.entries).toContainEqual(
        expect.objectContaining({
          level: 'warn',
          message: 'Without the REST API V2 of EJBCA no certificate can be renewed.',
        }),
      );
      expect(await enrolOnce(running)).toBe(200);
      const configuration = await loadConfiguration(running.gateway.configurationFile);
      expect(await checkGateway(configuration, recordLog())).toEqual([
        expect.stringMatching(/^backends\.ejbca: .*Enable "REST Certificate Management V2"/),
      ]);
    });
  });

  it('has nothing to say in check when all is well', async () => {
    await started({ aliases: { basic: byUser } }, async ({ gateway }) => {
      expect(await checkGateway(await loadConfiguration(gateway.configurationFile), recordLog())).toEqual([]);
    });
  });
});

describe('the credentials for EJBCA', () => {
  async function pkcs12(ejbca: StandIn): Promise<string> {
    const { certificate, key } = ejbca.clientCertificate;
    const file = join(ejbca.directory, 'gateway.p12');
    const octets = await opensslOctets('pkcs12 -export -in both.pem -passout pass:hush', {
      'both.pem': certificate + key,
    });
    await writeFile(file, octets);
    return file;
  }

  async function secret(ejbca: StandIn, passphrase: string): Promise<{ readonly passphrase: string }> {
    const file = join(ejbca.directory, 'passphrase');
    await writeFile(file, passphrase);
    return { passphrase: `file:${file}` };
  }

  it('may be a PKCS#12 file', async () => {
    const backend: Record<string, unknown> = { clientCertificate: {} };
    const prepare = async (ejbca: StandIn): Promise<void> => {
      backend['clientCertificate'] = { pkcs12: await pkcs12(ejbca), ...(await secret(ejbca, 'hush')) };
    };
    await started({ aliases: { basic: byUser }, backend, prepare }, async (running) => {
      expect(await enrolOnce(running)).toBe(200);
    });
  });

  it.each<[string, (ejbca: StandIn) => Promise<object>, RegExp]>([
    [
      'the passphrase of a PKCS#12 file is wrong',
      async (ejbca) => ({
        clientCertificate: { pkcs12: await pkcs12(ejbca), ...(await secret(ejbca, 'x')) },
      }),
      /^backends\.ejbca: clientCertificate: passphrase: it does not open the PKCS#12 file\.$/,
    ],
    [
      'the key belongs to another certificate',
      async ({ trustAnchorFile, clientCertificate: { keyFile } }) =>
        await Promise.resolve({
          clientCertificate: { certificate: trustAnchorFile, privateKey: `file:${keyFile}` },
        }),
      /^backends\.ejbca: clientCertificate: the private key does not belong to the first certificate/,
    ],
    [
      'the key is encrypted',
      async (ejbca) => {
        const { certificateFile: certificate, keyFile, key } = ejbca.clientCertificate;
        const command = 'pkcs8 -topk8 -in key.pem -passout pass:hush';
        await writeFile(keyFile, await opensslOctets(command, { 'key.pem': key }));
        return { clientCertificate: { certificate, privateKey: `file:${keyFile}` } };
      },
      /^backends\.ejbca: clientCertificate: passphrase: the private key is encrypted/,
    ],
    [
      'the certificate is in a form of OpenSSL',
      async ({ clientCertificate: { certificateFile, certificate, keyFile } }) => {
        const command = 'x509 -in own.pem -trustout -addtrust clientAuth';
        await writeFile(certificateFile, await opensslOctets(command, { 'own.pem': certificate }));
        return { clientCertificate: { certificate: certificateFile, privateKey: `file:${keyFile}` } };
      },
      /^backends\.ejbca: clientCertificate: \S+: There is no .*: the file holds TRUSTED CERTIFICATE/,
    ],
    [
      'the trust anchor is DER',
      async ({ trustAnchorFile, trustAnchor }) => {
        const command = 'x509 -in ca.pem -outform DER';
        await writeFile(trustAnchorFile, await opensslOctets(command, { 'ca.pem': trustAnchor }));
        return {};
      },
      /^backends\.ejbca: \S+\.pem: There is no certificate in PEM form: the file is binary, such as DER/,
    ],
  ])('are refused with the reason, and EJBCA is not asked, when %s', async (_name, makeOptions, reason) => {
    const backend: Record<string, unknown> = {};
    let asked: StandIn['requests'] = [];
    const prepare = async (ejbca: StandIn): Promise<void> => {
      Object.assign(backend, await makeOptions(ejbca));
      asked = ejbca.requests;
    };
    expect(await refusalOf({ aliases: { basic: byUser }, backend, prepare })).toMatch(reason);
    expect(asked).toHaveLength(0);
  });

  it('may be a bearer token in a file that others renew', async () => {
    const backend: Record<string, unknown> = { clientCertificate: undefined };
    let tokenFile = '';
    const prepare = async (ejbca: StandIn): Promise<void> => {
      tokenFile = join(ejbca.directory, 'token');
      await writeFile(tokenFile, `${ejbca.addBearerToken(rules)}\n`);
      backend['oauth'] = { token: `file:${tokenFile}` };
    };
    await started({ aliases: { basic: byUser }, backend, prepare }, async (running) => {
      expect(await enrolOnce(running)).toBe(200);
      const { ejbca } = running;
      // The old one is refused from now on, and the gateway finds the new one by itself.
      await writeFile(tokenFile, ejbca.addBearerToken(rules));
      const used = ejbca.requests.at(-1)?.headers.authorization?.slice('Bearer '.length) ?? '';
      ejbca.revokeBearerToken(used);
      expect(await enrolOnce(running)).toBe(200);
    });
  });

  it('may be tokens of an identity provider, renewed before they expire and kept until then', async () => {
    const backend: Record<string, unknown> = { clientCertificate: undefined };
    const prepare = async (ejbca: StandIn): Promise<void> => {
      const { tokenUrl, clientId, clientSecret } = ejbca.addOAuthClient(rules, 1);
      const secretFile = join(ejbca.directory, 'client-secret');
      await writeFile(secretFile, clientSecret);
      backend['oauth'] = {
        clientCredentials: {
          tokenUrl,
          clientId,
          clientSecret: `file:${secretFile}`,
          trustAnchor: ejbca.trustAnchorFile,
        },
      };
    };
    await started({ aliases: { basic: byUser }, backend, prepare }, async (running) => {
      const { ejbca } = running;
      const tokensAsked = (): number => ejbca.requests.filter(({ path }) => path === '/idp/token').length;
      const atStart = tokensAsked();
      expect(atStart).toBeLessThan(ejbca.requests.length / 3);
      expect(await enrolOnce(running)).toBe(200);
      const patience = Date.now() + 10_000;
      while (tokensAsked() === atStart && Date.now() < patience) expect(await enrolOnce(running)).toBe(200);
      expect(tokensAsked()).toBe(atStart + 1);
    });
  });

  it('are shown with the header that EJBCA wants, over connections that stay open', async () => {
    await started({ aliases: { basic: byUser } }, async (running) => {
      const { requests, traffic } = running.ejbca;
      const before = traffic.connections;
      for (let n = 0; n < 5; n += 1) expect(await enrolOnce(running)).toBe(200);
      const ofRest = requests.filter(({ path }) => path.includes('rest-api'));
      expect(ofRest.every(({ headers }) => headers['x-keyfactor-requested-with'] !== undefined)).toBe(true);
      expect(traffic.connections - before).toBeLessThan(2);
    });
  });

  it('S-37 of EJBCA itself are checked: a foreign certificate is refused', async () => {
    const reason = await refusalOf({
      aliases: { basic: byUser },
      backend: { trustAnchor: 'root.pem' },
    });
    expect(reason).toMatch(/do not accept each other in TLS/);
  });
});
