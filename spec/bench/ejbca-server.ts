/**
 * The stand-in for EJBCA in a process of its own. Argument: milliseconds that each call takes beside the work. Prints
 * where it is and the files for its clients, as JSON.
 */
import { once } from 'node:events';
import { startEjbca } from '../support/ejbca/start.ts';

const milliseconds = Number(process.argv[2] ?? 0);
const ejbca = await startEjbca();
if (milliseconds > 0) ejbca.setFault({ kind: 'latency', milliseconds, path: 'pkcs10enroll' });
const { url, trustAnchorFile, clientCertificate } = ejbca;
const { certificateFile, keyFile } = clientCertificate;
process.stdout.write(`${JSON.stringify({ url, trustAnchorFile, certificateFile, keyFile })}\n`);
await once(process, 'SIGTERM');
await ejbca.stop();
