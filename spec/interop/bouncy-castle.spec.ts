import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { addUser } from '../../src/cli/user.ts';
import { startTestGateway, type TestGateway } from '../support/gateway.ts';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';

const source = join(import.meta.dirname, 'bouncy-castle/EstClient.java');

/** Of Debian: libbcpkix-java, libbctls-java and what they need. */
const debians = ['bcpkix', 'bcprov', 'bcutil', 'bctls'].map((name) => `/usr/share/java/${name}.jar`);

/** Of Maven Central, where `.ci/run` fetches it to; it has no bctls of this version. */
const newest = ['bcpkix', 'bcprov', 'bcutil'].map((name) =>
  join(homedir(), `.m2/repository/org/bouncycastle/${name}-jdk18on/1.87/${name}-jdk18on-1.87.jar`),
);

const login = { name: 'kura', code: 'correct-horse-battery' };

/** In which order a client meets them: it enrols before it renews. */
const operations = [
  ['cacerts:est:-', '2'],
  ['csrattrs:linked:-', 'some'],
  ['enrol:est:bc-basic', '1 CN=bc-basic'],
  ['enrol:md5:bc-digest', '1 CN=bc-digest'],
  ['enrol:waits:bc-waits', 'wait true'],
  ['renew:est:bc-basic', '1 CN=bc-basic'],
  ['serverkeygen:keys:bc-key', '1 CN=bc-key 1.2.840.10045.2.1'],
] as const;

describeWith('javac', "Bouncy Castle's EST client", () => {
  let gateway: TestGateway;
  let place: Workplace;

  beforeAll(async () => {
    place = await openWorkplace();
    gateway = await startTestGateway({
      aliases: {
        md5: { authentication: 'basic', httpAuthentication: ['digest-MD5'] },
        waits: { backend: 'approving' },
        keys: { serverKeyGeneration: { keys: ['P-256'] } },
        linked: { policy: { linking: 'required' } },
      },
      backends: {
        approving: {
          driver: 'local',
          certificate: 'issuing.pem',
          privateKey: 'file:issuing.key',
          passphrase: 'file:passphrase',
          chain: ['root.pem'],
          profiles: { device: { validityDays: 90, approval: 'all' } },
        },
      },
    });
    for (const alias of ['est', 'md5', 'waits', 'keys', 'linked'])
      await addUser(gateway.store, { alias, ...login, remainingUses: undefined }, ['MD5']);
    await place.bash(`javac -d . -cp ${debians.join(':')} ${source}`);
  });
  afterAll(async () => {
    await Promise.all([gateway.stop(), place.remove()]);
  });

  async function run(
    jars: readonly string[],
    tlsVersion: string,
    words: readonly string[],
  ): Promise<readonly string[]> {
    const anchor = join(gateway.directory, 'root.pem');
    const output = await place.bash(
      `java -cp .:${jars.join(':')} EstClient ${gateway.port} ${anchor} ${tlsVersion} ${login.name}:${login.code} ${words.join(' ')}`,
    );
    return output.trim().split('\n');
  }

  const versions = { '1.72': debians, '1.87': [...newest, ...debians] };
  for (const [version, jars] of Object.entries(versions)) {
    describeWith(jars[0], version, () => {
      it.each(['TLSv1.2', 'TLSv1.3'])('does all that it can over %s', async (tlsVersion) => {
        const words = operations.map(([operation]) => operation);
        const lines = await run(jars, tlsVersion, words);
        expect(lines).toEqual(operations.map((line) => line.join(' ')));
        const renewed = new X509Certificate(await readFile(join(place.directory, 'bc-basic.der')));
        expect(renewed.checkIssued(new X509Certificate(gateway.issuingCertificate))).toBe(true);
      });
    });
  }

  it('L-05 links its request to the session of TLS 1.2, also after a 401', async () => {
    expect(await run(debians, 'TLSv1.2', ['unique:linked:bc-linked'])).toEqual([
      'unique:linked:bc-linked 1 CN=bc-linked',
    ]);
  });
});
