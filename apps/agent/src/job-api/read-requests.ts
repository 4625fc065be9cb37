/** One request as it came: a line, or a `POST` that says the same. Nothing in it has been judged. */
export interface Request {
  readonly is: 'request';
  readonly verb: string;
  readonly rest: Buffer;
  readonly form: Form;
}

export type Form = 'line' | 'http';

/** After it nothing more is read: where the next request would begin is not known. */
export interface Broken {
  readonly is: 'broken';
  readonly code: 'job_api.too_long' | 'job_api.bad_request' | 'job_api.unfinished';
  readonly why: string;
  readonly form: Form;
}

export const LONGEST_LINE = 4096;
const MOST_HEADERS = 32;
const NEWLINE = 10;
const SPACE = 32;

/**
 * Cuts what a job writes into requests. It holds what has not been taken yet, so whoever feeds it takes all requests, or
 * feeds no more; of a request that is not whole it holds 4 KiB at most.
 */
export class RequestReader {
  #held: Buffer = Buffer.alloc(0);
  #from = 0;
  #searched = 0;
  #http: { readonly verb: string; headers: number; bytes: number | null; isBody: boolean } | null = null;

  feed(chunk: Buffer): void {
    this.#held = this.isEmpty ? chunk : Buffer.concat([this.#held.subarray(this.#from), chunk]);
    this.#searched -= this.#from;
    this.#from = 0;
  }

  /** Nothing is begun. */
  get isEmpty(): boolean {
    return this.#from === this.#held.length && this.#http === null;
  }

  take(): Request | Broken | undefined {
    for (;;) {
      const http = this.#http;
      if (http?.isBody === true) return this.#takeBody(http.verb, http.bytes ?? 0);
      const line = this.#takeLine();
      if (!Buffer.isBuffer(line)) return line;
      if (http !== null) {
        const fault = readHeader(line, http);
        if (fault) return fault;
        continue;
      }
      const verb = postVerb(line);
      if (verb === null) return splitLine(line);
      this.#http = { verb, headers: 0, bytes: null, isBody: false };
    }
  }

  /** What was begun and never ended is not taken for whole. */
  finish(): Broken | undefined {
    return this.isEmpty
      ? undefined
      : broken('job_api.unfinished', 'the connection ended within a request', this.#form);
  }

  get #form(): Form {
    return this.#http === null ? 'line' : 'http';
  }

  #takeLine(): Buffer | Broken | undefined {
    const end = this.#held.indexOf(NEWLINE, Math.max(this.#from, this.#searched));
    this.#searched = end < 0 ? this.#held.length : end + 1;
    if ((end < 0 ? this.#held.length : end) - this.#from > LONGEST_LINE)
      return broken('job_api.too_long', `a line has at most ${LONGEST_LINE} bytes`, this.#form);
    if (end < 0) return undefined;
    const line = this.#held.subarray(
      this.#from,
      this.#held[end - 1] === 13 && end > this.#from ? end - 1 : end,
    );
    this.#from = end + 1;
    return line;
  }

  #takeBody(verb: string, bytes: number): Request | undefined {
    if (this.#held.length - this.#from < bytes) return undefined;
    const rest = this.#held.subarray(this.#from, this.#from + bytes);
    this.#from += bytes;
    this.#http = null;
    return { is: 'request', verb, rest: rest.at(-1) === NEWLINE ? rest.subarray(0, -1) : rest, form: 'http' };
  }
}

function postVerb(line: Buffer): string | null {
  if (line.length > 64) return null;
  return /^POST \/([a-z]{1,16}) HTTP\/1\.[01]$/.exec(line.toString('latin1'))?.[1] ?? null;
}

function splitLine(line: Buffer): Request {
  const space = line.indexOf(SPACE);
  const end = space < 0 ? line.length : space;
  return {
    is: 'request',
    verb: line.toString('latin1', 0, Math.min(end, 32)),
    rest: line.subarray(Math.min(end + 1, line.length)),
    form: 'line',
  };
}

/** Of all headers only the length means anything here, and it may be said once. */
function readHeader(
  line: Buffer,
  http: { headers: number; bytes: number | null; isBody: boolean },
): Broken | undefined {
  if (line.length === 0) {
    http.isBody = true;
    return undefined;
  }
  const refuse = (why: string): Broken => broken('job_api.bad_request', why, 'http');
  if (++http.headers > MOST_HEADERS) return refuse(`there are more than ${MOST_HEADERS} headers`);
  const text = line.toString('latin1');
  if (/^transfer-encoding[ \t]*:/i.test(text)) return refuse('the body must come with a Content-Length');
  if (!/^content-length[ \t]*:/i.test(text)) return undefined;
  const length = /^content-length:[ \t]*(\d{1,9})[ \t]*$/i.exec(text)?.[1];
  if (length === undefined || http.bytes !== null)
    return refuse('its Content-Length is no plain number, or comes twice');
  http.bytes = Number(length);
  return http.bytes > LONGEST_LINE
    ? broken('job_api.too_long', `a body has at most ${LONGEST_LINE} bytes`, 'http')
    : undefined;
}

const broken = (code: Broken['code'], why: string, form: Form): Broken => ({ is: 'broken', code, why, form });
