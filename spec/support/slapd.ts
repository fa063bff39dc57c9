/** Debian's slapd in a folder of its own. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePorts } from '../cli/command-line.ts';
import { newAuthority, newServerCertificate } from './gateway.ts';
import { answers, openWorkplace } from './programs.ts';

/** A running directory. */
export interface Slapd {
  readonly ldapUrl: string;
  readonly ldapsUrl: string;
  /** The same by an address that its certificate does not name. */
  readonly unnamedUrl: string;
  /** PEM of the CA of its TLS certificate. */
  readonly trustAnchor: string;
  /** All that it has logged since it was started last: connections, binds, searches. */
  log(): string;
  down(): Promise<void>;
  up(): Promise<void>;
  /** Stops, and removes the folder. */
  remove(): Promise<void>;
}

/** The rights are as narrow as operators set them: only the gateway's user searches, and users read themselves. */
const configuration = (folder: string, suffix: string): string => `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile ${folder}/chain.pem
TLSCertificateFile ${folder}/server.pem
TLSCertificateKeyFile ${folder}/server.key
database mdb
suffix "${suffix}"
directory ${folder}/data
overlay memberof
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=groups,${suffix}" by users read
access to * by dn.exact="cn=est-gateway,${suffix}" read by self read by * none
`;

/** Starts one with the entries of an LDIF text below the suffix, `dc=example` or further down, which is there already. */
export async function startSlapd(ldif: string, suffix = 'dc=example'): Promise<Slapd> {
  const workplace = await openWorkplace();
  const folder = workplace.directory;
  const ca = await newAuthority();
  const { certificate, key } = await newServerCertificate(ca);
  const files = {
    'slapd.conf': configuration(folder, suffix),
    'server.pem': certificate,
    'server.key': key,
    'chain.pem': ca.issuingCertificate + ca.rootCertificate,
    'entries.ldif': `dn: ${suffix}\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n${ldif}`,
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  await mkdir(join(folder, 'data'));
  await workplace.bash('slapadd -f slapd.conf -l entries.ldif');
  const port = await freePorts();
  const ldapUrl = `ldap://127.0.0.1:${port}`;
  const ldapsUrl = `ldaps://localhost:${port + 1}`;
  let running: ChildProcess | undefined;
  let log = '';

  async function up(): Promise<void> {
    // In the foreground, with its log of connections and operations (256) on stderr.
    const words = [
      '-d',
      '256',
      '-f',
      join(folder, 'slapd.conf'),
      '-h',
      `${ldapUrl} ldaps://0.0.0.0:${port + 1}`,
    ];
    const slapd = spawn('slapd', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    log = '';
    slapd.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
    while (!(await answers(port + 1))) {
      if (slapd.exitCode !== null) throw new Error(`slapd ended: ${log}`);
      await setTimeout(20);
    }
    running = slapd;
  }

  async function down(): Promise<void> {
    if (running === undefined) return;
    running.kill('SIGTERM');
    await once(running, 'exit');
    running = undefined;
  }

  await up();
  return {
    ldapUrl,
    ldapsUrl,
    unnamedUrl: `ldaps://127.0.0.2:${port + 1}`,
    trustAnchor: ca.issuingCertificate + ca.rootCertificate,
    log: () => log,
    down,
    up,
    async remove() {
      await down();
      await workplace.remove();
    },
  };
}
