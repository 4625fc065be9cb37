import { API_CODES, type ApiCode, type EndReason, REFUSAL_CODES, type RefusalCode } from '@writ/contract';
import type { AgentErrorCode } from '@writ/agent';
import { type ClientCode, ClientError } from '@writ/client';
import { TrustError } from '@writ/trust';
import { CliError } from '../cli-error.ts';
import { EXIT } from '../exit-codes.ts';
import { familyOf } from './code-families.ts';
import { explainSystem } from './explain-system.ts';
import { ENDS } from './explain-end.ts';
import { type Explanation, REFUSALS } from './explain-refusal.ts';

export interface Explained {
  readonly code: string;
  readonly message: string;
  readonly next: string | undefined;
  /** What the server said: shown quoted, because it is worth what the server is worth. */
  readonly quoted: string | undefined;
  readonly requestId: string | undefined;
  readonly errors: readonly { readonly pointer: string; readonly detail: string }[];
  readonly exit: number;
}

/** What to do next, by what the server answered. */
export const API_NEXT: Record<ApiCode, string> = {
  'request.malformed': 'Are program and server of the same version? Compare: writ status.',
  'request.too_large': 'Send less at once: long values as an input file.',
  'request.media_type': 'Are program and server of the same version?',
  'request.rate': 'Wait a moment, then try again.',
  'auth.required': 'Give a token: WRIT_TOKEN, or writ context add … --token-file FILE.',
  'auth.refused': 'Have a new token made: writ token create NAME.',
  'auth.forbidden': 'Ask somebody who may.',
  not_found: 'See what there is: writ job list, writ agent list.',
  'conflict.job_id': 'Submit again: a new order gets a new id.',
  'job.removed': 'Submit again: a new order gets a new id.',
  'conflict.set': 'Run the command again: it starts from the newer set.',
  'conflict.name': 'Choose another: --name.',
  'conflict.state': 'Look at the state: writ status.',
  'cluster.unclaimed': 'Run writ up on its machine.',
  'cluster.claimed': 'Nothing is to be done: it has its cluster.',
  'queue.unknown': 'See: writ queue list. Make it: writ queue set NAME.',
  'queue.forbidden': 'Use another queue, or ask an administrator: writ queue set NAME --person YOU.',
  'order.refused': 'Change what was ordered.',
  'set.refused': 'Run the command again: it starts from the newest set.',
  'invite.refused': 'Make a new one: writ invite.',
  'admission.refused': 'Make a new invite: writ invite.',
  'file.missing': 'Run the command again: it sends what is missing.',
  'file.digest_wrong': 'Run the command again: the file changed, or the line is bad.',
  'quota.exceeded': 'Wait until jobs have ended, or cancel some.',
  'storage.full': "Make room on the server's disk: writ prune --dry-run says what may go.",
  'server.failed': "See the server's log for the request named here.",
  'server.unavailable':
    'Wait until its database is back, then try again. What was asked may be done: look first, writ job list.',
};

/** What to do next, by what this side found. */
export const CLIENT_NEXT: Record<ClientCode, string> = {
  'server.unreachable':
    'Is it running? On its machine: writ up, with the --dir that it had. Another server: writ context list.',
  'server.not_ours':
    'Compare address and cluster: writ context list. Do not go on until you know who answers there.',
  'answer.malformed': 'Are program and server of the same version? Compare: writ status.',
  'answer.other_job': 'Do not trust this server until you know why.',
  'order.invalid': 'Change the options named.',
  'order.unverified': 'Do not trust this server until you know why.',
  'set.unverified': 'Do not trust this server until you know why. Nothing was taken over from it.',
  'receipt.missing': 'Ask again later: writ wait. Without a receipt there is no result.',
  'receipt.unverified': 'Do not use what it returned. Do not trust this server until you know why.',
  'agent.unknown': 'See who was admitted: writ agent list.',
  'input.missing': 'Compare the name with what is in the folder.',
  'input.unreadable': 'Give yourself the right to read it, or leave it out.',
  'input.outside': 'Run the command in a folder that holds all inputs.',
  'input.kind': 'Leave it out: name files and folders.',
  'input.name': 'Rename the file.',
  'input.twice': 'Name it once.',
  'input.changed': 'Run the command again when nobody writes to it.',
  'log.digest_wrong': 'Do not use what was shown. Do not trust this server until you know why.',
  'output.digest_wrong': 'Do not trust this server until you know why.',
  'output.outside': 'Look at the folder; choose another with --dir.',
  'key.missing': 'Copy it from where it is kept, or use the machine that has it.',
  'key.malformed': 'Put it back from a copy.',
  'file.mode':
    'Use the account that it belongs to, or give it to this one alone (chown, chmod 600) when you know that nobody else read it.',
  'file.malformed': 'Put it back from a copy, or move it away.',
  'context.missing': 'Start a cluster here: writ up. Or name one: writ context add.',
  'context.taken': 'Choose another name.',
};

