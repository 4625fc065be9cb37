import { readdir, readFile, stat } from 'node:fs/promises';
import { arch, cpus, freemem, release, totalmem, uptime } from 'node:os';
import path from 'node:path';
import { allOf, type Client } from '@writ/client';
import { PeopleFolder } from '@writ/client/node';
import type { AgentView } from '@writ/contract';
import type { Surroundings } from '../surroundings.ts';
import type { Places } from '../up/places.ts';
import { VERSION } from '../version.ts';

/** What the file holds: nothing here asks for orders, commands, variables, inputs, outputs or logs of jobs. */
export interface Facts {
  readonly name: string;
  readonly value: unknown;
}

const MOST_AGENTS = 1000;
const MOST_JOBS = 500;
const MOST_NAMES = 2000;

export function aboutHere({ settings, now, umask }: Surroundings, places: Places): Facts {
  return {
    name: 'about.json',
    value: {
      time: new Date(now()).toISOString(),
      writ: VERSION,
      node: process.version,
      openssl: process.versions.openssl,
      platform: process.platform,
      release: release(),
      arch: arch(),
      cpu: cpus()[0]?.model,
      cores: cpus().length,
      memoryBytes: totalmem(),
      memoryFreeBytes: freemem(),
      upSeconds: Math.round(uptime()),
      host: settings.host,
      isRoot: places.isRoot,
      umask: umask.toString(8),
      program: places.entries.app,
      state: places.state,
    },
  };
}

/** What a sandbox is made of, as far as it can be seen without making one. */
export async function isolationHere(places: Places, agents: readonly AgentView[]): Promise<Facts> {
  const named = [
    '/proc/sys/kernel/unprivileged_userns_clone',
    '/proc/sys/kernel/apparmor_restrict_unprivileged_userns',
    '/proc/sys/user/max_user_namespaces',
    '/proc/self/cgroup',
    '/sys/fs/cgroup/cgroup.controllers',
    '/sys/fs/cgroup/unified/cgroup.controllers',
    '/etc/os-release',
  ];
  const files = await Promise.all(
    // That a kernel has not one of them is a fact too.
    named.map(async (file) => [file, await readFile(file, 'utf8').catch(wordsOf)] as const),
  );
  return {
    name: 'isolation.json',
    value: {
      bwrap: places.bwrap,
      files: Object.fromEntries(files),
      measured: agents.map(({ name, writ, os, arch: cpu, profiles }) => ({
        name,
        writ,
        os,
        arch: cpu,
        profiles,
      })),
    },
  };
}

export async function contextsHere({ settings }: Surroundings): Promise<Facts> {
  const people = new PeopleFolder(settings.configFolder);
  const { contexts, current } = await people.readContexts();
  return {
    name: 'contexts.json',
    value: contexts.map(({ name, cluster, reach, person }) => ({
      name,
      isCurrent: name === current,
      cluster,
      reach,
      hasKey: person !== null,
    })),
  };
}

export async function serverSays(client: Client): Promise<{ facts: Facts; agents: AgentView[] }> {
  const cluster = await client.readCluster();
  const server = await client.readServer().catch((error: unknown) => wordsOf(error));
  const agents: AgentView[] = [];
  for await (const agent of allOf((asked) => client.listAgents(asked))) {
    agents.push(agent);
    if (agents.length >= MOST_AGENTS) break;
  }
  const jobs: Record<string, number> = {};
  let seen = 0;
  for await (const { state, waitsFor } of allOf((asked) => client.listJobs(asked))) {
    const key = waitsFor === null ? state : `${state}: ${waitsFor}`;
    jobs[key] = (jobs[key] ?? 0) + 1;
    if (++seen >= MOST_JOBS) break;
  }
  const plain = agents.map(({ profiles, ...agent }) => ({
    ...agent,
    profiles: profiles.map(({ profile }) => profile),
  }));
  return {
    facts: {
      name: 'server.json',
      value: { cluster, server, agents: plain, jobs: { newest: seen, byState: jobs } },
    },
    agents,
  };
}

/** What the owner of this machine configured. */
export async function configuredHere(places: Places): Promise<Facts> {
  const files = {
    machine: path.join(places.agent, 'machine.json'),
    owner: places.ownerFile,
    running: places.runFile,
    address: path.join(places.server, 'address.json'),
    listening: path.join(places.server, 'listening.json'),
  };
  const read = await Promise.all(
    Object.entries(files).map(async ([name, file]) => [name, await readJson(file)] as const),
  );
  return { name: 'configuration.json', value: Object.fromEntries(read) };
}

/** Names, sizes, owners and modes, two folders deep: what is in the files stays there. */
export async function filesHere(places: Places): Promise<Facts> {
  const lines: string[] = [];
  const list = async (folder: string, depth: number): Promise<void> => {
    const names = await readdir(folder).catch(wordsOf);
    if (typeof names === 'string') {
      lines.push(`${folder}: ${names}`);
      return;
    }
    for (const name of names.toSorted((a, b) => (a < b ? -1 : 1))) {
      if (lines.length >= MOST_NAMES) return;
      const file = path.join(folder, name);
      const facts = await stat(file).catch(wordsOf);
      if (typeof facts === 'string') {
        lines.push(`${file}: ${facts}`);
        continue;
      }
      const mode = (facts.mode & 0o7777).toString(8).padStart(4, '0');
      lines.push(`${mode} ${facts.uid}:${facts.gid} ${facts.size} ${facts.mtime.toISOString()} ${file}`);
      if (facts.isDirectory() && depth > 1) await list(file, depth - 1);
    }
  };
  await list(places.state, 2);
  return { name: 'files.txt', value: lines.join('\n') };
}

async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown;
  } catch (error) {
    return wordsOf(error);
  }
}

export const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
