import { Ajv } from 'ajv';
import { describe, expect, it } from '@jest/globals';
import {
  contradictionsIn,
  ejbcaAliasSchema,
  type EjbcaAliasSettings,
} from '../../../src/ca/ejbca/alias-settings.ts';

/** The settings as the loader completes them; throws when the schema refuses them. */
function complete(changes: object): EjbcaAliasSettings {
  const settings = { certificateAuthority: 'Device CA', ...changes };
  const validate = new Ajv({ useDefaults: true }).compile(ejbcaAliasSchema);
  if (!validate(settings)) throw new Error(JSON.stringify(validate.errors));
  return settings as unknown as EjbcaAliasSettings;
}

const client = { operationMode: 'client', authenticationModule: 'ChallengePwd' };

describe("An alias's settings at EJBCA", () => {
  it('have the defaults that EJBCA documents', () => {
    expect(complete({})).toEqual({
      operationMode: 'ra',
      certificateAuthority: 'Device CA',
      certificateProfile: 'ENDUSER',
      endEntityProfile: 'EMPTY',
      requireClientCertificate: true,
      requireUsernameAndPassword: false,
      allowUpdateWithSameKey: true,
      nameGeneration: { scheme: 'DN', parameters: 'CN', prefix: '', postfix: '' },
      extractUsernameComponent: 'DN',
      extractDnPartPasswordComponent: 'DN',
      vendorCertificateMode: false,
      vendorCas: [],
      allowChangeSubjectName: false,
      serverKeyGeneration: false,
    });
  });

  it.each([
    ['ra', {}],
    ['ra with a list of DN parts', { nameGeneration: { parameters: 'CN;UID;SN' } }],
    ['client with a code', client],
    [
      'client with a code in the DN',
      { ...client, authenticationModule: 'DnPartPwd', extractDnPartPasswordComponent: 'SN' },
    ],
    [
      'vendor',
      {
        operationMode: 'client',
        vendorCertificateMode: true,
        vendorCas: ['Vendor'],
        allowChangeSubjectName: true,
      },
    ],
  ])('are fine for %s', (_name, changes) => {
    expect(contradictionsIn(complete(changes))).toEqual([]);
  });

  it.each([
    ['nobody authenticated in RA mode', { requireClientCertificate: false }, /nobody enrols without/],
    ['a module in RA mode', { authenticationModule: 'ChallengePwd' }, /^authenticationModule is for/],
    [
      'vendor mode in RA mode',
      { vendorCertificateMode: true, vendorCas: ['V'] },
      /^vendorCertificateMode is for/,
    ],
    ['an unknown DN part', { nameGeneration: { parameters: 'CN;serial' } }, /names serial, which/],
    ['a fixed name that is empty', { nameGeneration: { scheme: 'FIXED', parameters: '' } }, /FIXED/],
    ['nobody authenticated in client mode', { operationMode: 'client' }, /nobody enrols without/],
    [
      'two ways in client mode',
      { ...client, vendorCertificateMode: true, vendorCas: ['V'] },
      /exclude each other/,
    ],
    ['a code in the whole DN', { ...client, authenticationModule: 'DnPartPwd' }, /needs extractDnPart/],
    ['users of the gateway in client mode', { ...client, requireUsernameAndPassword: true }, /HttpBasicAuth/],
    [
      'vendor mode without vendors',
      { operationMode: 'client', vendorCertificateMode: true },
      /needs vendorCas/,
    ],
    ['vendors without vendor mode', { ...client, vendorCas: ['V'] }, /^vendorCas is for/],
    ['ChangeSubjectName without vendor mode', { allowChangeSubjectName: true }, /policy\.changeSubjectName/],
  ])('are refused for %s', (_name, changes, reason) => {
    expect(contradictionsIn(complete(changes))).toEqual([expect.stringMatching(reason)]);
  });

  it.each([
    ['no CA', { certificateAuthority: '' }],
    [
      'the profile ProfileDefault, which the REST API does not take',
      { certificateProfile: 'ProfileDefault' },
    ],
    ['a part of the DN that EJBCA does not know', { extractUsernameComponent: 'serialNumber' }],
    ['an unknown module', { authenticationModule: 'Password' }],
  ])('are refused by the schema for %s', (_name, changes) => {
    expect(() => complete(changes)).toThrow(/instancePath/);
  });
});