const asked = 'Ask whoever made the invite, and do not join before you know why.';
const version = 'Are program and server of the same version?';

/** What a machine that joins finds. */
export const JOINS: Record<JoinCode, { readonly what: string; readonly next: string }> = {
  'invite.malformed': { what: 'What was given is not an invite.', next: 'Make a new one: writ invite.' },
  'invite.expired': { what: 'The invite is over, or not yet.', next: 'Make a new one: writ invite.' },
  'join.no_answer': {
    what: 'No address of the invite answers.',
    next: 'Is the server running, and can this machine reach that address?',
  },
  'join.refused': {
    what: 'The server does not take this machine.',
    next: 'Make a new invite: writ invite; or choose another name: --name.',
  },
  'join.unavailable': {
    what: 'The server does not reach its database at the moment.',
    next: 'Wait until it is back, then run the command again with the same invite: it goes on where it was.',
  },
  'join.other_cluster': {
    what: 'The folder belongs to an agent of another cluster.',
    next: 'Choose another folder: --dir.',
  },
  'join.server_wrong': { what: 'The server does not prove that it is the one of the invite.', next: asked },
  'join.set_wrong': { what: 'The signer sets do not follow from the one of the invite.', next: asked },
  'join.invite_wrong': { what: 'The invite does not count.', next: 'Make a new one: writ invite.' },
  'join.certificate_wrong': { what: 'The certificate is not the one that was asked for.', next: version },
  'join.answer_malformed': { what: 'The server answers in another shape.', next: version },
};

type JoinCode = Extract<AgentErrorCode, `join.${string}`> | 'invite.malformed' | 'invite.expired';

/** One explanation for every code that can end an attempt. */
export function explainBecause(because: EndReason | RefusalCode): Explanation {
  return (
    (REFUSALS as Record<string, Explanation | undefined>)[because] ??
    (ENDS as Record<string, Explanation>)[because] ??
    unknown
  );
}

const unknown: Explanation = {
  what: 'It ended for a reason that this program does not know.',
  why: 'The agent is newer than this program.',
  next: 'Install the newer version here.',
};

export function explainError(error: unknown): Explained {
  if (error instanceof CliError) {
    return { code: error.code, message: error.message, next: error.next, ...nothing, exit: exitOfCli(error) };
  }
  if (error instanceof ClientError) return explainClientError(error);
  if (error instanceof TrustError) {
    return {
      code: error.code,
      message: `${capital(error.message)}.`,
      next: nextOf(error.code),
      ...nothing,
      exit: EXIT.error,
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  const isSystems = code !== undefined && /^E[A-Z0-9]+$/.test(code);
  const told = isSystems ? explainSystem(error as NodeJS.ErrnoException) : undefined;
  return {
    code: isSystems ? 'system' : (code ?? 'internal'),
    message: told?.message ?? message,
    next: told?.next ?? nextOf(code),
    ...nothing,
    exit: EXIT.error,
  };
}

const nextOf = (code = ''): string | undefined =>
  ((JOINS as Record<string, { next: string } | undefined>)[code] ?? familyOf(code))?.next;

const nothing = { quoted: undefined, requestId: undefined, errors: [] };

function explainClientError(error: ClientError): Explained {
  const { code, requestId, errors } = error;
  const fromServer = code in API_CODES;
  return {
    code,
    message: fromServer
      ? `${API_CODES[code as ApiCode][1]}.`
      : isRefusal(code)
        ? REFUSALS[code].what
        : error.message,
    next: fromServer
      ? API_NEXT[code as ApiCode]
      : isRefusal(code)
        ? REFUSALS[code].next
        : CLIENT_NEXT[code as ClientCode],
    quoted: fromServer ? error.message : undefined,
    requestId,
    errors,
    exit: exitOfClient(code, error.status),
  };
}

const isRefusal = (code: string): code is RefusalCode => (REFUSAL_CODES as readonly string[]).includes(code);

function exitOfCli({ code }: CliError): number {
  if (code.startsWith('usage')) return EXIT.usage;
  if (code === 'selector.several') return EXIT.usage;
  if (code === 'selector.none') return EXIT.notFound;
  if (code === 'wait.timeout') return EXIT.timedOut;
  if (code === 'up.not_running') return EXIT.unreachable;
  if (code === 'interrupted') return EXIT.interrupted;
  return EXIT.error;
}

function exitOfClient(code: ClientError['code'], status: number | undefined): number {
  if (code === 'server.unreachable' || code === 'server.not_ours') return EXIT.unreachable;
  if (status === 404) return EXIT.notFound;
  if (status === 401 || status === 403) return EXIT.notAllowed;
  if (code === 'context.missing' || code === 'agent.unknown') return EXIT.notFound;
  if (code === 'order.invalid') return EXIT.usage;
  return EXIT.error;
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Errors of the other packages carry a code as well. */
function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
