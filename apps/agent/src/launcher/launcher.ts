import { lstatSync, readFileSync } from 'node:fs';
import { findSandboxPlaces } from './bwrap-arguments.ts';
import type { BwrapOption } from './bwrap-arguments.ts';
import type { Cgroups } from './cgroup.ts';
import { openCgroups } from './open-cgroups.ts';
import { checkMessage } from './check-message.ts';
import { JobSocket } from './job-socket.ts';
import { LauncherError } from './launcher-error.ts';
import { layOutFolders, layOutSlot } from './lay-out-folders.ts';
import type { Folders } from './lay-out-folders.ts';
import { measureMachine } from './measure-machine.ts';
import type { Machine } from './measure-machine.ts';
import { measureOffers } from './measure-offers.ts';
import { longestLine, runsPerSlot } from './messages.ts';
import type { FromLauncher, RunEnd, ToLauncher, Wall } from './messages.ts';
import { openMounter } from './mounter.ts';
import type { Mounter } from './mounter.ts';
import type { OwnerFile } from './owner-file.ts';
import { probeRun, readWalls } from './probe.ts';
import { slotPrefix } from './slot-prefix.ts';
import { Slot } from './slot.ts';
import type { Clock } from './slot.ts';
import { WorkMount } from './work-folder.ts';
import type { RunPrivileged } from './work-folder.ts';

export interface LauncherPlace {
  readonly owner: OwnerFile;
  readonly clock: Clock;
  readonly send: (lines: string) => void;
  /** The agent asked for the end. */
  readonly leave: () => void;
  /** Walls to leave out: only the test of the probe does. */
  readonly without?: ReadonlySet<BwrapOption>;
}

const lookEveryMs = 50;
/** A slot with so many runs ahead is not idle while its ends wait for more of them, for so long at most. */
const enoughWaiting = 2;
const gatherMs = 5;

/** Two agents of one machine may have one name, in different clusters; their accounts are never the same. */
const placeName = ({ name, firstUid }: OwnerFile): string => `${name}-${firstUid}`;

/** Holds the slots and does what the agent's checked lines ask. Owns everything it makes until `close`. */
export class Launcher {
  readonly #place: LauncherPlace;
  readonly #machine: Machine = measureMachine();
  /** Looked at before the agent, whose folder it is, has run. */
  readonly #agentUid: number | null;
  readonly #slots: Slot[] = [];
  readonly #slotOf = new Map<number, Slot>();
  #cgroups: Cgroups | null = null;
  #mounter: Mounter | null = null;
  #looking: NodeJS.Timeout | null = null;
  #turn = 0;
  #partial = '';
  #toSend = '';
  #sendSoon: NodeJS.Immediate | undefined;
  #sendLater: NodeJS.Timeout | undefined;
  #closing: Promise<void> | null = null;
  #probed: ((end: RunEnd) => void) | null = null;

  constructor(place: LauncherPlace) {
    this.#place = place;
    this.#agentUid = lstatSync(place.owner.cacheFolder, { throwIfNoEntry: false })?.uid ?? null;
  }

