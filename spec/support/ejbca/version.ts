/** The versions of EJBCA, where they differ. */

/** What is installed. */
export interface Release {
  /** Such as `8.2.0.1`. */
  readonly version: string;
  readonly edition: 'Community' | 'Enterprise';
}

/** Whether a release is of this version or newer. */
export function isAtLeast({ version }: Release, wanted: string): boolean {
  return version.localeCompare(wanted, 'en', { numeric: true }) >= 0;
}
