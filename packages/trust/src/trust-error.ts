/** The one error of this package: `code` says which check refused. */
export class TrustError extends Error {
  override readonly name = 'TrustError';
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
