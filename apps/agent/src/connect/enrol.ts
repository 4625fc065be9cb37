import { connect } from 'node:tls';
import type { TLSSocket } from 'node:tls';
import { enrolReplyCheck, readMessage } from '@writ/contract';
import type { EnrolAsk, EnrolReply, Envelope } from '@writ/contract';
import { enrolClientTls, enrolProtocol } from '@writ/trust/certificates';
import { AgentError } from '../agent-error.ts';
import { readLines } from './line-reader.ts';

const LONGEST_OFFER = 32 * 1024 * 1024;

/** A connection to a server that has not been judged: whoever opens it judges it before it believes or proves anything. */
export interface Enrolment {
  readonly socket: TLSSocket;
  /** One message, one answer. */
  ask(
    message: EnrolAsk | { readonly is: 'admit'; readonly admission: Envelope; readonly request: Envelope },
  ): Promise<EnrolReply>;
  close(): void;
}

export async function openEnrolment(
  to: { host: string; port: number },
  signal: AbortSignal,
): Promise<Enrolment> {
  const socket = connect({ ...enrolClientTls(), host: to.host, port: to.port });
  const abort = (): void =>
    void socket.destroy(signal.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal.addEventListener('abort', abort, { once: true });
  socket.on('close', () => signal.removeEventListener('abort', abort));
  let fail: (error: Error) => void = () => undefined;
  let answer: (reply: EnrolReply) => void = () => undefined;
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', (cause) => reject(noAnswer(to, cause.message, cause)));
    socket.once('close', () => reject(noAnswer(to, 'it closed the connection')));
  });
  socket.on('error', (cause) => fail(noAnswer(to, cause.message, cause)));
  socket.on('close', () => fail(noAnswer(to, 'it closed the connection')));
  if (socket.alpnProtocol !== enrolProtocol) {
    socket.destroy();
    throw noAnswer(to, 'it is not the agents’ port of a writ server');
  }
  const take = readLines(LONGEST_OFFER, (line) => answer(readReply(line)));
  socket.on('data', (chunk: Buffer) => {
    try {
      take(chunk);
    } catch (error) {
      fail(error instanceof Error ? error : new Error(String(error)));
    }
  });

  return {
    socket,
    ask: (message) =>
      new Promise((resolve, reject) => {
        answer = resolve;
        fail = reject;
        socket.write(`${JSON.stringify(message)}\n`);
      }),
    close: () => void socket.destroy(),
  };
}

function readReply(line: string): EnrolReply {
  const read = readMessage(line, enrolReplyCheck);
  if ('message' in read) return read.message;
  throw new AgentError(
    'join.answer_malformed',
    `The server answered with what this version does not know. ${read.fault}`,
  );
}

const noAnswer = (to: { host: string; port: number }, why: string, cause?: unknown): AgentError =>
  new AgentError(
    'join.no_answer',
    `No answer from ${to.host}:${to.port}: ${why}. Check the address and that the server runs.`,
    cause === undefined ? {} : { cause },
  );
