import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { envelopeCheck } from '@writ/contract';
import type { Envelope } from '@writ/contract';
import { newSeed, signerFromSeed } from '@writ/trust';
import type { FillRandom, Signer } from '@writ/trust';
import { AgentError } from './agent-error.ts';
import { readIfThere } from './read-if-there.ts';
import { writePrivateFile } from '@writ/trust/node';

/** Where an agent keeps what. */
export const placesOf = (folder: string) => ({
  identity: join(folder, 'identity.key'),
  admission: join(folder, 'admission.json'),
  joining: join(folder, 'joining.json'),
  tls: join(folder, 'tls'),
  signers: join(folder, 'signers'),
  withdrawals: join(folder, 'withdrawals.json'),
  replay: join(folder, 'replay.log'),
  receipts: join(folder, 'receipts'),
  cache: join(folder, 'cache'),
  slots: join(folder, 'slots'),
  outputs: join(folder, 'outputs'),
  lock: join(folder, 'lock.db'),
});

/** The identity key of this machine: made once, durable before it is used, and used for nothing but signing. */
export async function makeIdentity(folder: string, random: FillRandom): Promise<Signer> {
  const held = await readIdentity(folder);
  if (held) return held;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const seed = newSeed(random);
  await writePrivateFile(placesOf(folder).identity, `${Buffer.from(seed).toString('base64')}\n`);
  return signerFromSeed(seed);
}

export async function readIdentity(folder: string): Promise<Signer | undefined> {
  const text = await readIfThere(placesOf(folder).identity);
  return text === undefined ? undefined : signerFromSeed(new Uint8Array(Buffer.from(text.trim(), 'base64')));
}

/** The word on which this agent is a member, and the invite on which that rests. */
export interface AdmissionPaper {
  readonly admission: Envelope;
  readonly invite: Envelope | null;
}

export async function writeAdmission(folder: string, paper: AdmissionPaper): Promise<void> {
  await writePrivateFile(placesOf(folder).admission, JSON.stringify(paper));
}

export async function readAdmission(folder: string): Promise<AdmissionPaper> {
  const text = await readIfThere(placesOf(folder).admission);
  const paper = text === undefined ? undefined : (JSON.parse(text) as AdmissionPaper);
  if (!paper || !envelopeCheck.is(paper.admission))
    throw new AgentError(
      'agent.state_missing',
      `${placesOf(folder).admission} is not there: this machine has not joined. Join with “writ join”.`,
    );
  return paper;
}
