/** The configuration cannot be used; the message lists every reason, one a line, for the person who wrote it. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  /** One sentence each, such as `est-gateway.yaml:12: limits.bodyBites: unknown key; did you mean "bodyBytes"?` */
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options);
    this.problems = problems;
  }
}
