import { connect, constants } from 'node:http2';
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2';
import { PassThrough, pipeline } from 'node:stream';
import type { Readable } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import {
  fromServerCheck,
  LINK_ROUTES,
  orderOfAnyShapeCheck,
  PAYLOAD_TYPES,
  readMessage,
} from '@writ/contract';
import type { Envelope, FromAgent, FromServer } from '@writ/contract';
import { AgentError } from '../agent-error.ts';
import { readLines } from './line-reader.ts';

const LONGEST_LINE = 4 * 1024 * 1024;
const WINDOW = 4 * 1024 * 1024;
/** More than this unsent, and receipts wait in their file. */
const MUCH_UNSENT = 8 * 1024 * 1024;

export interface RequestBody {
  readonly stream: Readable;
  readonly size: number;
}

export interface Answer {
  readonly status: number;
  readonly body: Readable;
}

/** One connection to a server on which this agent speaks HTTP/2 as the client, whoever dialed. */
export interface Link {
  /** Messages of one loop turn travel together. */
  send(message: FromAgent): void;
  /** As {@link send}, for a message that is text already. */
  sendText(text: string): void;
  /** Whether so much is unsent that what can wait should. */
  readonly isFull: boolean;
  /** Resolves when there is room again, or the link is gone. */
  roomy(): Promise<void>;
  request(method: string, path: string, body?: RequestBody, json?: unknown): Promise<Answer>;
  /** Resolves when the link is over, with the reason. */
  readonly over: Promise<Error | undefined>;
  close(reason?: Error): void;
}

/** Takes a judged connection. `onMessage` is called for each message in order; what it throws ends the link. */
export function openLink(socket: TLSSocket, onMessage: (message: FromServer) => void): Link {
  const session = connect('https://writ', {
    createConnection: () => socket,
    settings: { initialWindowSize: WINDOW, enablePush: false },
  });
  session.on('connect', () => session.setLocalWindowSize(WINDOW * 4));
  const stream = session.request(
    { ':method': 'POST', ':path': LINK_ROUTES.stream, 'content-type': 'application/octet-stream' },
    { endStream: false },
  );
  const over = Promise.withResolvers<Error | undefined>();
  let isOver = false;
  let unsent: string[] = [];

  const close = (reason?: Error): void => {
    if (isOver) return;
    isOver = true;
    over.resolve(reason);
    stream.destroy();
    session.destroy();
    socket.destroy();
  };
  const flush = (): void => {
    const text = unsent.join('\n');
    unsent = [];
    if (!isOver && !stream.destroyed) stream.write(`${text}\n`);
  };
  const sendText = (text: string): void => {
    if (isOver) return;
    if (unsent.length === 0) setImmediate(flush);
    unsent.push(text);
  };
  const take = readLines(LONGEST_LINE, (line) => onMessage(messageOf(line)));

  stream.on('response', (headers) => {
    const status = headers[':status'];
    if (status !== 200)
      close(new AgentError('link.refused', `The server answered ${String(status)} to this link.`));
  });
  stream.on('data', (chunk: Buffer) => {
    try {
      take(chunk);
    } catch (error) {
      close(error instanceof Error ? error : new Error(String(error)));
    }
  });
  for (const part of [session, stream, socket]) {
    part.on('error', (error: Error) => close(error));
    part.on('close', () => close(new AgentError('link.closed', 'The connection to the server was closed.')));
  }
  stream.on('end', () => close(new AgentError('link.closed', 'The server ended the link.')));
  session.on('goaway', () => close(new AgentError('link.closed', 'The server is going away.')));

  return {
    send: (message) => sendText(JSON.stringify(message)),
    sendText,
    get isFull() {
      return stream.writableLength > MUCH_UNSENT;
    },
    roomy: () => roomyAgain(stream, over.promise),
    request: (method, path, body, json) => request(session, method, path, body, json),
    over: over.promise,
    close,
  };
}

/** In place of what is no envelope: signed by nobody, it verifies nowhere. */
const UNSIGNED: Envelope = { payload: '', payloadType: PAYLOAD_TYPES.order, signatures: [] };

function messageOf(line: string): FromServer {
  const read = readMessage(line, fromServerCheck);
  if ('message' in read) return read.message;
  const order = readMessage(line, orderOfAnyShapeCheck);
  // Its submitter is to hear of it: its lease is refused by the check of its envelope. Nothing of it is kept.
  if ('message' in order) return { is: 'order', digest: order.message.digest, envelope: UNSIGNED };
  throw new AgentError('link.malformed', `${read.fault} The server sent: ${line.slice(0, 200)}`);
}

async function roomyAgain(stream: ClientHttp2Stream, over: Promise<unknown>): Promise<void> {
  if (stream.writableLength <= MUCH_UNSENT) return;
  await Promise.race([new Promise((resolve) => stream.once('drain', resolve)), over]);
}

async function request(
  session: ClientHttp2Session,
  method: string,
  path: string,
  body?: RequestBody,
  json?: unknown,
): Promise<Answer> {
  if (session.closed || session.destroyed)
    throw new AgentError('link.closed', 'There is no connection to the server now.');
  const headers: OutgoingHttpHeaders = { ':method': method, ':path': path };
  if (body) {
    headers['content-type'] = 'application/octet-stream';
    headers['content-length'] = body.size;
  }
  if (json !== undefined) headers['content-type'] = 'application/json';
  const stream = session.request(headers, { endStream: !body && json === undefined });
  if (json !== undefined) stream.end(JSON.stringify(json));
  const status = new Promise<number>((resolve, reject) => {
    stream.once('response', (answer) => resolve(answer[':status'] ?? 0));
    stream.once('error', reject);
    stream.once('close', () =>
      reject(new AgentError('link.closed', `The connection ended during ${method} ${path}.`)),
    );
  });
  if (body) {
    body.stream.on('error', () => stream.close(constants.NGHTTP2_CANCEL));
    body.stream.pipe(stream);
  }
  // Read at once: what nobody reads is dropped when the far end closes the stream.
  const answer = new PassThrough({ highWaterMark: 1024 * 1024 });
  pipeline(stream, answer, () => undefined);
  return { status: await status, body: answer };
}
