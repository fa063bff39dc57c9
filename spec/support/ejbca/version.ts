/** The versions of EJBCA, where they differ. */

/** What is installed. */
export interface Release {
  /** Such as `8.2.0.1`. */
  readonly version: string;
  /** Community lacks the resources of end entities, whatever its status text says. */
  readonly edition: 'Community' | 'Enterprise';
}

/** Which version brought what, as far as it is known. */
export const since = {
  /** The criterion UPDATE_TIME of searches. */
  updateTime: '7.10',
  /** `/v1/ca` in Community. */
  certificationAuthorities: '8.1',
  /** `response_format` of pkcs10enroll, and BCFKS as a key store. */
  responseFormat: '8.3',
  /** ML-DSA, by the library that the version comes with. */
  mlDsa: '9.0',
  /** `subject_dn` of pkcs10enroll. */
  subjectOverride: '9.0',
  /** `request_id` of what waits for approval. */
  requestId: '9.0',
  /** `start_time` and `end_time` of pkcs10enroll. */
  validityOverride: '9.3.3',
} as const;

/** Whether a release is of this version or newer. */
export function isAtLeast({ version }: Release, wanted: string): boolean {
  return version.localeCompare(wanted, 'en', { numeric: true }) >= 0;
}

/** What the status resources say: every build calls itself Enterprise. */
export function revisionOf({ version }: Release): string {
  return `EJBCA ${version} Enterprise (working copy)`;
}
