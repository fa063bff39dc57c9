import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startTestGateway, user, type TestGateway } from '../support/gateway.ts';
import { describeWith, openWorkplace, type Workplace } from '../support/programs.ts';

/**
 * A client as libest is one: it asks without credentials, gets 401, resumes its TLS 1.2 session for the next connection,
 * and puts tls-unique, as OpenSSL gives it through Python, into a CSR that openssl makes.
 */
const client = `
import base64, http.client, socket, ssl, subprocess, sys

port, anchor, credentials = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=anchor)
context.maximum_version = ssl.TLSVersion.TLSv1_2

def connect(session=None):
    tcp = socket.create_connection(('localhost', port))
    return context.wrap_socket(tcp, server_hostname='localhost', session=session)

def enrol(tls, headers={}):
    unique = base64.b64encode(tls.get_channel_binding('tls-unique')).decode()
    with open('csr.cnf', 'w') as file:
        file.write('[req]\\nprompt=no\\ndistinguished_name=dn\\nattributes=linking\\n[dn]\\nCN=libest-like\\n')
        file.write('[linking]\\nchallengePassword=' + unique + '\\n')
    words = 'openssl req -new -config csr.cnf -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem'
    csr = subprocess.run(words.split() + ['-outform', 'DER'], check=True, capture_output=True).stdout
    connection = http.client.HTTPConnection('localhost', port)
    connection.sock = tls
    body = base64.encodebytes(csr)
    connection.request('POST', '/.well-known/est/linked/simpleenroll', body, {'Content-Type': 'application/pkcs10', **headers})
    answer = connection.getresponse()
    print(tls.version(), 'resumed' if tls.session_reused else 'full', answer.status)
    answer.read()

first = connect()
enrol(first)
basic = {'Authorization': 'Basic ' + base64.b64encode(credentials.encode()).decode()}
enrol(connect(), basic)
enrol(connect(first.session), basic)
`;

describeWith('python3', 'linking by a client that uses OpenSSL through Python', () => {
  let gateway: TestGateway;
  let workplace: Workplace;
  beforeAll(async () => {
    gateway = await startTestGateway({ aliases: { linked: { policy: { linking: 'required' } } } });
    workplace = await openWorkplace();
    await writeFile(join(workplace.directory, 'client.py'), client);
  });
  afterAll(async () => {
    await workplace.remove();
    await gateway.stop();
  });

  it('L-05 takes tls-unique of a full handshake and, after a 401, of a resumed one', async () => {
    const anchor = join(gateway.directory, 'root.pem');
    const output = await workplace.bash(
      `python3 client.py ${gateway.port} ${anchor} ${user.name}:${user.code}`,
    );
    expect(output.trim().split('\n')).toEqual([
      'TLSv1.2 full 401',
      'TLSv1.2 full 200',
      'TLSv1.2 resumed 200',
    ]);
  });
});
