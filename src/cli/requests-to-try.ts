import { wordOf } from './shell.ts';

/**
 * Three requests to copy and paste into another terminal in the same folder, with nothing but curl and openssl:
 * CA certificates, enrol, renew. `credentials` are `NAME:CODE`.
 */
export function requestsToTry(directory: string, port: number, credentials: string): string {
  const folder = directory.replace(/\/+$/, '');
  const file = (name: string): string => wordOf(`${folder}/${name}`);
  const curl = `curl --silent --show-error --fail --cacert ${file('trust-anchor.pem')}`;
  const url = `https://localhost:${port}/.well-known/est`;
  const csr = `-H 'Content-Type: application/pkcs10' --data-binary @${file('device-1.csr')}`;
  const certificatesTo = (name: string): string =>
    `openssl base64 -d | openssl pkcs7 -inform DER -print_certs -out ${file(name)}`;
  const verify = (name: string): string => `openssl verify -CAfile ${file('cacerts.pem')} ${file(name)}`;
  return `Try it in another terminal, in this folder:

# 1. The CA certificates
${curl} \\
    ${url}/cacerts \\
  | ${certificatesTo('cacerts.pem')} \\
  && grep subject ${file('cacerts.pem')}

# 2. Enrol
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=device-1 \\
    -keyout ${file('device-1.key')} -out ${file('device-1.csr')} \\
  && ${curl} --user ${wordOf(credentials)} \\
    ${csr} \\
    ${url}/simpleenroll \\
  | ${certificatesTo('device-1.pem')} \\
  && ${verify('device-1.pem')}

# 3. Renew, with the certificate in place of the code
${curl} \\
    --cert ${file('device-1.pem')} --key ${file('device-1.key')} \\
    ${csr} \\
    ${url}/simplereenroll \\
  | ${certificatesTo('device-1-renewed.pem')} \\
  && ${verify('device-1-renewed.pem')}

`;
}
