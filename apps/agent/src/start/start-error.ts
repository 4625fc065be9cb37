export type StartErrorCode =
  | 'start.app_unreadable'
  | 'start.no_block'
  | 'start.owner_file'
  | 'start.no_entry';

export class StartError extends Error {
  readonly code: StartErrorCode;
  constructor(code: StartErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'StartError';
    this.code = code;
  }
}
