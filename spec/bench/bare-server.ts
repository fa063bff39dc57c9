/**
 * What every enrolment is measured against: a bare `https` server of the same Node that verifies a client
 * certificate and answers 1 kB to a POST. Arguments: certificate file, key file, file of the CAs of clients. Prints its port.
 */
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';

const [certificate = '', key = '', ca = ''] = process.argv.slice(2);
const answer = 'x'.repeat(1000);

const server = createServer(
  {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    ca: readFileSync(ca),
    requestCert: true,
    rejectUnauthorized: false,
  },
  (request, response) => {
    request.resume();
    request.on('end', () => {
      response.writeHead(200, { 'Content-Length': answer.length });
      response.end(answer);
    });
  },
);
server.listen(0, 'localhost', () => {
  process.stdout.write(`https://localhost:${(server.address() as AddressInfo).port}\n`);
});
