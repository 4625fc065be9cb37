import type { Readable } from 'node:stream';
import { LINK_ROUTES, setsReplyCheck } from '@writ/contract';
import type { Envelope, SetsReply } from '@writ/contract';
import { AgentError } from './agent-error.ts';
import type { Answer, Link, RequestBody } from './connect/link.ts';

/** What an agent asks of its server beside the stream of messages, on the same connection. */
export interface Asking {
  /** The bytes behind a digest; nobody has compared them yet. */
  fetchFile(digest: string): Promise<Readable>;
  /** An output of that attempt. */
  sendFile(
    digest: string,
    of: { readonly job: string; readonly index: number; readonly attempt: number },
    file: RequestBody,
  ): Promise<void>;
  sendLog(path: string, offset: number, log: RequestBody): Promise<void>;
  fetchSets(after: number): Promise<SetsReply>;
  /** The answer as it came: whoever asked for a certificate checks it. */
  renewLeaf(request: Envelope): Promise<unknown>;
}

const LONGEST_ANSWER = 64 * 1024 * 1024;

export function askServer(link: () => Link | undefined): Asking {
  async function ask(method: string, path: string, body?: RequestBody, json?: unknown): Promise<Answer> {
    const open = link();
    if (!open) throw new AgentError('link.closed', 'There is no connection to the server now.');
    return open.request(method, path, body, json);
  }

  return {
    async fetchFile(digest) {
      const { status, body } = await ask('GET', fileRoute(digest));
      if (status === 200) return body;
      body.resume();
      throw new AgentError('file.unavailable', `the server answered ${status}`);
    },
    sendFile: (digest, { job, index, attempt }, file) =>
      expectDone(
        ask('PUT', `${fileRoute(digest)}?job=${job}&index=${index}&attempt=${attempt}`, file),
        file.stream,
      ),
    sendLog: (path, offset, log) => expectDone(ask('POST', `${path}?offset=${offset}`, log), log.stream),
    async fetchSets(after) {
      const { status, body } = await ask('GET', `${LINK_ROUTES.sets}?after=${after}`);
      const answer = await readJson(body);
      if (status !== 200 || !setsReplyCheck.is(answer))
        throw new AgentError('link.malformed', `The server answered ${status} when asked for signer sets.`);
      return answer;
    },
    async renewLeaf(request) {
      const { status, body } = await ask('POST', LINK_ROUTES.certificate, undefined, request);
      const answer = await readJson(body);
      if (status !== 200)
        throw new AgentError(
          'link.refused',
          `The server answered ${status} to the renewal: ${JSON.stringify(answer).slice(0, 300)}`,
        );
      return answer;
    },
  };
}

const fileRoute = (digest: string): string => LINK_ROUTES.file.replace(':digest', digest);

async function expectDone(answer: Promise<Answer>, source: Readable): Promise<void> {
  try {
    const { status, body } = await answer;
    const text = await readText(body);
    if (status < 200 || status > 299)
      throw new AgentError('file.refused', `The server answered ${status}: ${text.slice(0, 300)}`);
  } finally {
    source.destroy();
  }
}

async function readText(body: Readable): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > LONGEST_ANSWER)
      throw new AgentError('link.malformed', 'The server’s answer is larger than any answer is.');
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString('utf8');
}

async function readJson(body: Readable): Promise<unknown> {
  const text = await readText(body);
  try {
    return JSON.parse(text);
  } catch {
    return { text };
  }
}
