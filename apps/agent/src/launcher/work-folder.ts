import { mkdirSync, rmdirSync, statSync, statfsSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { LauncherError } from './launcher-error.ts';

/** Runs a privileged program and answers its exit code. */
export type RunPrivileged = (argv: readonly string[]) => Promise<number | null>;

const mostInMemory = 268_435_456;

/**
 * The folder of one slot's attempts: a file system of its own, made in the launcher's mount namespace. One that nobody
 * wrote to serves the next attempt too; its root's change time, which no job can set, tells.
 */
export class WorkMount {
  readonly path: string;
  readonly #image: string;
  readonly #uid: number;
  readonly #run: RunPrivileged;
  #size = 0;
  #inMemory = true;
  #isClean = false;
  #changed = 0n;

  constructor(path: string, image: string, uid: number, run: RunPrivileged) {
    this.path = path;
    this.#image = image;
    this.#uid = uid;
    this.#run = run;
    mkdirSync(path, { recursive: true, mode: 0o755 });
  }

  /** Memory serves up to 256 MiB and half of what the job may use, because what lies in it is charged to the job. */
  isReadyFor(diskBytes: number, memoryBytes: number): boolean {
    return this.#isClean && this.#size === diskBytes && this.#inMemory === fitsMemory(diskBytes, memoryBytes);
  }

  /** To a run, which may write to it. */
  lend(): void {
    this.#isClean = false;
  }

  /** Whether the run that had it, of which nothing lives any more, left something in it. */
  wasWritten(): boolean {
    this.#isClean = statSync(this.path, { bigint: true }).ctimeNs === this.#changed;
    return !this.#isClean;
  }

  isFull(): boolean {
    if (this.#size === 0) return false;
    const room = statfsSync(this.path);
    return room.bavail * room.bsize < 65_536 || room.ffree === 0;
  }

  async make(diskBytes: number, memoryBytes: number): Promise<void> {
    await this.remove();
    this.#inMemory = fitsMemory(diskBytes, memoryBytes);
    if (this.#inMemory) {
      const options = `size=${diskBytes},nr_inodes=65536,mode=0700,uid=${this.#uid},gid=${this.#uid},nosuid,nodev`;
      await this.#must(['/usr/bin/mount', '-t', 'tmpfs', '-o', options, 'writ-work', this.path]);
    } else {
      writeFileSync(this.#image, '', { mode: 0o600 });
      truncateSync(this.#image, Math.max(diskBytes, 4_194_304));
      const owner = `root_owner=${this.#uid}:${this.#uid},lazy_itable_init=1,nodiscard`;
      await this.#must([
        '/usr/sbin/mkfs.ext4',
        '-q',
        '-F',
        '-m',
        '0',
        '-O',
        '^has_journal',
        '-E',
        owner,
        this.#image,
      ]);
      await this.#must(['/usr/bin/mount', '-o', 'loop,nosuid,nodev,noatime', this.#image, this.path]);
      unlinkSync(this.#image);
      rmdirSync(`${this.path}/lost+found`);
    }
    this.#size = diskBytes;
    this.#changed = statSync(this.path, { bigint: true }).ctimeNs;
    this.#isClean = true;
  }

  async remove(): Promise<void> {
    if (this.#size === 0) return;
    this.#size = 0;
    await this.#must(['/usr/bin/umount', '-l', this.path]);
  }

  async #must(argv: readonly string[]): Promise<void> {
    const code = await this.#run(argv);
    if (code !== 0)
      throw new LauncherError(
        'launcher.mount',
        `${argv[0]} ended with ${code} for the work folder ${this.path}`,
      );
  }
}

function fitsMemory(diskBytes: number, memoryBytes: number): boolean {
  return diskBytes <= mostInMemory && diskBytes <= memoryBytes / 2;
}
