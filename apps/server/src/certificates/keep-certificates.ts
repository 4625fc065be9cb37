import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeBase64, encodeBase64 } from '@writ/contract';
import { createTlsKey, type OwnCertificate } from '@writ/trust/certificates';
import type { Authority, IssuedLeaf } from '@writ/trust/authority';
import type { Clock } from '../clock.ts';
import { StartError } from '../server-error.ts';
import type { StatePaths } from '../state-paths.ts';
import type { HostNames } from './host-names.ts';

/** The one place that holds the authority's key. It is read when something is issued, not before. */
export interface Certificates {
  /** Root certificate, DER. */
  readonly root: Uint8Array;
  /** Issuing certificate, DER. */
  readonly issuing: Uint8Array;
  /** Resolves when an authority that was made now is on disk. Before that nobody may hear of it. */
  readonly kept: Promise<void>;
  /** The server's own leaf for these names: the stored one while it fits and is young, else a new one. */
  ownLeaf(
    cluster: string,
    name: string,
    names: HostNames,
  ): Promise<OwnCertificate & { readonly notAfter: number }>;
  issueAgentLeaf(asked: AgentLeafAsked): Promise<IssuedLeaf>;
}

export interface AgentLeafAsked {
  readonly cluster: string;
  readonly name: string;
  readonly publicKeySpki: Uint8Array;
}

/** What is needed at a start without the authority's key: it costs a third of a second to open. */
interface Stored {
  readonly root: string;
  readonly issuing: string;
  readonly leaf:
    | (OwnCertificate & {
        readonly cluster: string;
        readonly name: string;
        readonly names: HostNames;
        readonly notAfter: number;
      })
    | null;
}

const YOUNG_MS = 20 * 86_400_000;

/**
 * @param cluster that this server belongs to; null before anybody claimed it, and only then an authority is made.
 * @throws StartError `authority.missing`
 */
export async function keepCertificates(
  paths: StatePaths,
  clock: Clock,
  randomBytes: (size: number) => Uint8Array,
  cluster: string | null,
): Promise<Certificates> {
  const file = join(paths.folder, 'tls.json');
  const missing = await missingOf(paths);
  if (cluster !== null && missing !== undefined) throw authorityMissing(missing, cluster);
  // What stands there of an authority that is not there any more says nothing.
  let stored = missing === undefined ? await readStored(file) : null;
  let opening: Promise<Authority> | null = null;

  let kept = Promise.resolve();

  const authority = async (): Promise<Authority> => {
    const mine = (opening ??= loadKept(paths));
    try {
      return await mine;
    } catch (error) {
      // Whoever asks next tries again: files may be back, a disk may have room.
      if (opening === mine) opening = null;
      throw error;
    }
  };
  const store = async (next: Stored): Promise<void> => {
    await writeFile(`${file}.new`, JSON.stringify(next), { mode: 0o600 });
    await rename(`${file}.new`, file);
    stored = next;
  };
  if (!stored) {
    const opened =
      missing === undefined
        ? { authority: await loadKept(paths), kept: Promise.resolve() }
        : await makeAuthority(paths, clock, randomBytes);
    opening = Promise.resolve(opened.authority);
    const first = {
      root: encodeBase64(opened.authority.rootCertificate),
      issuing: encodeBase64(opened.authority.issuingCertificate),
      leaf: null,
    };
    stored = first;
    kept = opened.kept.then(async () => await store(first));
    // Whoever waits for it hears why it failed.
    kept.catch(() => {});
  }
  const bytesOf = (text: string | undefined): Uint8Array => decodeBase64(text ?? '') ?? new Uint8Array();

  return {
    root: bytesOf(stored?.root),
    issuing: bytesOf(stored?.issuing),
    kept,

    async ownLeaf(cluster, name, names) {
      const leaf = stored?.leaf;
      const fits =
        leaf?.cluster === cluster &&
        leaf.name === name &&
        JSON.stringify(leaf.names) === JSON.stringify(names);
      if (leaf && fits && leaf.notAfter - clock.now() > YOUNG_MS) return leaf;
      const { issueLeaf, leafTimes, newSerial } = await import('@writ/trust/authority');
      const { privateKeyPem, publicKeySpki } = createTlsKey();
      const times = leafTimes('server', clock.now());
      const request = {
        cluster,
        name,
        role: 'server',
        publicKeySpki,
        ...names,
        ...times,
        serial: newSerial(randomBytes),
      } as const;
      const { chainPem } = await issueLeaf(await authority(), request, () => false);
      const made = { cluster, name, names, chainPem, privateKeyPem, notAfter: times.notAfter };
      await store({ root: stored?.root ?? '', issuing: stored?.issuing ?? '', leaf: made });
      return made;
    },

    async issueAgentLeaf({ cluster, name, publicKeySpki }) {
      const { issueLeaf, leafTimes, newSerial } = await import('@writ/trust/authority');
      const times = leafTimes('agent', clock.now());
      const request = {
        cluster,
        name,
        role: 'agent',
        publicKeySpki,
        dnsNames: [],
        ipAddresses: [],
        ...times,
        serial: newSerial(randomBytes),
      } as const;
      // That a key is certified for one agent only is a unique constraint of the store.
      return await issueLeaf(await authority(), request, () => false);
    },
  };
}

async function loadKept(paths: StatePaths): Promise<Authority> {
  const { loadAuthority, loadSecret } = await import('@writ/trust/authority');
  return await loadAuthority(paths.authority, await loadSecret(paths.authoritySecret));
}

/** It can be used while it is being written: sealing its keys is slow on purpose, and happens in other threads. */
async function makeAuthority(
  paths: StatePaths,
  clock: Clock,
  randomBytes: (size: number) => Uint8Array,
): Promise<{ authority: Authority; kept: Promise<void> }> {
  const { createAuthority, loadOrCreateSecret, saveAuthority } = await import('@writ/trust/authority');
  const secret = await loadOrCreateSecret(paths.authoritySecret, randomBytes);
  const made = await createAuthority({ now: clock.now(), randomBytes });
  return { authority: made, kept: saveAuthority(paths.authority, made, secret, randomBytes) };
}

/** @returns undefined when all is there that issuing needs. */
async function missingOf(paths: StatePaths): Promise<string | undefined> {
  for (const path of [paths.authorityKey, paths.authoritySecret]) {
    try {
      await access(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
      throw error;
    }
  }
  return undefined;
}

function authorityMissing(path: string, cluster: string): StartError {
  return new StartError(
    'authority.missing',
    `${path} is not there, and this server belongs to the cluster ${cluster}, whose agents believe no other authority: none is made. Put the folder “authority” and the file “authority-secret” back from a backup of the state folder. Without a backup the cluster cannot go on: start a new one in another folder (writ up --dir), and let each machine join it (writ invite, writ join).`,
  );
}

async function readStored(file: string): Promise<Stored | null> {
  try {
    const stored: Stored = JSON.parse(await readFile(file, 'utf8'));
    return stored;
  } catch (error) {
    // Absent or torn: it is made again from the authority.
    if (
      error instanceof SyntaxError ||
      (error instanceof Error && 'code' in error && error.code === 'ENOENT')
    )
      return null;
    throw error;
  }
}
