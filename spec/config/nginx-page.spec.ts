import { describe, expect, it } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { load, shortest } from '../support/configuration-file.ts';
import { examplesIn } from '../support/page.ts';

const root = join(import.meta.dirname, '../..');
const page = readFileSync(join(root, 'docs/nginx.md'), 'utf8');
const examples = [...page.matchAll(/```yaml\n([^`]+)```/g)].map(([, text = '']) => text);

/** The listeners that the comment at the top of a shipped file shows; several stand beside each other. */
function listenersIn(file: string): readonly string[] {
  const [, comment = ''] =
    /^#\n((?:# {4}.*\n)+)/m.exec(readFileSync(join(root, 'nginx', file), 'utf8')) ?? [];
  const rows = comment
    .trimEnd()
    .split('\n')
    .map((line) => line.slice('#     '.length));
  const column = rows[0]?.lastIndexOf('listeners:') ?? 0;
  if (column === 0) return [rows.join('\n')];
  return [
    rows.map((row) => row.slice(0, column).trimEnd()).join('\n'),
    rows.map((row) => row.slice(column)).join('\n'),
  ];
}

/** The listeners of a gateway that is configured so. */
async function loaded(text: string) {
  const { listeners } = await load(shortest.replace(/^listeners:\n( .*\n)+/m, `${text.trimEnd()}\n`));
  return listeners;
}

describe('docs/nginx.md', () => {
  const [atProxy = '', passedOn = ''] = examples;
  const [proxy, est] = examples.map((text) => parse(text) as object);

  it('has listeners that the gateway understands', async () => {
    expect(examples).toHaveLength(2);
    const own = { socket: '/run/est-gateway/est.sock', clientCertificate: 'nginx', linking: 'refuse' };
    expect(await loaded(atProxy)).toMatchObject({ proxy: { ...own, cipherSuite: 'X-SSL-Cipher' } });
    expect(await loaded(passedOn)).toMatchObject({
      est: { address: '127.0.0.1', port: 9443, proxyProtocol: { trustedAddresses: ['127.0.0.1'] } },
    });
  });

  it('has the listeners that the shipped files begin with', () => {
    const first = (file: string): unknown => parse(listenersIn(file)[0] ?? '');
    expect(first('tls-termination.conf')).toEqual(proxy);
    expect(first('tcp-pass-through.conf')).toEqual(est);
  });

  it('has every form that the gateway takes in its table, and each of them alone suffices', async () => {
    const section = page.split('## How the certificate comes')[1]?.split('\n## ')[0] ?? '';
    const [, ...forms] = [...section.matchAll(/^\| `(\w+)` /gm)].map(([, form = '']) => form);
    expect(forms).toEqual(['rfc9440', 'nginx', 'haproxy', 'envoy']);
    for (const form of forms) {
      const text = `listeners:\n  proxy: { socket: /run/est.sock, clientCertificate: ${form} }\n`;
      expect(await loaded(text)).toMatchObject({ proxy: { clientCertificate: form } });
    }
  });

  it('has settings of Envoy of the form that the gateway takes, and says that they are not run', () => {
    const [, section = ''] = page.split('\n## Envoy\n');
    const [, text = ''] = /^```yaml envoy\n([^`]+)```$/m.exec(section) ?? [];
    const [tls, manager] = parseAllDocuments(text).map((document) => document.toJS() as unknown);
    expect(tls).toMatchObject({
      require_client_certificate: false,
      common_tls_context: { validation_context: { trust_chain_verification: 'ACCEPT_UNTRUSTED' } },
    });
    expect(manager).toMatchObject({
      forward_client_cert_details: 'SANITIZE_SET',
      set_current_client_cert_details: { chain: true },
      use_remote_address: true,
    });
    expect(section).toMatch(/^\nNo specs start Envoy/);
  });

  it('has commands for an account and for nginx, which take the shipped file', () => {
    const [commands = ''] = examplesIn(page);
    const shipped = readFileSync(join(root, 'nginx/tls-termination.conf'), 'utf8');
    const [, account = ''] = /^user (\S+);$/m.exec(shipped) ?? [];
    const file = '/etc/nginx/est-gateway.conf';
    expect(commands.trim().split(/\n */)).toEqual([
      `usermod --append --groups est-gateway ${account}`,
      `nginx -t -c ${file}`,
      `nginx -c ${file}`,
    ]);
  });

  it('speaks of every file that is shipped', () => {
    for (const file of readdirSync(join(root, 'nginx')))
      expect(page).toContain(`[nginx/${file}](../nginx/${file})`);
  });
});

describe('nginx/two-replicas.conf', () => {
  it('begins with the listeners of two gateways that differ in nothing but their sockets', async () => {
    const both = await Promise.all(listenersIn('two-replicas.conf').map(loaded));
    expect(both.map(({ proxy }) => proxy?.socket)).toEqual(
      ['one', 'two'].map((name) => `/run/est-gateway/${name}.sock`),
    );
    const [one, two] = both.map((listeners) => ({ ...listeners, proxy: { ...listeners.proxy, socket: '' } }));
    expect(one).toEqual(two);
  });
});

describe('the limits of nginx', () => {
  it.each(['tls-termination.conf', 'two-replicas.conf'])('are those of the gateway: %s', async (file) => {
    const shipped = readFileSync(join(root, 'nginx', file), 'utf8');
    const valueOf = (directive: string): string =>
      new RegExp(`^ *${directive} (.*);$`, 'm').exec(shipped)?.[1] ?? '';
    const { limits } = await load(shortest);
    expect(valueOf('client_max_body_size')).toBe(`${limits.bodyBytes / 1024}k`);
    expect(valueOf('client_header_timeout')).toBe(`${limits.headersTimeout}s`);
    expect(valueOf('client_body_timeout')).toBe(`${limits.requestTimeout}s`);
    expect(parseInt(valueOf('proxy_read_timeout'))).toBeGreaterThan(limits.requestTimeout);
  });

  it('leave connections that are passed on to the gateway', async () => {
    const shipped = readFileSync(join(root, 'nginx/tcp-pass-through.conf'), 'utf8');
    const { limits } = await load(shortest);
    const [, seconds = ''] = /^ *proxy_timeout (\d+)s;$/m.exec(shipped) ?? [];
    expect(Number(seconds)).toBeGreaterThan(2 * limits.requestTimeout);
  });
});
