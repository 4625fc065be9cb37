import type { ApiCode, RefusalCode } from '@writ/contract';

/** What can go wrong on this side of the connection. What the server says keeps the server's code. */
export const CLIENT_CODES = {
  'server.unreachable': 'Nothing answers at the address of the server',
  'server.not_ours': 'What answers is not a server of the pinned cluster',
  'answer.malformed': 'The server gave an answer that this program does not understand',
  'answer.other_job': 'The server answered for another job or order than the one asked for',
  'order.invalid': 'The order that was asked for cannot be written',
  'order.unverified': 'The order that the server shows is not signed by anybody in the pinned signer set',
  'set.unverified': 'The server shows signer sets that do not follow from the pinned one',
  'receipt.missing': 'The server says that the job ended, and shows no signed receipt for it',
  'receipt.unverified': 'The server shows a receipt that does not verify',
  'agent.unknown': 'No verified admission names this agent',
  'input.missing': 'An input matches no file',
  'input.unreadable': 'An input cannot be read',
  'input.outside': 'An input lies outside the current folder',
  'input.kind': 'An input is neither a file nor a folder',
  'input.name': 'The name of an input cannot stand in an order',
  'input.twice': 'Two inputs have the same path',
  'input.changed': 'An input changed while it was sent',
  'log.digest_wrong': 'A log is not what the agent signed',
  'output.digest_wrong': 'The bytes of an output are not those that the agent signed',
  'output.outside': 'An output would be written outside the folder asked for',
  'key.missing': 'The signing key of this context is not here',
  'key.malformed': 'The file of a signing key cannot be understood',
  'file.mode': 'Other people may read a file that must be private',
  'file.malformed': 'A file of this program cannot be understood',
  'context.missing': 'No context is chosen, or there is none of this name',
  'context.taken': 'There is a context of this name already',
} as const;
/** A code of {@link CLIENT_CODES}. */
export type ClientCode = keyof typeof CLIENT_CODES;

/** What an error carries besides code and message. */
export interface ErrorParts {
  /** HTTP status, where a server answered. */
  readonly status?: number | undefined;
  /** By which the server's log knows the request. */
  readonly requestId?: string | undefined;
  /** Which fields, as RFC 6901 pointers. */
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[] | undefined;
  /** What it came from, for a log. */
  readonly cause?: unknown;
}

/**
 * The one error of this package. `code` is stable and has its line in docs/errors.md; `message` says what happened and why.
 * A message that came from a server is worth what the server is worth: show it quoted.
 *
 * @example
 * ```ts
 * try {
 *   await client.readJob(id);
 * } catch (error) {
 *   if (!(error instanceof ClientError) || error.code !== 'not_found') throw error;
 * }
 * ```
 */
export class ClientError extends Error {
  /** Always `ClientError`. */
  override readonly name = 'ClientError';
  /** This program's own code, or the server's. */
  readonly code: ClientCode | ApiCode | RefusalCode;
  /** HTTP status, where a server answered. */
  readonly status: number | undefined;
  /** By which the server's log knows the request. */
  readonly requestId: string | undefined;
  /** Which fields, as RFC 6901 pointers. */
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];

  constructor(code: ClientError['code'], message: string, parts: ErrorParts = {}) {
    super(message, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.status = parts.status;
    this.requestId = parts.requestId;
    this.errors = parts.errors ?? [];
  }
}
