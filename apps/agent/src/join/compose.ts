import { setTimeout as wait } from 'node:timers/promises';
import type { Counter, Admission, Envelope, Label, Profile } from '@writ/contract';
import {
  inviteSigner,
  judgeAdmission,
  judgeFreshness,
  makeAdmission,
  parseInvite,
  setRef,
} from '@writ/trust';
import type { FillRandom, HeldSets, Sealed, Signer } from '@writ/trust';
import { AgentError } from '../agent-error.ts';
import { openTlsStore } from '../certificate/tls-store.ts';
import {
  addressOf,
  defaultMachine,
  machineFileOf,
  readMachineFile,
  writeMachineFile,
} from '../config/machine-file.ts';
import type { MachineFile } from '../config/machine-file.ts';
import { openEnrolment } from '../connect/enrol.ts';
import type { Enrolment } from '../connect/enrol.ts';
import { asAdmitted, readMachine } from '../measure/read-machine.ts';
import { readIfThere } from '../read-if-there.ts';
import { writePrivateFile } from '@writ/trust/node';
import { createReplay } from '../replay/open-replay.ts';
import { storeSigners } from '../signers/held-signers.ts';
import { followPinned, judgeOffered, judgeServer, rootsOf } from './judge-offer.ts';
import { makeIdentity, placesOf, writeAdmission } from '../state-folder.ts';

export {
  defaultMachine,
  type MachineFile,
  readMachineFile,
  writeMachineFile,
} from '../config/machine-file.ts';

export interface JoinWish {
  /** What `writ invite` printed. */
  readonly invite: string;
  /** What this machine shall be called; without it the invite's name, or the host's. */
  readonly name?: string;
  /** The agent's folder. */
  readonly folder: string;
  readonly slots?: number;
  readonly counters?: readonly Counter[];
  readonly profiles?: readonly Profile[];
  readonly network?: MachineFile['network'];
  readonly labels?: readonly Label[];
  readonly now: () => number;
  readonly random: FillRandom;
  readonly signal: AbortSignal;
  readonly patience?: Patience;
}

/** Milliseconds: for a connection to each address, for all that is said on it, and until a server is asked again. */
interface Patience {
  readonly connect: number;
  readonly converse: number;
  readonly again: number;
}
const PATIENCE: Patience = { connect: 10_000, converse: 30_000, again: 1_000 };
/** A database that was started anew is back by then. */
const MOST_TRIES = 30;

export interface Joined {
  readonly name: string;
  readonly cluster: string;
  readonly identity: string;
  readonly admission: string;
  readonly labels: readonly Label[];
  readonly queues: readonly string[];
}

/**
 * Makes this machine an agent of the cluster that the invite names. Everything is verified before anything is proved:
 * the pinned set, the chain from it, the server's certificate by the authorities in it, and the signer of the invite.
 * After a lost answer it is called again: the same keys ask for the same thing.
 */
export async function joinCluster(wish: JoinWish): Promise<Joined> {
  const { again } = wish.patience ?? PATIENCE;
  for (let tries = 1; ; tries += 1) {
    try {
      return await joinOnce(wish);
    } catch (error) {
      const isPassing = error instanceof AgentError && error.code === 'join.unavailable';
      if (!isPassing || tries === MOST_TRIES) throw error;
    }
    await wait(again, undefined, { signal: wish.signal });
  }
}

async function joinOnce(wish: JoinWish): Promise<Joined> {
  const { connect, converse } = wish.patience ?? PATIENCE;
  const { line, limit } = await openAny(parseInvite(wish.invite).addresses, wish.signal, connect);
  limit.startAgain(converse);
  try {
    return await joinOver(line, wish);
  } finally {
    limit.end();
  }
}

