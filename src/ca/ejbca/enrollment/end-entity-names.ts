import { readDer, type DerNode } from '../../../pkix/der.ts';
import type { GeneralName } from '../../../pkix/general-names.ts';
import type { Name } from '../../../pkix/names.ts';
import { distinguishedNameFields } from '../distinguished-name-fields.ts';

/** Names in the texts by which EJBCA registers end entities. */

const symbols: ReadonlyMap<string, string> = new Map(
  Object.entries(distinguishedNameFields).map(([symbol, type]) => [type, symbol]),
);

/** A subject, such as `CN=device,O=Acme`, in its own order; EJBCA brings it into that of the CA. */
export function subjectText({ rdns }: Name): string {
  return rdns
    .map((rdn) =>
      rdn.map(({ type, value }) => `${symbols.get(type) ?? type}=${escapedInDn(value)}`).join('+'),
    )
    .join(',');
}

/** Names such as `dNSName=a.example, iPAddress=192.0.2.1`; undefined: EJBCA has no text for one of them. */
export function subjectAltNameText(names: readonly GeneralName[]): string | undefined {
  const texts = names.map(textOf);
  return texts.includes(undefined) ? undefined : texts.join(', ');
}

/** Microsoft's userPrincipalName, and the types of RFC 6120 and RFC 4985. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ['1.3.6.1.4.1.311.20.2.3', 'upn'],
  ['1.3.6.1.5.5.7.8.5', 'xmppAddr'],
  ['1.3.6.1.5.5.7.8.7', 'srvName'],
]);

function textOf(name: GeneralName): string | undefined {
  switch (name.type) {
    case 'rfc822Name':
    case 'dNSName':
    case 'uniformResourceIdentifier':
    case 'iPAddress':
    case 'registeredID':
      return `${name.type}=${escaped(name.value)}`;
    case 'directoryName':
      return `${name.type}=${escaped(subjectText(name.name))}`;
    case 'otherName': {
      const kind = otherNames.get(name.typeId);
      return kind && `${kind}=${escaped(otherNameText(name.der))}`;
    }
    case 'x400Address':
    case 'ediPartyName':
      return undefined;
  }
}

function otherNameText(der: Buffer): string {
  const value: DerNode | undefined = readDer(der).children[1]?.children[0];
  return value?.content.toString('utf8') ?? '';
}

function escaped(value: string): string {
  return value.replaceAll(/[,\\]/g, String.raw`\$&`);
}

function escapedInDn(value: string): string {
  return value.replaceAll(/^[ #]|[,+"\\<>;]| $/g, String.raw`\$&`);
}