  async open(): Promise<void> {
    const { owner } = this.#place;
    const machine = this.#machine;
    if (machine.isRoot && owner.firstUid === null)
      throw new LauncherError(
        'launcher.owner_file',
        'As root the owner\'s file must give a block of accounts ("firstUid"): no job runs as root.',
      );
    if (machine.hasOwnMounts) this.#mounter = await openMounter(placeName(owner), machine.setpriv);
    const run = this.#mounter?.run ?? (async () => null);
    const folders = await layOutFolders(owner, machine, run);
    this.#cgroups = machine.isRoot ? openCgroups(placeName(owner)) : null;
    for (let slot = 0; slot < owner.slots; slot++) this.#slots.push(this.#makeSlot(slot, folders, run));
    await Promise.all(this.#slots.map((slot) => slot.open()));
    const probe = (profile: 'strict' | 'user'): Promise<readonly Wall[]> => this.#probe(profile, folders);
    const offers = await measureOffers(owner, machine, this.#cgroups !== null, probe);
    this.#tell(['ready', { format: 1, slots: owner.slots, runsPerSlot, offers }]);
  }

  /** Takes bytes from the agent. Of a line that is too long only the beginning is kept, which says whose it is. */
  hear(text: string): void {
    const lines = (this.#partial + text).split('\n');
    const rest = lines.pop() ?? '';
    for (const line of lines) this.#obey(line);
    this.#partial = rest.length > longestLine ? rest.slice(0, longestLine + 1) : rest;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    if (this.#looking !== null) clearInterval(this.#looking);
    this.#looking = null;
    await Promise.all(this.#slots.map((slot) => slot.close().catch(() => {})));
    this.#cgroups?.removeAll();
    await this.#mounter?.close();
  }

  #obey(line: string): void {
    let message: ToLauncher;
    try {
      if (line.length > longestLine)
        throw new LauncherError('launcher.message', `the line is longer than ${longestLine} characters`);
      message = checkMessage(line, this.#place.owner);
    } catch (error) {
      this.#tell(['refused', idIn(line), (error as Error).message]);
      return;
    }
    if (message.do === 'close') this.#place.leave();
    else if (message.do === 'cancel') this.#slotOf.get(message.id)?.cancel(message.id, message.how);
    else {
      const slot = this.#slots[message.slot];
      if (
        slot === undefined ||
        this.#slotOf.has(message.id) ||
        slot.uses(message.set) ||
        this.#closing !== null
      ) {
        this.#tell(['refused', message.id, 'its id or its set of files is in use']);
        return;
      }
      this.#slotOf.set(message.id, slot);
      slot.take(message);
      this.#looking ??= setInterval(() => this.#look(), lookEveryMs);
    }
  }

  #look(): void {
    this.#turn++;
    for (const slot of this.#slots) slot.look(this.#turn);
    if (this.#looking === null || this.#slots.some((slot) => slot.isBusy)) return;
    clearInterval(this.#looking);
    this.#looking = null;
  }

  /** What one turn of the loop has to say goes out as one write. Ends that other runs wait behind leave together. */
  #tell(message: FromLauncher): void {
    this.#toSend += `${JSON.stringify(message)}\n`;
    if (message[0] === 'ended' && this.#hasWaiting(message[1]))
      this.#sendLater ??= setTimeout(() => this.#flush(), gatherMs);
    else this.#sendSoon ??= setImmediate(() => this.#flush());
  }

  #hasWaiting(ended: number): boolean {
    const slot = this.#slotOf.get(ended);
    this.#slotOf.delete(ended);
    return slot !== undefined && slot.waiting >= enoughWaiting;
  }

  #flush(): void {
    clearTimeout(this.#sendLater);
    clearImmediate(this.#sendSoon);
    this.#sendLater = this.#sendSoon = undefined;
    const text = this.#toSend;
    this.#toSend = '';
    this.#place.send(text);
  }

  #makeSlot(number: number, folders: Folders, run: RunPrivileged): Slot {
    const { owner, clock, without } = this.#place;
    const machine = this.#machine;
    const uid = machine.isRoot && owner.firstUid !== null ? owner.firstUid + 1 + number : null;
    const own = layOutSlot(folders, number, uid, machine.isRoot ? owner.firstUid : null);
    const cgroup = this.#cgroups?.make(number) ?? null;
    const bwrap = machine.bwrap;
    return new Slot(
      {
        loop: {
          prefix: slotPrefix(machine, uid, cgroup),
          filesFolder: own.files,
          runFolder: own.run,
          workFolder: own.work,
          bwrap: bwrap ?? '',
          filterFile: folders.filter,
        },
        cacheFolder: owner.cacheFolder,
        inputsFolder: own.inputs,
        jobSocket: new JobSocket({
          agentFolder: `${owner.cacheFolder}/job-api`,
          agentUid: this.#agentUid,
          slot: number,
          folder: `${owner.slotsFolder}/${number}/api`,
          reached: `${own.files}/api`,
          uid,
        }),
        node: folders.node,
        sandbox: bwrap === null ? null : findSandboxPlaces(folders.node, own.passwd, own.group),
        cgroup,
        workMount:
          machine.hasOwnMounts && uid !== null
            ? new WorkMount(own.work, `${owner.slotsFolder}/${number}/image`, uid, run)
            : null,
        hasAccount: uid !== null,
        ownPidNamespace: machine.hasOwnProcesses,
        barePrefix:
          !machine.hasOwnProcesses && machine.setpriv !== null
            ? [machine.setpriv, '--pdeathsig', 'KILL', '--']
            : [],
        ...(without === undefined ? {} : { without }),
      },
      clock,
      (message) => {
        if (message[1] !== probeId) this.#tell(message);
        else if (message[0] === 'ended') this.#probed?.(message[2]);
      },
    );
  }

  async #probe(profile: 'strict' | 'user', folders: Folders): Promise<readonly Wall[]> {
    const { owner } = this.#place;
    const [slot] = this.#slots;
    if (slot === undefined) return [];
    const outside = {
      namespaces: slot.namespaces(),
      launcherPid: process.pid,
      uid: this.#machine.isRoot && owner.firstUid !== null ? owner.firstUid + 1 : null,
      hidden: [owner.slotsFolder, owner.cacheFolder, folders.slots],
    };
    const ended = new Promise<RunEnd>((resolve) => (this.#probed = resolve));
    slot.take({ do: 'run', id: probeId, slot: 0, ...probeRun(profile, outside) });
    this.#looking ??= setInterval(() => this.#look(), lookEveryMs);
    const end = await ended;
    if (end.reason === 'exit' && end.code === 0)
      return readWalls(readFileSync(`${folders.slots}/0/out0`, 'utf8')) ?? [];
    process.stderr.write(
      `writ launcher: the probe of ${profile} ended with ${end.reason} ${end.code}: ${readFileSync(`${folders.slots}/0/err0`, 'utf8')}\n`,
    );
    return [];
  }
}

const probeId = -1;

function idIn(line: string): number {
  if (line.length > longestLine) return Number(/^\{"do":"run","id":(\d{1,15}),/.exec(line)?.[1] ?? -1);
  try {
    const id = (JSON.parse(line) as { id?: unknown } | null)?.id;
    return typeof id === 'number' && Number.isSafeInteger(id) ? id : -1;
  } catch {
    return -1;
  }
}
