import type { EnrolAsk, EnrolReply, Envelope } from '@writ/contract';
import { readPeerIdentity } from '@writ/trust/certificates';
import type { Expect } from '@writ/trust/certificates';
import type { TLSSocket } from 'node:tls';
import { AgentError } from '../agent-error.ts';
import type { Clock } from '../clock.ts';
import type { Log } from '../log.ts';
import type { HeldLeaf, TlsStore } from './tls-store.ts';

export interface EnrolLine {
  readonly socket: TLSSocket;
  ask(
    message: EnrolAsk | { readonly is: 'admit'; readonly admission: Envelope; readonly request: Envelope },
  ): Promise<EnrolReply>;
  close(): void;
}

/** A member without a leaf that holds gets one again, at any time, from a server that the held set vouches for. */
export async function enrolLeaf(given: {
  readonly open: () => Promise<EnrolLine>;
  readonly expect: Expect;
  readonly store: TlsStore;
  readonly clock: Clock;
  readonly log: Log;
}): Promise<HeldLeaf> {
  const { store, clock } = given;
  const line = await given.open();
  try {
    readPeerIdentity(line.socket, given.expect());
    const reply = await line.ask({ is: 'renew', enrol: 1, request: await store.prepare(clock.now()) });
    if (reply.is !== 'admitted')
      throw new AgentError(
        'join.refused',
        reply.is === 'refused'
          ? `The server gives no certificate: ${reply.code}, “${reply.detail}”`
          : 'The server answered a renewal with an offer.',
      );
    const leaf = await store.install(reply.certificate, clock.now());
    given.log('certificate.given', { serial: leaf.serial, notAfter: leaf.notAfter });
    return leaf;
  } finally {
    line.close();
  }
}
