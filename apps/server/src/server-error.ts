import { API_CODES, type ApiCode } from '@writ/contract';

export interface FieldFault {
  /** RFC 6901 pointer into the request's body. */
  readonly pointer: string;
  readonly detail: string;
}

/** What a request is answered with when it is not done. `message` is for the reader of the answer. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  readonly code: ApiCode;
  readonly errors: readonly FieldFault[];

  constructor(code: ApiCode, message: string, errors: readonly FieldFault[] = [], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.errors = errors;
  }

  get status(): number {
    return API_CODES[this.code][0];
  }
}

/** Why the program cannot start. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly code:
    | 'listen.port_busy'
    | 'listen.failed'
    | 'state.in_use'
    | 'state.unusable'
    | 'authority.missing'
    | 'options.wrong';

  constructor(code: StartError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
