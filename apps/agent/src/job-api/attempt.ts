import type { Socket } from 'node:net';
import { judgeRequest, refused } from './judge-request.ts';
import type { Refused, Word } from './judge-request.ts';
import { RequestReader } from './read-requests.ts';
import type { Broken, Form, Request } from './read-requests.ts';

/** What the agent asks back, and what it is told, of one attempt. */
export interface AttemptWish {
  readonly onProgress: (said: { readonly progress: number | null; readonly message: string }) => void;
  /** Why the order does not let this file come back; null when it does. */
  readonly whyNotOutput: (path: string) => string | null;
}

const MOST_CONNECTIONS = 16;
const MOST_OUTPUTS = 256;
/** Requests, pieces of bytes and connections together; what is over waits, and with it the job that sent it. */
const WORK_A_SECOND = 1000;
const MOST_WORK = 2000;
const TOLD_EVERY = 100;
const MOST_UNREAD_ANSWERS = 4096;
const LONGEST_WAIT = 10_000;

interface Connection {
  readonly reader: RequestReader;
  /** When the request began that is not whole yet. */
  began: number | null;
  isWaiting: boolean;
  /** The job says no more; what it has said may still wait. */
  isEnded: boolean;
}

/** Everything that one attempt has said, and the connections by which it says it. */
export class Attempt {
  readonly named = new Set<string>();
  readonly #wish: AttemptWish;
  readonly #connections = new Map<Socket, Connection>();
  #work = MOST_WORK;
  #filledAt: number;
  #toldAt = Number.NEGATIVE_INFINITY;
  #hasNews = false;
  #progress: number | null = null;
  #message = '';
  #isOver = false;

  constructor(wish: AttemptWish, now: number) {
    this.#wish = wish;
    this.#filledAt = now;
  }

  /** False when it has come more often than anybody needs: then its door is shut for good. */
  admit(socket: Socket, now: number): boolean {
    if (!this.#spend(now)) return false;
    if (this.#connections.size >= MOST_CONNECTIONS) {
      socket.end(lineOf(refused('job_api.too_many', `${MOST_CONNECTIONS} connections are open`)));
      socket.destroySoon();
      return true;
    }
    const connection: Connection = {
      reader: new RequestReader(),
      began: null,
      isWaiting: false,
      isEnded: false,
    };
    this.#connections.set(socket, connection);
    socket.on('close', () => this.#connections.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      connection.reader.feed(chunk);
      this.#spend(this.#filledAt);
      this.#hear(socket, connection);
    });
    socket.on('end', () => {
      connection.isEnded = true;
      this.#hear(socket, connection);
    });
    return true;
  }

  /** Called as time goes by: what waited goes on, what hangs is cut off, what is new is told. */
  look(now: number): void {
    this.#fill(now);
    for (const [socket, connection] of this.#connections) {
      if (connection.isWaiting) this.#hear(socket, connection);
      if (connection.reader.isEmpty || connection.isWaiting) connection.began = null;
      else if ((connection.began ??= now) + LONGEST_WAIT < now) socket.destroy();
    }
    if (!this.#hasNews || now - this.#toldAt < TOLD_EVERY) return;
    this.#toldAt = now;
    this.#tell();
  }

  end(): void {
    this.#isOver = true;
    for (const socket of this.#connections.keys()) socket.destroy();
    this.#connections.clear();
    this.#tell();
  }

  #tell(): void {
    if (!this.#hasNews) return;
    this.#hasNews = false;
    this.#wish.onProgress({ progress: this.#progress, message: this.#message });
  }

  #hear(socket: Socket, connection: Connection): void {
    connection.isWaiting = false;
    let answers = '';
    let isLast = false;
    while (!this.#isOver && socket.writable && !isLast && !connection.isWaiting) {
      if (this.#work < 1 || answers.length + socket.writableLength > MOST_UNREAD_ANSWERS) {
        connection.isWaiting = true;
        break;
      }
      const found = connection.reader.take() ?? (connection.isEnded ? connection.reader.finish() : undefined);
      if (found === undefined) {
        isLast = connection.isEnded;
        break;
      }
      this.#work -= 1;
      connection.began = null;
      const said = found.is === 'broken' ? found : this.#obey(found);
      answers += answerOf(said, found.form);
      // A request that broke off, or a POST, is the last of its connection.
      isLast = found.is === 'broken' || found.form === 'http';
    }
    if (answers !== '') socket.write(answers);
    if (isLast) socket.destroySoon();
    else if (connection.isWaiting) socket.pause();
    else if (socket.isPaused()) socket.resume();
  }

  #obey(request: Request): Refused | null {
    const word = judgeRequest(request);
    if (word.is === 'refused') return word;
    return word.is === 'output' ? this.#nameOutput(word) : this.#say(word);
  }

  #say(word: Exclude<Word, { is: 'output' }>): null {
    if (word.is === 'progress') this.#progress = word.thousandths;
    this.#message = word.message ?? this.#message;
    this.#hasNews = true;
    return null;
  }

  #nameOutput({ path }: Extract<Word, { is: 'output' }>): Refused | null {
    if (this.named.has(path)) return null;
    if (this.named.size >= MOST_OUTPUTS)
      return refused('job_api.too_many', `a job names at most ${MOST_OUTPUTS} outputs`);
    const why = this.#wish.whyNotOutput(path);
    if (why !== null) return refused('job_api.not_ordered', why);
    this.named.add(path);
    return null;
  }

  #fill(now: number): void {
    const more = ((now - this.#filledAt) * WORK_A_SECOND) / 1000;
    this.#work = Math.min(MOST_WORK, this.#work + more);
    this.#filledAt = now;
  }

  #spend(now: number): boolean {
    this.#fill(now);
    this.#work -= 1;
    return this.#work > 0;
  }
}

function answerOf(said: Refused | Broken | null, form: Form): string {
  const line = said === null ? 'ok\n' : lineOf(said);
  return form === 'line' ? line : postAnswer(said, line);
}

const lineOf = ({ code, why }: Refused | Broken): string => `error ${code} ${why}\n`;

function postAnswer(said: Refused | Broken | null, line: string): string {
  const status =
    said === null ? '200 OK' : said.code === 'job_api.too_many' ? '429 Too Many Requests' : '400 Bad Request';
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(line)}\r\nConnection: close\r\n\r\n${line}`;
}