/** The conversation of {@link joinCluster}, on a connection that has not been judged. It is closed here. */
export async function joinOver(
  line: Enrolment,
  wish: Omit<JoinWish, 'signal' | 'patience'>,
): Promise<Joined> {
  try {
    const invite = parseInvite(wish.invite);
    const key = inviteSigner(invite.seed);
    const offer = await line.ask({ is: 'join', enrol: 1, inviteKey: key.key, set: invite.set });
    if (offer.is === 'refused') throw refusedBy(offer);
    if (offer.is !== 'offer')
      throw new AgentError(
        'join.answer_malformed',
        'The server gave a certificate before it was asked for one.',
      );
    const sets = followPinned(offer.sets, invite.set);
    judgeServer(line, sets, wish.now());
    const judged = judgeOffered(
      offer.invite,
      key,
      sets,
      (await isRepeated(wish.folder, key.key)) ? null : wish.now(),
    );
    await checkFolder(wish.folder, sets.cluster);

    // From here on this machine proves something: its keys are on disk before they are shown to anybody.
    const identity = await makeIdentity(wish.folder, wish.random);
    const machine = readMachine();
    const name = judged.invite.name ?? wish.name ?? nameOf(machine.host);
    const admission = await rememberAdmission(wish.folder, key.key, name, () =>
      makeAdmission(
        {
          format: 1,
          cluster: sets.cluster,
          identity: identity.key,
          name,
          machine: asAdmitted(machine),
          how: { is: 'invite', invite: judged.digest, inviteKey: key.key },
          role: 'agent',
          supersedes: offer.supersedes,
          time: wish.now(),
        },
        key,
        identity,
      ),
    );
    const admitted = judgeAdmission(admission, offer.invite, sets);
    const places = placesOf(wish.folder);
    const tls = await openTlsStore({
      folder: places.tls,
      cluster: sets.cluster,
      name: () => admitted.name,
      identity,
      roots: () => rootsOf(sets),
    });
    await keepMembership(wish.folder, sets, offer.freshness, { admission, invite: offer.invite }, wish.now());
    const answer = await line.ask({ is: 'admit', admission, request: await tls.prepare(wish.now()) });
    if (answer.is === 'refused') throw refusedBy(answer);
    if (answer.is !== 'admitted')
      throw new AgentError('join.answer_malformed', 'The server made another offer instead of an answer.');
    if (answer.admission !== admitted.digest)
      throw new AgentError(
        'join.refused',
        'The server kept another admission than the one that was signed here.',
      );
    await tls.install(answer.certificate, wish.now());
    await writeMachineFile(
      wish.folder,
      defaultMachine({
        name: admitted.name,
        cluster: sets.cluster,
        servers: invite.addresses,
        machineId: machine.machineId,
        counters: wish.counters ?? [],
        ...(wish.slots === undefined ? {} : { slots: wish.slots }),
        ...(wish.profiles === undefined ? {} : { profiles: wish.profiles }),
        ...(wish.network === undefined ? {} : { network: wish.network }),
        ...(wish.labels === undefined ? {} : { labels: wish.labels }),
      }),
    );
    const { cluster } = sets;
    return {
      name: admitted.name,
      cluster,
      identity: identity.key,
      admission: admitted.digest,
      labels: admitted.labels,
      queues: admitted.queues,
    };
  } finally {
    line.close();
  }
}

export interface PrepareWish {
  readonly folder: string;
  readonly name: string;
  /** Signer sets from version 1 to the newest, as the person's own program holds them. */
  readonly sets: HeldSets;
  readonly servers: readonly string[];
  /** Who admits this machine: a signer with the grant `admit`. */
  readonly by: { readonly person: string; readonly signer: Signer };
  readonly labels: readonly Label[];
  readonly queues: readonly string[];
  readonly machine?: Partial<Pick<MachineFile, 'slots' | 'counters' | 'profiles' | 'network' | 'listen'>>;
  readonly now: number;
  readonly random: FillRandom;
}

/**
 * Makes the folder of an agent that a signer admits by hand on the same machine, as `writ up` does. The admission is
 * to be given to the server (`POST /api/v1/admissions`) before the agent starts; the agent fetches its leaf itself.
 */
export async function prepareAgent(
  wish: PrepareWish,
): Promise<{ admission: Envelope; identity: string; digest: string }> {
  await checkFolder(wish.folder, wish.sets.cluster);
  const identity = await makeIdentity(wish.folder, wish.random);
  const machine = readMachine();
  const body: Admission = {
    format: 1,
    cluster: wish.sets.cluster,
    identity: identity.key,
    name: wish.name,
    machine: asAdmitted(machine),
    how: {
      is: 'by_hand',
      labels: [...wish.labels].sort((a, b) => (a.name < b.name ? -1 : 1)),
      queues: [...wish.queues],
      set: setRef(wish.sets.newest),
      by: { person: wish.by.person, key: wish.by.signer.key },
    },
    role: 'agent',
    supersedes: null,
    time: wish.now,
  };
  const admission = await rememberAdmission(wish.folder, wish.by.signer.key, wish.name, () =>
    makeAdmission(body, wish.by.signer, identity),
  );
  const { digest } = judgeAdmission(admission, null, wish.sets);
  await keepMembership(wish.folder, wish.sets, null, { admission, invite: null }, wish.now);
  if ((await readIfThere(machineFileOf(wish.folder))) !== undefined)
    return { admission, identity: identity.key, digest };
  await writeMachineFile(
    wish.folder,
    defaultMachine({
      name: wish.name,
      cluster: wish.sets.cluster,
      servers: wish.servers,
      machineId: machine.machineId,
      ...wish.machine,
    }),
  );
  return { admission, identity: identity.key, digest };
}

