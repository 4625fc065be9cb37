import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import type { HostileServer, PaperCluster } from '../../../testkit/src/hostile-server.ts';
import { joinPaperCluster } from '../../../testkit/src/join-paper-cluster.ts';
import { findProcesses } from '../../../testkit/src/read-processes.ts';
import { makeFolder, removeFolder, runRealAgent } from '../../../testkit/src/run-real-agent.ts';
import type { RealAgent } from '../../../testkit/src/run-real-agent.ts';
import { AGENT_EXIT } from './exit-codes.ts';

const PATIENCE_MS = 30_000;
const base = makeFolder();
const faulty = join(base, 'faulty');
const faults = join(base, 'disk-faults.mjs');

/** While the file `faulty` is there, no sync of the files whose paths have its text in them succeeds: a disk that fails. */
const DISK_FAULTS = `
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const sync = fs.fdatasync;
fs.fdatasync = (descriptor, done) => {
  const file = fs.readlinkSync('/proc/self/fd/' + descriptor);
  const isFaulty = fs.existsSync(${JSON.stringify(faulty)}) && file.includes(fs.readFileSync(${JSON.stringify(faulty)}, 'utf8'));
  if (isFaulty) done(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
  else sync(descriptor, done);
};
syncBuiltinESMExports();
`;

describe('an agent whose disk did not take what it recorded', { skip: process.platform !== 'linux' }, () => {
  let cluster: PaperCluster;
  let server: HostileServer;
  let agent: RealAgent;

  before(async () => {
    writeFileSync(faults, DISK_FAULTS);
    ({ cluster, server } = await joinPaperCluster(base, 2));
    agent = start();
    await server.hear('hello', undefined, PATIENCE_MS);
  });
  after(async () => {
    await agent.stop();
    await server.close();
    removeFolder(base);
  });

  const start = (): RealAgent =>
    runRealAgent(base, 2, { NODE_OPTIONS: `--import ${pathToFileURL(faults).href}` });
  const lease = (argv: readonly string[]) => {
    const order = cluster.order({ argv });
    server.lease(order, [{ index: 0, attempt: 1, token: { epoch: 1, n: 1 } }]);
    return order;
  };

  for (const [what, file, told] of [
    // That the short one ended was recorded; that the long one was ended could not be.
    ['its receipts', '/receipts/', { short: ['exit'], long: [] }],
    // The short one was never started, and others take both.
    ['its record of starts', '/replay.log', { short: [], long: ['lost'] }],
  ] as const)
    it(
      `ends with a code of its own and every job with it, tells nothing that is not on the disk, and goes on from there when it is started again (${what})`,
      { timeout: 2 * PATIENCE_MS },
      async () => {
        const seconds = `${600 + what.length}.${process.pid}`;
        const isRunning = (): boolean => findProcesses(seconds).length > 0;
        const long = lease(['/bin/sleep', seconds]);
        await server.hear(
          'started',
          ({ tasks }) => tasks.some(({ job }) => job === long.order.job),
          PATIENCE_MS,
        );
        const heard = new Set(server.heard);
        assert.equal(isRunning(), true);
        writeFileSync(faulty, file);
        const before = server.receipts.length;
        const short = lease(['/bin/true']);

        assert.deepEqual(await agent.ended, { code: AGENT_EXIT.recordLost, signal: null });
        assert.match(agent.log(), /"event":"agent\.record_lost","code":"record\.lost"/);
        assert.equal(isRunning(), false);
        if (file === '/receipts/') assert.equal(server.receipts.length, before);

        rmSync(faulty);
        agent = start();
        await server.hear('hello', (said) => !heard.has(said), PATIENCE_MS);
        // What was recorded is told now that it is on the disk, each with the number that follows.
        const next = lease(['/bin/true']);
        const { because, seq } = await server.receipt(({ job }) => job === next.order.job, PATIENCE_MS);
        assert.equal(because, 'exit');
        const numbers = server.receipts.map((receipt) => receipt.seq);
        assert.deepEqual(
          numbers,
          Array.from({ length: seq }, (_none, at) => at + 1),
        );
        const becauseOf = ({ order }: typeof short) =>
          server.receipts.filter(({ job }) => job === order.job).map(({ because }) => because);
        assert.deepEqual(
          becauseOf(short).filter((because) => because !== 'replay.not_durable'),
          told.short,
        );
        assert.deepEqual(becauseOf(long), told.long);
      },
    );
});
