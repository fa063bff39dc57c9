import { EstError } from '../errors.ts';
import { oids } from '../pkix/oids.ts';
import type { Demand } from './demand.ts';
import { missing } from '../pkix/offending.ts';
import type { PolicyOptions } from './options.ts';

/**
 * The attributes that prove something beside the signature. Here they are only asked for; `auth` verifies each one that
 * is there, and each has to be right (RFC 7894, section 4).
 */
export function challengeDemands({ linking, otpChallenge }: PolicyOptions): readonly Demand[] {
  return [
    ...(linking === 'required' ? [linkingDemand] : []),
    otpChallenge === 'required' ? requiredOtp : unusedOtp,
    unusedRevocationChallenge,
  ];
}

/** RFC 7030, section 3.5; either attribute will do. */
export const linkingDemand: Demand = {
  rule: 'policy.linking',
  wanted: { what: 'identifiers', oids: [oids.challengePassword, oids.estIdentityLinking] },
  check: ({ challengePassword, estIdentityLinking }) => {
    if (challengePassword !== undefined || estIdentityLinking !== undefined) return;
    throw new EstError(
      'channel_binding_mismatch',
      'This alias requires the linking of identity and proof of possession: put the base64 of tls-unique (TLS 1.2) or ' +
        'tls-exporter (TLS 1.3) into the challengePassword of the CSR.',
      { refusedBy: { offending: missing('challengePassword') } },
    );
  },
  onlyForFirst: false,
};

/** RFC 7894, section 3.1. */
const requiredOtp: Demand = {
  rule: 'policy.otpChallenge',
  wanted: { what: 'identifiers', oids: [oids.otpChallenge] },
  check: ({ otpChallenge }) => {
    if (otpChallenge !== undefined) return;
    throw new EstError(
      'refused_by_policy',
      'The CSR must hold the enrolment code of the device as otpChallenge.',
      { refusedBy: { offending: missing('otpChallenge') } },
    );
  },
  onlyForFirst: true,
};

/** What nobody would verify is not passed over: each challenge that is there must succeed. */
const unusedOtp: Demand = {
  rule: 'policy.otpChallenge',
  wanted: undefined,
  check: ({ otpChallenge }) => {
    if (otpChallenge !== undefined) throw unused('otpChallenge');
  },
  onlyForFirst: false,
};

/** RFC 7894, section 3.2. The device would believe that it can revoke by it. */
const unusedRevocationChallenge: Demand = {
  rule: 'fixed: no revocationChallenge',
  wanted: undefined,
  check: ({ revocationChallenge }) => {
    if (revocationChallenge !== undefined) throw unused('revocationChallenge');
  },
  onlyForFirst: false,
};

function unused(attribute: string): EstError {
  return new EstError(
    'refused_by_policy',
    `The attribute ${attribute} is not used here; leave it out of the CSR.`,
    { refusedBy: { offending: attribute } },
  );
}
