/**
 * Starts the stand-in by itself, to try things by hand:
 *
 *     node spec/support/ejbca/main.ts [--port 9443] [--version 8.3.2] [--edition Enterprise]
 *
 * It stops, and forgets everything, at Ctrl-C.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { startEjbca } from './start.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9443' },
    version: { type: 'string', default: '8.3.2' },
    edition: { type: 'string', default: 'Community' },
  },
});

const ejbca = await startEjbca({
  port: Number(values.port),
  version: values.version,
  edition: values.edition === 'Enterprise' ? 'Enterprise' : 'Community',
});
ejbca.addEndEntity({ username: 'meter-1', subjectDn: 'CN=meter-1,O=Example,C=SE', password: 'foo123' });

const { certificateFile, keyFile } = ejbca.clientCertificate;
const curl = `curl --cacert ${ejbca.trustAnchorFile} --cert ${certificateFile} --key ${keyFile}`;
process.stdout.write(`EJBCA ${values.version} ${values.edition}, a stand-in, at ${ejbca.url}

CAs: Root CA, Device CA below it, Management CA. Certificate profile and end entity profile: Device.
End entity meter-1 waits for its certificate under the code foo123.

Try:
  ${curl} ${ejbca.url}/ejbca-rest-api/v1/certificate/status
  ${curl} ${ejbca.url}/ejbca-rest-api/v1/ca
  ${curl} '${ejbca.url}/ejbcaws/ejbcaws?wsdl'
`);

await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
await ejbca.stop();
