import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { certificateReplyCheck } from '@writ/contract';
import type { CertificateReply, Envelope } from '@writ/contract';
import { generateP256, makeCertificateRequest, p256Signer } from '@writ/trust';
import type { Signer } from '@writ/trust';
import { checkLeaf, pemOf, publicKeyDigest } from '@writ/trust/certificates';
import type { OwnCertificate, PeerIdentity } from '@writ/trust/certificates';
import { AgentError } from '../agent-error.ts';
import { readIfThere } from '../read-if-there.ts';
import { syncFolder, writePrivateFile } from '@writ/trust/node';

/** This agent's TLS key and leaf. The next key is stored before it is asked for, so that asking again gives the same leaf. */
export interface TlsStore {
  readonly leaf: HeldLeaf | undefined;
  /** A request has no answer that could be taken: the server may have replaced the leaf that is held. */
  readonly isAsking: boolean;
  /** The request for the next leaf: the same one until it was answered. */
  prepare(now: number): Promise<Envelope>;
  /** Takes the answer, if it is a leaf for the key asked for and for this agent's own name. */
  install(reply: CertificateReply, now: number): Promise<HeldLeaf>;
}

export interface HeldLeaf {
  readonly own: OwnCertificate;
  readonly serial: string;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Issuing certificates that came with it: a listening side does not see those of its peers. */
  readonly issuing: readonly Uint8Array[];
}

export interface TlsPlace {
  readonly folder: string;
  readonly cluster: string;
  /** The name of the admission: a leaf for another name is refused. */
  readonly name: () => string;
  readonly identity: Signer;
  readonly roots: () => readonly Uint8Array[];
}

interface Next {
  readonly privateKey: string;
  readonly request: Envelope;
}

interface Current {
  readonly privateKey: string;
  readonly reply: CertificateReply;
  readonly serial: string;
  readonly notBefore: number;
}

export async function openTlsStore(place: TlsPlace): Promise<TlsStore> {
  await mkdir(place.folder, { recursive: true, mode: 0o700 });
  const currentPath = join(place.folder, 'current.json');
  const nextPath = join(place.folder, 'next.json');
  let current = await readJson<Current>(currentPath);
  let next = await readJson<Next>(nextPath);
  let leaf = current && leafOf(current);
  let stored: Promise<void> = Promise.resolve();

  return {
    get leaf() {
      return leaf;
    },
    get isAsking() {
      return next !== undefined;
    },
    async prepare(now) {
      if (!next) {
        const pair = generateP256();
        const request = makeCertificateRequest(
          { cluster: place.cluster, previous: current?.serial ?? null, now },
          place.identity,
          p256Signer(pair.privateKey),
        );
        const made = {
          privateKey: Buffer.from(pair.privateKey).toString('base64'),
          request: request.envelope,
        };
        next = made;
        stored = writePrivateFile(nextPath, JSON.stringify(made)).catch((error: unknown) => {
          if (next === made) next = undefined;
          throw error;
        });
      }
      const { request } = next;
      // Also whoever asks second sends nothing of a key that is not on the disk: a server would take what follows for a clone.
      await stored;
      return request;
    },
    async install(reply, now) {
      if (!next) throw new AgentError('join.certificate_wrong', 'A certificate came that was not asked for.');
      const judged = judge(reply, next, now);
      const taken: Current = {
        privateKey: next.privateKey,
        reply,
        serial: judged.serial,
        notBefore: judged.notBefore,
      };
      await writePrivateFile(currentPath, JSON.stringify(taken));
      await rm(nextPath, { force: true });
      await syncFolder(place.folder);
      next = undefined;
      current = taken;
      leaf = leafOf(taken);
      return leaf;
    },
  };

  function judge(reply: CertificateReply, asked: Next, now: number): PeerIdentity {
    if (!certificateReplyCheck.is(reply)) throw wrong('it does not have the shape of one');
    const identity = checkLeaf(
      reply.chain.map((der) => Buffer.from(der, 'base64')),
      {
        cluster: place.cluster,
        roles: ['agent'],
        name: place.name(),
        now,
        roots: place.roots(),
        issuing: [],
        mayActNow: () => true,
      },
    );
    const key = p256Signer(Buffer.from(asked.privateKey, 'base64')).key;
    if (identity.publicKeyDigest !== publicKeyDigest(Buffer.from(key.slice('p256:'.length), 'base64url')))
      throw wrong('it is for another key than the one asked for');
    return identity;
  }
}

function leafOf(current: Current): HeldLeaf {
  const lines = current.privateKey.match(/.{1,64}/g) ?? [];
  return {
    own: {
      chainPem: pemOf(current.reply.chain.map((der) => Buffer.from(der, 'base64'))).join(''),
      privateKeyPem: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
    },
    serial: current.serial,
    notBefore: current.notBefore,
    notAfter: current.reply.notAfter,
    issuing: current.reply.chain.slice(1).map((der) => Buffer.from(der, 'base64')),
  };
}

async function readJson<T>(path: string): Promise<T | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : (JSON.parse(text) as T);
}

const wrong = (why: string): AgentError =>
  new AgentError(
    'join.certificate_wrong',
    `The certificate that the server gave is refused: ${why}. Do not trust this server before its owner has looked.`,
  );
