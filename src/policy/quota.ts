import { hash } from 'node:crypto';
import { EstError } from '../errors.ts';
import type { CertificateIdentity, CertificateQuota, ClientIdentity } from '../identity.ts';
import type { CertifiedNames } from '../pkix/change-subject-name.ts';
import { comparableGeneralName } from '../pkix/general-names.ts';
import { comparableName } from '../pkix/names.ts';
import type { EnrollmentJournal, Quota } from '../store/store.ts';
import type { ComparedEnrollment, ProvedEnrollment } from './asked-enrollment.ts';
import type { Check } from './check.ts';

/** What tells who asks, and how much is left. */
interface QuotaServices {
  readonly journal: Pick<EnrollmentJournal, 'issuedTo' | 'reachedQuota'>;
  readonly receivedAt: Date;
  /** For how many seconds a request may wait that nobody asks for. */
  readonly pending: { readonly expiry: number };
  readonly alias: { readonly id: string; readonly policy: { readonly quota?: CertificateQuota } };
}

/**
 * Who asks, by a text that stays the same whatever the client asks for and however it comes: a user, also by a certificate
 * that it got, and by one that it got with that one; the holder of any other certificate. A registration authority asks for
 * many, each of which is known by the subject. Where the CA checks codes, it is the user with its code.
 */
export async function clientOf(
  { journal, alias }: Omit<QuotaServices, 'receivedAt'>,
  { identity, otpUser, names }: ProvedEnrollment,
): Promise<string> {
  const { key, claim, registrationAuthority, user = otpUser, certificate } = identity;
  // Whoever knows no code must not use up the quota of the subject or of the user while the CA cannot say so.
  if (claim !== undefined) return key;
  if (registrationAuthority !== undefined) return `subject:${holderOf(names)}`;
  if (user !== undefined) return user.account === undefined ? `user:${user.name}` : `account:${user.account}`;
  if (certificate === undefined) return key;
  const { der, spki, notAfter } = certificate.certificate;
  const publicKey = hash('sha256', spki, 'hex');
  const issued = await journal.issuedTo({ certificate: der, notAfter, publicKey });
  if (issued === undefined) return holderOfCertificate(certificate);
  // Each alias has users of its own.
  const isOfOther = issued.alias !== alias.id && issued.client.startsWith('user:');
  return isOfOther ? `alias ${issued.alias} ${issued.client}` : issued.client;
}

function holderOfCertificate({ certificate, issuer }: CertificateIdentity): string {
  const { subject, subjectAltName = [] } = certificate;
  return `holder:${holderOf({ subject, subjectAltName })} of ${comparableName(issuer.subject)}`;
}

/** The subject; where it is empty, the subjectAltName takes its place (RFC 5280, section 4.1.2.6). */
function holderOf({ subject, subjectAltName }: CertifiedNames): string {
  return subject.rdns.length > 0
    ? comparableName(subject)
    : JSON.stringify(subjectAltName.map(comparableGeneralName).sort());
}

/** What bounds a client at the alias, and the registration authority that asks for it. */
export function quotasOf(
  { alias, receivedAt, pending }: Omit<QuotaServices, 'journal'>,
  { registrationAuthority: authority }: ClientIdentity,
  client: string,
): readonly Quota[] {
  const quotaOf = (
    of: Quota['of'],
    key: string | undefined,
    quota: CertificateQuota | undefined,
  ): readonly Quota[] => {
    if (key === undefined || quota === undefined) return [];
    const ago = (seconds: number): Date => new Date(receivedAt.getTime() - seconds * 1000);
    const [since, pendingSince] = [ago(quota.period), ago(pending.expiry)];
    return [{ of, key, most: quota.certificates, since, pendingSince }];
  };
  return [
    ...quotaOf('client', client, alias.policy.quota),
    ...quotaOf('registrationAuthority', authority?.name, authority?.quota),
  ];
}

const rules: Readonly<Record<Quota['of'], string>> = {
  client: 'policy.quota',
  registrationAuthority: 'registrationAuthorities.quota',
};

/** May this client have one more now, and who asks for it? A repeat is none; `open` decides at last. */
export function examineQuotas(
  { journal }: Pick<QuotaServices, 'journal'>,
  { record: { alias, quotas }, isRepeat }: ComparedEnrollment,
): readonly Check[] {
  return quotas.map((quota) => ({
    rule: rules[quota.of],
    check: async () => {
      const oldest = isRepeat ? undefined : await journal.reachedQuota(alias, quota);
      if (oldest !== undefined) throw quotaReached(quota, oldest);
    },
  }));
}

/** The refusal of a client whose oldest record that counts is of this time. */
export function quotaReached({ of, since }: Quota, oldest: Date): EstError {
  return new EstError(
    'too_many_requests',
    'This client has had as many certificates as it may have for now.',
    {
      retryAfter: Math.max(1, Math.ceil((oldest.getTime() - since.getTime()) / 1000)),
      refusedBy: { rule: rules[of] },
    },
  );
}
