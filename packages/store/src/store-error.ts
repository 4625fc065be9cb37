export type StoreErrorCode =
  | 'store.newer_than_program'
  | 'store.cannot_open'
  | 'store.bad_url'
  | 'store.unavailable'
  | 'store.cut_off'
  | 'store.in_use'
  | 'store.closed'
  | 'store.too_many'
  | 'store.bad_cursor'
  | 'store.impossible';

export class StoreError extends Error {
  readonly code: StoreErrorCode;

  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StoreError';
    this.code = code;
  }
}
