/** What can go wrong in the command line itself, with the general sentence of each. */
export const CLI_CODES = {
  usage: 'The command line cannot be understood',
  'usage.command': 'There is no such command',
  'usage.option': 'There is no such option, or its value cannot be understood',
  'usage.argument': 'An argument is missing, doubled or cannot be understood',
  'usage.input_needed': 'A question would have to be asked, and asking is switched off',
  'selector.none': 'Nothing fits what was asked for',
  'selector.several': 'More than one thing fits what was asked for',
  'up.not_ready': 'A program that was started did not become ready',
  'up.not_ours': 'What answers here is not the program that was started here',
  'up.other_cluster': 'The server here belongs to a cluster that is unknown to this account',
  'up.joined': 'This folder is that of an agent of another server',
  'up.not_running': 'Nothing runs here',
  'up.still_running': 'A program was asked to stop and did not',
  'listen.port_busy': 'Another program uses the port',
  'signer.fork': 'Two signer sets have one version',
  'signer.not_changer': 'You may not change the signer set',
  'signer.no_fork': 'There is no fork of the signer set',
  'signer.no_recovery': 'There is no recovery key',
  'signer.words_wrong': 'These are not the words of a recovery key',
  'signer.words_other': 'These are the words of another recovery key',
  'verify.failed': 'The bundle does not verify',
  'verify.anchor_unknown': 'The bundle is consistent, but its cluster is unknown here',
  'job.unfinished': 'The job has not ended',
  'job.no_result': 'The job ended without a result',
  'wait.timeout': 'The time to wait is over',
  system: 'The operating system refused something',
  interrupted: 'Interrupted',
  internal: 'This program has a fault',
} as const;
export type CliCode = keyof typeof CLI_CODES;

/** What to do about `listen.port_busy`. */
export const PORT_BUSY_NEXT = 'Stop it, or choose others: --port, --agent-port';

/** The one error of the command line: what happened, why, and what to do next. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: CliCode;
  readonly next: string | undefined;

  constructor(code: CliCode, message: string, next?: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.next = next;
  }
}