async function checkFolder(folder: string, cluster: string): Promise<void> {
  const path = placesOf(folder).admission;
  if ((await readIfThere(path)) === undefined) return;
  const machine = await readMachineFile(folder).catch(() => undefined);
  if (machine && machine.cluster !== cluster)
    throw new AgentError(
      'join.other_cluster',
      `${folder} belongs to an agent of another cluster. Use another folder (--dir), or remove this one first.`,
    );
}

/** An invite that was used here in time may be asked about again later: its answer may have been lost. */
async function isRepeated(folder: string, admitter: string): Promise<boolean> {
  const text = await readIfThere(placesOf(folder).joining);
  return text !== undefined && (JSON.parse(text) as { admitter?: string }).admitter === admitter;
}

/** The same invite and the same name: the same admission, so that a lost answer is asked for again. */
async function rememberAdmission(
  folder: string,
  admitter: string,
  name: string,
  make: () => Sealed,
): Promise<Envelope> {
  const path = placesOf(folder).joining;
  const text = await readIfThere(path);
  const known =
    text === undefined
      ? undefined
      : (JSON.parse(text) as { admitter: string; name: string; admission: Envelope });
  if (known?.admitter === admitter && known.name === name) return known.admission;
  const { envelope } = make();
  await writePrivateFile(path, JSON.stringify({ admitter, name, admission: envelope }));
  return envelope;
}

async function keepMembership(
  folder: string,
  sets: HeldSets,
  freshness: Envelope | null,
  paper: { admission: Envelope; invite: Envelope | null },
  now: number,
): Promise<void> {
  const places = placesOf(folder);
  const mark = freshness && judgeFreshness(freshness, sets);
  const words = [sets.newest.set.time, mark?.time ?? 0].filter((time) => time <= now);
  await storeSigners(places.signers, sets, Math.max(0, ...words));
  await writeAdmission(folder, paper);
  await createReplay(places.replay);
}

/** A server that says nothing, or a way on which everything is lost, ends by itself. */
interface TimeLimit {
  readonly signal: AbortSignal;
  startAgain(milliseconds: number): void;
  end(): void;
}

function limitTime(milliseconds: number): TimeLimit {
  const late = new AbortController();
  const start = (within: number): NodeJS.Timeout =>
    setTimeout(() => late.abort(new Error(`nothing came in ${within / 1000} seconds`)), within);
  let timer = start(milliseconds);
  const end = (): void => clearTimeout(timer);
  return {
    signal: late.signal,
    startAgain(within) {
      end();
      timer = start(within);
    },
    end,
  };
}

async function openAny(
  addresses: readonly string[],
  signal: AbortSignal,
  connectMs: number,
): Promise<{ line: Enrolment; limit: TimeLimit }> {
  const failures: unknown[] = [];
  for (let round = 0; round < 2; round += 1) {
    for (const address of addresses) {
      const limit = limitTime(connectMs);
      try {
        const both = AbortSignal.any([signal, limit.signal]);
        return { line: await openEnrolment(addressOf(address), both), limit };
      } catch (error) {
        limit.end();
        if (signal.aborted) throw error;
        failures.push(error);
      }
    }
    await wait(200, undefined, { signal });
  }
  throw failures.at(-1) instanceof Error
    ? failures.at(-1)
    : new AgentError('join.no_answer', 'No address of the invite answered.');
}

const refusedBy = ({ code, detail }: { code: string; detail: string }): AgentError =>
  new AgentError(
    code === 'server.unavailable' ? 'join.unavailable' : 'join.refused',
    `The server refused: ${code}, “${detail}”`,
  );

/** A host's name as a name of this cluster. */
function nameOf(host: string): string {
  const name = (host.split('.')[0] ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);
  return name === '' ? 'agent' : name;
}
