/**
 * The gateway in front of the stand-in for EJBCA, to try the whole path by hand; `make ejbca-demo` runs it:
 *
 *     node spec/support/ejbca/demo.ts [--port 8443]
 *
 * It stops, and forgets everything, at Ctrl-C.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { generateCode } from '../../../src/auth/made-code.ts';
import { init } from '../../../src/cli/init.ts';
import { requestsToTry } from '../../../src/cli/requests-to-try.ts';
import { serve } from '../../../src/cli/serve.ts';
import { withState } from '../../../src/cli/state.ts';
import { addUser } from '../../../src/cli/user.ts';
import { loadConfiguration } from '../../../src/config/load.ts';
import { startEjbca, type StandIn } from './start.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '8443' } } });
const port = Number(values.port);
const directory = await mkdtemp(join(tmpdir(), 'ejbca-demo-'));
const ejbca = await startEjbca();

/** An alias in RA mode, which registers end entities itself, and one for end entities that EJBCA knows. */
function configuration({ url, trustAnchorFile, clientCertificate }: StandIn): string {
  return `listeners:
  est: { port: ${port}, certificate: tls/server.pem, privateKey: 'file:tls/server.key' }
store: { driver: sqlite, file: est-gateway.sqlite }
backends:
  ejbca:
    driver: ejbca
    baseUrl: ${url}
    trustAnchor: ${trustAnchorFile}
    clientCertificate:
      certificate: ${clientCertificate.certificateFile}
      privateKey: file:${clientCertificate.keyFile}
aliases:
  est:
    backend: ejbca
    ejbca:
      operationMode: ra
      certificateAuthority: Device CA
      certificateProfile: Device
      endEntityProfile: Device
      requireClientCertificate: false
      requireUsernameAndPassword: true
      nameGeneration: { scheme: DN, parameters: CN }
  meters:
    backend: ejbca
    ejbca:
      operationMode: client
      certificateAuthority: Device CA
      authenticationModule: HttpBasicAuth
`;
}

function requestOfRegistered(): string {
  return `# 4. Enrol as meter-1, which EJBCA knows, with the enrolment code that EJBCA checks
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=meter-1 \\
    -keyout ${directory}/meter-1.key -out ${directory}/meter-1.csr \\
  && curl --silent --show-error --fail --cacert ${directory}/trust-anchor.pem --user meter-1:foo123 \\
    -H 'Content-Type: application/pkcs10' --data-binary @${directory}/meter-1.csr \\
    https://localhost:${port}/.well-known/est/meters/simpleenroll \\
  | openssl base64 -d | openssl pkcs7 -inform DER -print_certs

`;
}

try {
  await init({ directory, hostname: 'localhost', port });
  const file = join(directory, 'est-gateway.yaml');
  await writeFile(file, configuration(ejbca));
  const loaded = await loadConfiguration(file);
  const code = generateCode();
  await withState(loaded, async (store) => {
    await addUser(store, { alias: 'est', name: 'device', code, remainingUses: undefined });
  });
  ejbca.addEndEntity({ username: 'meter-1', subjectDn: 'CN=meter-1,O=Example,C=SE', password: 'foo123' });
  process.stdout.write(`A stand-in for EJBCA is at ${ejbca.url}, the gateway in front of it is configured by
${file}

${requestsToTry(directory, port, `device:${code}`)}${requestOfRegistered()}`);
  await serve(loaded);
} finally {
  await ejbca.stop();
  await rm(directory, { recursive: true });
}
