import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Spread } from './judge-campaign.ts';
import type { CampaignResult } from './kill-campaign.ts';

export interface Surroundings {
  readonly date: string;
  readonly commit: string;
  readonly node: string;
  readonly cores: number;
  readonly processor: string;
  readonly kernel: string;
  readonly memoryGib: number;
  /** How many processes wanted a core, in the last minute, when the campaign began. */
  readonly loadBefore: number;
}

export function readSurroundings(root: string, loadBefore: number): Surroundings {
  const git = (...words: string[]): string =>
    execFileSync('git', words, { cwd: root, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : ', with changes';
  return {
    date: new Date().toISOString().slice(0, 10),
    commit: `${git('rev-parse', 'HEAD')}${changed}`,
    node: process.version,
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    kernel: release(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    loadBefore,
  };
}

/** @returns the paths of the files. */
export function writeResults(folder: string, result: CampaignResult, around: Surroundings): string[] {
  mkdirSync(folder, { recursive: true });
  const name = join(folder, `${around.date}-kills-${result.wish.database}-${result.wish.seed}`);
  writeFileSync(`${name}.md`, showResult(result, around));
  writeFileSync(`${name}.json`, `${JSON.stringify({ ...around, ...result }, null, 2)}\n`);
  return [`${name}.md`, `${name}.json`];
}

export function showResult(result: CampaignResult, around: Surroundings): string {
  const { wish, counts, roles, faults } = result;
  const perMinute = (count: number): string => ((count / result.seconds) * 60).toFixed(1);
  const busy =
    around.loadBefore > 0.5
      ? ` Others used the machine too (load ${around.loadBefore.toFixed(1)} before the start): the times are those of a busy machine.`
      : '';
  const parts = [
    `# Kills, ${result.database.split(/[ ,]/)[0]}, ${around.date}`,
    `${around.cores} cores (${around.processor}), ${around.memoryGib} GiB, Linux ${around.kernel}, Node ${around.node}, Writ ${result.writ}, commit ${around.commit}. Seed ${wish.seed}, ${(result.seconds / 60).toFixed(1)} minutes of kills, then ${result.drainSeconds.toFixed(1)} s until everything had ended.${busy}`,
    `Database: ${result.database}. ${result.agents.length} agents with ${result.agents[0]?.slots ?? 0} slots, leases of ${result.leaseSeconds} s.`,
    faults.length === 0
      ? `**Lost ${counts.lost}, accepted twice ${counts.acceptedTwice}, acknowledged and missing ${counts.missing}, more attempts than allowed ${counts.tooManyAttempts}, one key for two jobs ${counts.doubled}, wrong bytes ${counts.wrongBytes}, orphans ${counts.orphans}.**`
      : `**${faults.length} faults.**\n\n${faults
          .slice(0, 50)
          .map((fault) => `- ${fault}`)
          .join('\n')}`,
    '## Kills',
    table(
      [
        '',
        'kills',
        'effective',
        'a minute',
        'while tasks ran',
        'while a submission was unanswered',
        'tasks ended and run again',
      ],
      roles.map((one) => [
        one.role,
        String(one.kills),
        `**${one.effective}**`,
        perMinute(one.effective),
        String(one.whileRunning),
        String(one.whileUnanswered),
        String(one.hurt),
      ]),
    ),
    'A kill of an agent or launcher is effective when a task that ran there never came to its end. One of the server or of the postmaster is effective when tasks ran, whose leases and results are kept there, or a submission was unanswered.',
    '## Recovery',
    table(
      [
        'milliseconds since the kill: p50 / p99 / max',
        'started again',
        'first new result accepted',
        'a task that it ended runs again',
      ],
      roles.map((one) => [one.role, cell(one.restart), cell(one.recovery), cell(one.again)]),
    ),
    'Of an agent or launcher the new result is one of that agent. What else was killed meanwhile is in these times.',
    '## What ran',
    `${counts.submissions} submissions acknowledged, ${counts.tasks} tasks, ${counts.starts} starts; ${counts.triedAgain} tasks needed more than one attempt. ${counts.lostAcknowledgements} submissions had been written when their answer was lost. ${counts.staleResults} results came too late and were refused, ${counts.adopted} results of a killed agent were adopted by it later. ${counts.fetchedResults} results were fetched and verified as a submitter does; the signed digests of all tasks were compared with what the tasks wrote.`,
  ];
  return `${parts.join('\n\n')}\n`;
}

const cell = (of: Spread | null): string => (of === null ? '–' : `${of.p50} / ${of.p99} / ${of.max}`);

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');
