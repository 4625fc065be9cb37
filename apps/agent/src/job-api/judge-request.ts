import { check, JobPath } from '@writ/contract';
import type { Request } from './read-requests.ts';

/** What a job may say. */
export type Word =
  | { readonly is: 'progress'; readonly thousandths: number; readonly message: string | null }
  | { readonly is: 'message'; readonly message: string }
  | { readonly is: 'output'; readonly path: string };

export interface Refused {
  readonly is: 'refused';
  readonly code: JobApiCode;
  readonly why: string;
}

/** Stable: jobs may compare them. */
export const JOB_API_CODES = [
  'job_api.unknown',
  'job_api.not_text',
  'job_api.not_a_share',
  'job_api.not_a_path',
  'job_api.not_ordered',
  'job_api.too_long',
  'job_api.too_many',
  'job_api.unfinished',
  'job_api.bad_request',
] as const;
export type JobApiCode = (typeof JOB_API_CODES)[number];

const LONGEST_MESSAGE = 1000;
const LONGEST_PATH = 1024;
const DEEPEST = 64;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const jobPath = check(JobPath);

/** The whole grammar: `progress SHARE [TEXT]`, `message TEXT`, `output PATH`. */
export function judgeRequest({ verb, rest }: Request): Word | Refused {
  const text = plainText(rest);
  if (text === null) return refused('job_api.not_text', 'it is no plain text in UTF-8');
  switch (verb) {
    case 'progress': {
      const [, share, message] = /^([^ ]*)(?: (.*))?$/u.exec(text) ?? [];
      const thousandths = readShare(share ?? '');
      if (thousandths === null)
        return refused('job_api.not_a_share', 'after progress comes a number from 0 to 1, as 0.4');
      return tooLong(message) ?? { is: 'progress', thousandths, message: message ?? null };
    }
    case 'message':
      return tooLong(text) ?? { is: 'message', message: text };
    case 'output':
      return readPath(text);
    default:
      return refused('job_api.unknown', 'a request begins with progress, message or output');
  }
}

/** No control characters: what people see in a terminal is text, and a name of a file is one too. */
function plainText(bytes: Buffer): string | null {
  let text: string;
  try {
    text = utf8.decode(bytes).normalize('NFC');
  } catch {
    return null;
  }
  return /[\p{Cc}\p{Cs}]/u.test(text.replaceAll('\t', ' ')) ? null : text;
}

function readShare(text: string): number | null {
  if (!/^\d{0,3}\.?\d{1,20}(?:e-\d{1,3})?$/i.test(text)) return null;
  const share = Number(text);
  return share <= 1 ? Math.round(share * 1000) : null;
}

function tooLong(message: string | undefined): Refused | null {
  return message !== undefined && message.length > LONGEST_MESSAGE
    ? refused('job_api.too_long', `a message has at most ${LONGEST_MESSAGE} characters`)
    : null;
}

function readPath(text: string): Word | Refused {
  const path = text.replace(/^\.\//, '');
  if (path.length > LONGEST_PATH || path.split('/').length > DEEPEST)
    return refused('job_api.too_long', `a path has at most ${LONGEST_PATH} characters and ${DEEPEST} parts`);
  if (!jobPath.is(path))
    return refused('job_api.not_a_path', "an output is a plain path below the job's folder, without ..");
  return { is: 'output', path };
}

export const refused = (code: JobApiCode, why: string): Refused => ({ is: 'refused', code, why });
