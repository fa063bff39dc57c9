/** A vendor's two-tier CA by `openssl ca`, with CRLs and a real `openssl ocsp` responder. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { openWorkplace } from './programs.ts';

/** What a TLS client shows, PEM; the certificate's file may hold the chain above it. */
export interface VendorDevice {
  readonly name: string;
  readonly key: string;
  readonly cert: string;
}

/** The CAs of a vendor. */
type VendorCa = 'root' | 'issuing';

/** One vendor, in a folder of its own. */
export interface Vendor {
  readonly directory: string;
  /** The path of a file in the folder: `root.pem`, `issuing.pem`, `both.pem`, and those that were made. */
  file(name: string): string;
  /** Runs a line of bash in the folder. */
  bash(line: string): Promise<string>;
  /** Issues to a new P-256 key; `extensions` as `openssl ca -extfile` reads them, `options` go to `openssl ca`. */
  issue(name: string, extensions?: string, options?: string, ca?: VendorCa): Promise<VendorDevice>;
  revoke(name: string, ca?: VendorCa): Promise<void>;
  /** Writes the CRL of a CA into `FILE` (PEM) and gives its DER; `options` go to `openssl ca`, `extensions` into the CRL. */
  crl(file: string, options?: string, extensions?: string, ca?: VendorCa): Promise<Buffer>;
  /** Starts a responder for the issuing CA; `options` go to `openssl ocsp`. */
  startOcsp(options?: string): Promise<Responder>;
  remove(): Promise<void>;
}

/** A running `openssl ocsp`. */
export interface Responder {
  readonly url: string;
  stop(): Promise<void>;
}

const configuration = `
[ca]
default_ca = issuing
[root]
database = root.index
new_certs_dir = certs
rand_serial = yes
crlnumber = root.number
policy = any
default_md = sha256
default_days = 30
default_crl_days = 7
certificate = root.pem
private_key = root.key
unique_subject = no
[issuing]
database = issuing.index
new_certs_dir = certs
rand_serial = yes
crlnumber = issuing.number
policy = any
default_md = sha256
default_days = 30
default_crl_days = 7
certificate = issuing.pem
private_key = issuing.key
unique_subject = no
[any]
commonName = optional
serialNumber = optional
[req]
distinguished_name = dn
[dn]
`;

const caExtensions =
  'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash';

/** Makes the CAs; names of everything begin with `name`. */
export async function openVendor(name = 'Vendor'): Promise<Vendor> {
  const place = await openWorkplace();
  const inPlace = (file: string): string => join(place.directory, file);
  await mkdir(inPlace('certs'));
  await writeFile(inPlace('openssl.cnf'), configuration);
  await place.bash(`
    touch root.index issuing.index; echo 01 > root.number; echo 01 > issuing.number
    openssl ecparam -name prime256v1 -genkey -noout -out root.key
    openssl req -x509 -new -key root.key -subj '/CN=${name} Root' -days 30 -out root.pem -config openssl.cnf \
      -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign`);

  async function issue(
    commonName: string,
    extensions = 'keyUsage=digitalSignature',
    options = '',
    ca: VendorCa = 'issuing',
  ): Promise<VendorDevice> {
    await writeFile(inPlace(`${commonName}.ext`), `${extensions}\n`);
    await place.bash(`
      [ -f ${commonName}.key ] || openssl ecparam -name prime256v1 -genkey -noout -out ${commonName}.key
      openssl req -new -key ${commonName}.key -subj '/CN=${commonName}' -config openssl.cnf -out csr.pem
      openssl ca -batch -notext -config openssl.cnf -name ${ca} -in csr.pem -out ${commonName}.pem \
        -extfile ${commonName}.ext ${options} 2> ${commonName}.log || { cat ${commonName}.log >&2; false; }`);
    const [key, cert] = await Promise.all(
      ['key', 'pem'].map(async (suffix) => await readFile(inPlace(`${commonName}.${suffix}`), 'utf8')),
    );
    return { name: commonName, key: key ?? '', cert: cert ?? '' };
  }

  await issue('issuing', caExtensions, `-subj '/CN=${name} Issuing' -preserveDN`, 'root');
  await place.bash('cat root.pem issuing.pem > both.pem');
  const processes = new Set<ChildProcess>();

  return {
    directory: place.directory,
    file: inPlace,
    bash: async (line) => await place.bash(line),
    issue,
    async revoke(commonName, ca = 'issuing') {
      await place.bash(`openssl ca -config openssl.cnf -name ${ca} -revoke ${commonName}.pem 2> revoke.log`);
    },
    async crl(file, options = '', extensions = 'authorityKeyIdentifier=keyid', ca = 'issuing') {
      await writeFile(inPlace('crl.cnf'), `${configuration}\n[crl]\n${extensions}\n`);
      await place.bash(`
        openssl ca -config crl.cnf -name ${ca} -gencrl -crlexts crl ${options} -out ${file}.new
        mv ${file}.new ${file}
        openssl crl -in ${file} -outform DER -out ${file}.der`);
      return await readFile(inPlace(`${file}.der`));
    },
    async startOcsp(options = '-rsigner issuing.pem -rkey issuing.key -nmin 5') {
      const words = [
        'ocsp',
        '-port',
        '0',
        '-index',
        'issuing.index',
        '-CA',
        'issuing.pem',
        ...options.trim().split(' '),
      ];
      const responder = spawn('openssl', words, { cwd: place.directory, stdio: ['ignore', 'pipe', 'pipe'] });
      processes.add(responder);
      const port = await portOf(responder);
      return {
        url: `http://localhost:${port}/`,
        stop: async () => {
          await end(responder);
        },
      };
    },
    async remove() {
      await Promise.all([...processes].map(end));
      await place.remove();
    },
  };
}

async function portOf(responder: ChildProcess): Promise<string> {
  let printed = '';
  for await (const chunk of responder.stdout ?? []) {
    printed += String(chunk);
    const port = /ACCEPT .*:(\d+) PID/.exec(printed)?.[1];
    if (port !== undefined) return port;
  }
  for await (const chunk of responder.stderr ?? []) printed += String(chunk);
  throw new Error(`openssl ocsp did not start: ${printed}`);
}

async function end(responder: ChildProcess): Promise<void> {
  if (responder.exitCode !== null || responder.signalCode !== null) return;
  const exit = once(responder, 'exit');
  responder.kill('SIGKILL');
  await exit;
}

/** A plain HTTP server that counts its visitors, by path. */
export interface CountingServer {
  readonly url: string;
  readonly visits: readonly string[];
  stop(): Promise<void>;
}

/** Starts one on a free port of the loopback interface. */
export async function startCountingServer(answer: RequestListener): Promise<CountingServer> {
  const visits: string[] = [];
  const server = createServer((request, response) => {
    visits.push(request.url ?? '');
    answer(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    visits,
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
