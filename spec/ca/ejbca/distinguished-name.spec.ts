import { describe, expect, it } from '@jest/globals';
import { toEjbcaDn } from '../../../src/ca/ejbca/distinguished-name.ts';
import { nameFromAttributes } from '../../../src/pkix/names.ts';
import { oids } from '../../../src/pkix/oids.ts';

const country = { type: oids.countryName, value: 'SE' };
const organization = { type: oids.organizationName, value: 'Acme, Inc.' };
const inner = { type: oids.organizationalUnitName, value: 'inner' };
const outer = { type: oids.organizationalUnitName, value: 'outer' };
const commonName = { type: oids.commonName, value: 'Device CA' };
const serialNumber = { type: oids.serialNumber, value: '7' };

describe("a name in EJBCA's writing", () => {
  it.each([
    ['from the CN on', [commonName, serialNumber, inner, outer, organization, country]],
    ['from the country on', [country, organization, outer, inner, serialNumber, commonName]],
    ['in no order', [serialNumber, inner, outer, organization, commonName, country]],
  ])('is in its order though it was %s', (_name, attributes) => {
    expect(toEjbcaDn(nameFromAttributes(attributes))).toBe(
      String.raw`CN=Device CA,SN=7,OU=inner,OU=outer,O=Acme\, Inc.,C=SE`,
    );
  });
});
