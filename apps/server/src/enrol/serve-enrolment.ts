import type { TLSSocket } from 'node:tls';
import {
  type CertificateReply,
  type Check,
  enrolAdmitCheck,
  enrolAskCheck,
  type EnrolReply,
  type Envelope,
  readMessage,
} from '@writ/contract';
import type { Store } from '@writ/store';
import {
  allSets,
  checkInviteTime,
  judgeAdmission,
  judgeCertificateRequest,
  judgeInvite,
  TrustError,
} from '@writ/trust';
import type { Admit } from '../admit.ts';
import type { Clock } from '../clock.ts';
import type { Cluster } from '../cluster.ts';
import { asServerError } from '../fastify-schemas.ts';
import { limitRate } from '../limit-rate.ts';
import type { Log } from '../log.ts';

export interface EnrolParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly cluster: Cluster;
  readonly admit: Admit;
  readonly giveLeaf: (
    request: Envelope,
    asked: { readonly source: string },
  ) => Promise<{ readonly chain: readonly string[]; readonly notAfter: number }>;
}

export interface Enrolment {
  serve(socket: TLSSocket): void;
  close(): void;
}

const MOST_BYTES = 512 * 1024;
const CONVERSATION_MS = 15_000;
const MOST_AT_ONCE = 256;
const MOST_FROM_ONE = 32;
/** From one address: joining is a rare thing, guessing is not. */
const RATE = { most: 600, perMs: 60_000 };

/** Those of people's requests do not fit here. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['server.failed', 'The server failed. Its log says why.'],
  [
    'server.unavailable',
    'This server does not reach its database at the moment. Nothing is lost: ask again, with the same invite.',
  ],
]);

/** `writ-enrol/1`: a machine without a certificate asks, judges what it is offered, and proves that it was invited. */
export function openEnrolment(parts: EnrolParts): Enrolment {
  const { store, clock, log, cluster } = parts;
  const open = new Map<TLSSocket, string>();
  const isFullFor = (source: string): boolean =>
    open.size >= MOST_AT_ONCE ||
    [...open.values()].filter((other) => other === source).length >= MOST_FROM_ONE;
  const isTooOften = limitRate(clock, RATE);

  return {
    serve(socket) {
      const source = socket.remoteAddress ?? '';
      socket.on('error', () => {});
      // Also one that is refused: who does not close its side would be kept for ever.
      const stop = clock.after(CONVERSATION_MS, () => socket.destroy());
      socket.on('close', () => {
        stop();
        open.delete(socket);
      });
      if (isFullFor(source) || isTooOften(source)) {
        socket.end(
          lineOf({
            is: 'refused',
            code: 'request.rate',
            detail: 'Too many machines are joining from there. Try again in a minute.',
          }),
        );
        return;
      }
      open.set(socket, source);
      converse(socket, source).catch((error: unknown) => {
        if (socket.destroyed) return;
        const isRefusal = error instanceof TrustError;
        const { code, message } = isRefusal ? error : asServerError(error);
        log(isRefusal ? 'warning' : 'error', 'enrol.refused', {
          source,
          code,
          error: isRefusal ? error.message : error,
        });
        const detail = (WORDS.get(code) ?? message).slice(0, 1_000);
        socket.end(lineOf({ is: 'refused', code, detail }));
      });
    },
    close() {
      for (const socket of open.keys()) socket.destroy();
    },
  };

  async function converse(socket: TLSSocket, source: string): Promise<void> {
    const lines = linesOf(socket);
    const ask = await read(lines, enrolAskCheck);
    if (ask.is === 'renew') {
      const { identity } = judgeCertificateRequest(ask.request, cluster.sets().cluster);
      const certificate = await parts.giveLeaf(ask.request, { source });
      const admission = await store.trust.findAdmission(identity);
      socket.end(lineOf(admitted(certificate, admission?.digest ?? '')));
      return;
    }
    const invite = await store.trust.findInvite(ask.inviteKey);
    if (!invite || invite.revoked !== null)
      throw new TrustError(
        'invite.unknown',
        'This invite is not known here. Ask for a new one (writ invite).',
      );
    const judged = judgeInvite(invite.envelope, cluster.sets());
    // One that was used may be asked for again: its answer may have been lost.
    if (invite.admission === null) checkInviteTime(judged.invite, clock.now());
    const { name } = judged.invite;
    const before = name === null ? null : await store.trust.findAdmissionOf(name);
    const sets = cluster.sets();
    if (!sets.chain.some((set) => set.digest === ask.set))
      throw new TrustError('invite.set_unknown', 'The signer set that this invite pins is not known here.');
    socket.write(
      lineOf({
        is: 'offer',
        sets: allSets(sets),
        freshness: cluster.freshness(),
        invite: invite.envelope,
        supersedes: before?.digest ?? null,
      }),
    );

    const { admission, request } = await read(lines, enrolAdmitCheck);
    const by = { actor: `invite:${invite.digest}`, source, now: clock.now() };
    const agent = judgeAdmission(admission, invite.envelope, cluster.sets());
    const asking = judgeCertificateRequest(request, cluster.sets().cluster);
    if (asking.identity !== agent.identity)
      throw new TrustError(
        'request.identity_other',
        'The certificate request is by another identity key than the admission.',
      );
    await parts.admit(admission, invite, by);
    const certificate = await parts.giveLeaf(request, { source });
    socket.end(lineOf(admitted(certificate, agent.digest)));
    log('note', 'agent.joined', { agent: agent.name, source });
  }
}

const lineOf = (message: EnrolReply): string => `${JSON.stringify(message)}\n`;
const admitted = (
  certificate: { readonly chain: readonly string[]; readonly notAfter: number },
  admission: string,
): EnrolReply => {
  const reply: CertificateReply = { chain: [...certificate.chain], notAfter: certificate.notAfter };
  return { is: 'admitted', certificate: reply, admission };
};

async function read<T>(lines: AsyncGenerator<string>, check: Check<T>): Promise<T> {
  const next = await lines.next();
  if (next.done === true) throw new TrustError('enrol.ended', 'The connection was closed in the middle.');
  const got = readMessage(next.value, check);
  if ('fault' in got) throw new TrustError('enrol.malformed', `${got.fault} Or it came out of turn.`);
  return got.message;
}

async function* linesOf(socket: TLSSocket): AsyncGenerator<string> {
  let rest = Buffer.alloc(0);
  let total = 0;
  for await (const chunk of socket) {
    const bytes: Buffer = chunk;
    total += bytes.length;
    if (total > MOST_BYTES) throw new TrustError('enrol.malformed', `More than ${MOST_BYTES} bytes.`);
    rest = Buffer.concat([rest, bytes]);
    for (let end = rest.indexOf(10); end !== -1; end = rest.indexOf(10)) {
      yield rest.toString('utf8', 0, end);
      rest = rest.subarray(end + 1);
    }
  }
}
