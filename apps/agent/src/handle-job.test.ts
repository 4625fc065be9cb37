import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LINK_ROUTES, PAYLOAD_TYPES } from '@writ/contract';
import type { SignerSet } from '@writ/contract';
import { makeWithdrawal, seal } from '@writ/trust';
import { digestOf } from '@writ/trust/digest';
import type { HostileServer, PaperCluster } from '../../../testkit/src/hostile-server.ts';
import { joinPaperCluster } from '../../../testkit/src/join-paper-cluster.ts';
import { makeFolder, removeFolder, runRealAgent } from '../../../testkit/src/run-real-agent.ts';
import type { RealAgent } from '../../../testkit/src/run-real-agent.ts';

describe('a job on a real agent, by a server that may lie', () => {
  let cluster: PaperCluster;
  let server: HostileServer;
  let agent: RealAgent;
  const base = makeFolder();
  let tokens = 0;
  const token = () => ({ epoch: 1, n: (tokens += 1) });

  before(async () => {
    mkdirSync(join(base, 'shared'));
    chmodSync(join(base, 'shared'), 0o777);
    ({ cluster, server } = await joinPaperCluster(base, 2));
    agent = runRealAgent(base);
    await server.hear('hello', undefined, 20_000).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${agent.log()}`);
    });
  });
  after(async () => {
    await agent.stop();
    await server.close();
    removeFolder(base);
  });

  it('runs, and says in a signed receipt what came out', async () => {
    const order = cluster.order({ argv: ['/bin/sh', '-c', 'echo out $WRIT_INDEX; echo err >&2; exit 3'] });
    server.lease(order, [{ index: 0, attempt: 1, token: token() }]);
    const receipt = await server
      .receipt(({ job }) => job === order.order.job)
      .catch((error: unknown) => {
        throw new Error(`${String(error)}\n${agent.log()}`);
      });
    assert.equal(receipt.kind, 'ended');
    assert.equal(receipt.because, 'exit');
    assert.deepEqual(receipt.exit, { code: 3 });
    assert.equal(receipt.stdout.size, 6);
    assert.equal(receipt.order, order.digest);
  });

  const runsOf = (job: string) =>
    server.receipts.filter((receipt) => receipt.job === job && receipt.kind === 'ended');
  const lease = (order: ReturnType<PaperCluster['order']>, index: number, attempt: number, seconds = 30) =>
    server.lease(order, [{ index, attempt, token: token() }], { seconds });
  const ended = (order: ReturnType<PaperCluster['order']>, attempt: number) =>
    server.receipt((receipt) => receipt.job === order.order.job && receipt.attempt === attempt);
  const counted = (file: string) =>
    existsSync(file) ? readFileSync(file, 'utf8').split('\n').length - 1 : 0;

  it('starts nothing that nobody signed', async () => {
    const order = cluster.order({ argv: ['/bin/sh', '-c', 'echo never'] });
    const envelope = {
      ...order.envelope,
      payload: Buffer.from(
        Buffer.from(order.envelope.payload, 'base64').toString('utf8').replace('never', 'often'),
      ).toString('base64'),
    };
    const { envelopeDigest } = await import('@writ/trust');
    server.lease({ ...order, envelope, digest: envelopeDigest(envelope) }, [
      { index: 0, attempt: 1, token: token() },
    ]);
    const receipt = await ended(order, 1);
    assert.equal(receipt.kind, 'refused');
    assert.equal(receipt.because, 'order.signature_bad');
    assert.notEqual(receipt.detail, '');
  });

  it('refuses a lease for another agent, another index and an attempt beyond the last', async () => {
    const order = cluster.order({});
    server.lease(order, [{ index: 0, attempt: 1, token: token() }], { identity: cluster.person.signer.key });
    assert.equal((await ended(order, 1)).because, 'lease.not_mine');
    lease(order, 5, 1);
    assert.equal(
      (await server.receipt((receipt) => receipt.job === order.order.job && receipt.index === 5)).because,
      'order.index_out_of_range',
    );
    lease(order, 0, 4);
    assert.equal((await ended(order, 4)).because, 'replay.attempt_out_of_range');
  });

  it('runs one lease once however often it comes', async () => {
    const file = join(base, 'shared', 'once');
    const order = cluster.order({ argv: ['/bin/sh', '-c', `echo run >> ${file}; sleep 0.3`] });
    const same = token();
    for (let time = 0; time < 5; time += 1) server.lease(order, [{ index: 0, attempt: 1, token: same }]);
    await ended(order, 1);
    for (let time = 0; time < 3; time += 1) lease(order, 0, 1);
    await server.receipt((receipt) => receipt.job === order.order.job && receipt.kind === 'adopted');
    assert.equal(counted(file), 1);
    assert.equal(runsOf(order.order.job).length, 1);
  });

  it('adopts its own success instead of running again, whatever the attempt', async () => {
    const order = cluster.order({ argv: ['/bin/echo', 'done'] });
    lease(order, 0, 1);
    const first = await ended(order, 1);
    lease(order, 0, 2);
    const second = await ended(order, 2);
    assert.equal(second.kind, 'adopted');
    assert.deepEqual(second.stdout, first.stdout);
    assert.deepEqual(second.exit, { code: 0 });
    assert.equal(runsOf(order.order.job).length, 1);
  });

  it('starts nothing that was withdrawn while it waited behind another run of its slot', async () => {
    const file = join(base, 'shared', 'withdrawn');
    const isOver = `${file}.over`;
    // The first are short, so that the next are handed to the launcher two for each slot.
    const act = `[ $WRIT_INDEX -lt 8 ] && exit; : > ${file}.$WRIT_INDEX; while [ ! -e ${isOver} ]; do sleep 0.05; done`;
    const order = cluster.order({
      argv: ['/bin/sh', '-c', act],
      array: { is: 'range', from: 0, to: 11 },
      limits: { ...cluster.order({}).order.limits, cancelGraceSeconds: 60 },
    });
    const leaseAll = (indexes: readonly number[]): void =>
      server.lease(
        order,
        indexes.map((index) => ({ index, attempt: 1, token: token() })),
      );
    const endOf = (index: number) =>
      server.receipt((receipt) => receipt.job === order.order.job && receipt.index === index, 30_000);
    const isHere = (index: number) => (task: { job: string; index: number }) =>
      task.job === order.order.job && task.index === index;
    leaseAll([0, 1, 2, 3, 4, 5, 6, 7]);
    for (let index = 0; index < 8; index += 1) await endOf(index);
    leaseAll([8, 9]);
    await server.hear('started', ({ tasks }) => tasks.some(isHere(8)), 30_000);
    await server.hear('started', ({ tasks }) => tasks.some(isHere(9)), 30_000);
    leaseAll([10, 11]);
    const { person, signer } = cluster.person;
    const asked = { cluster: cluster.sets.cluster, order: order.digest, indexes: null, person };
    server.send({ is: 'ping', n: 4711, at: server.clock() });
    await server.hear('pong', ({ n }) => n === 4711);
    server.send({ is: 'withdraw', envelope: makeWithdrawal({ ...asked, now: Date.now() }, signer).envelope });
    server.send({ is: 'ping', n: 4712, at: server.clock() });
    await server.hear('pong', ({ n }) => n === 4712);
    writeFileSync(isOver, '');
    const ends = await Promise.all([8, 9, 10, 11].map(endOf));
    // What ran may end: only a cancel stops it.
    assert.deepEqual(
      ends.slice(0, 2).map(({ because }) => because),
      ['exit', 'exit'],
    );
    for (const { because } of ends.slice(2))
      assert.ok(['cancelled', 'order.withdrawn'].includes(because), because);
    assert.deepEqual(
      [8, 9, 10, 11].filter((index) => existsSync(`${file}.${index}`)),
      [8, 9],
    );
  });

  it('uses each attempt of a failing task once, and in rising order', async () => {
    const order = cluster.order({ argv: ['/bin/false'] });
    lease(order, 0, 2);
    await ended(order, 2);
    lease(order, 0, 1);
    assert.equal((await ended(order, 1)).because, 'replay.attempt_used');
    lease(order, 0, 3);
    assert.equal((await ended(order, 3)).because, 'exit');
  });

  it('starts nothing under a lease that was under way for longer than it lasts', async () => {
    const file = join(base, 'shared', 'late');
    const late = cluster.order({ argv: ['/bin/sh', '-c', `: > ${file}`] });
    const task = { index: 0, attempt: 1, token: token() };
    const before = server.heard.findLast(({ is }) => is === 'hello');
    server.lease(late, [task], { seconds: 5, at: server.clock() - 5_000 });
    // Its link is over, and a new one begins.
    await server.hear('hello', (hello) => hello !== before, 20_000);
    const next = cluster.order({ argv: ['/bin/true'] });
    lease(next, 0, 1);
    await ended(next, 1);
    assert.equal(existsSync(file), false);
    // The same lease, in time: nothing of it was used up.
    server.lease(late, [task], { seconds: 5 });
    assert.equal((await ended(late, 1)).because, 'exit');
    assert.equal(existsSync(file), true);
  });

  it('stops a job before a lease that nobody renews is over', async () => {
    const file = join(base, 'shared', 'beat');
    server.isRenewing = false;
    const order = cluster.order({
      argv: ['/bin/sh', '-c', `while :; do date +%s%N >> ${file}; sleep 0.02; done`],
    });
    const leased = Date.now();
    lease(order, 0, 1, 1);
    const receipt = await ended(order, 1);
    server.isRenewing = true;
    assert.equal(receipt.because, 'lost');
    const last = Number(readFileSync(file, 'utf8').trim().split('\n').at(-1)) / 1e6;
    assert.ok(last < leased + 1000, `ran until ${last - leased} ms after the lease was sent`);
    assert.ok(last > leased + 500);
  });

  it('starts a newer attempt once the older one is dead, never beside it, and refuses neither', async () => {
    const file = join(base, 'shared', 'beside');
    const order = cluster.order({
      argv: ['/bin/sh', '-c', `mkdir ${file} || exit 9; trap '' TERM; sleep 20 & wait`],
    });
    lease(order, 0, 1);
    await server.hear('started', ({ tasks: told }) => told.some(({ job }) => job === order.order.job));
    lease(order, 0, 2);
    assert.equal((await ended(order, 1)).because, 'lost');
    const second = await ended(order, 2);
    assert.equal(second.because, 'exit');
    assert.deepEqual(second.exit, { code: 9 }, 'it ran, after the first');
    assert.ok(second.started !== null && second.started >= ((await ended(order, 1)).ended ?? Infinity));
  });

  it('keeps a job whose lease is renewed', async () => {
    const order = cluster.order({ argv: ['/bin/sh', '-c', 'sleep 2.5; echo alive'] });
    lease(order, 0, 1, 1);
    const receipt = await ended(order, 1);
    assert.deepEqual(receipt.exit, { code: 0 });
    assert.ok(
      server.heard.some(
        (message) => message.is === 'started' && message.tasks.some(({ job }) => job === order.order.job),
      ),
    );
  });

  it('stops what the server says is lost, and hands back what has not started', async () => {
    const order = cluster.order({ argv: ['/bin/sleep', '20'], array: { is: 'range', from: 0, to: 3 } });
    const tasks = [0, 1, 2, 3].map((index) => ({ index, attempt: 1, token: token() }));
    server.lease(order, tasks);
    await server.hear('started', ({ tasks: told }) => told.some(({ job }) => job === order.order.job));
    server.send({ is: 'recall', tasks: tasks.map((one) => ({ job: order.order.job, ...one })) as [] });
    const returned = await server.hear('returned', ({ tasks: back }) =>
      back.some(({ job }) => job === order.order.job),
    );
    assert.equal(returned.tasks.length, 2);
    server.send({
      is: 'renewed',
      tasks: [],
      lost: tasks.slice(0, 1).map((one) => ({ job: order.order.job, ...one })),
    });
    assert.equal(
      (await server.receipt((receipt) => receipt.job === order.order.job && receipt.index === 0)).because,
      'lost',
    );
    server.send({
      is: 'cancel',
      how: 'kill',
      tasks: tasks.slice(1, 2).map((one) => ({ job: order.order.job, ...one })) as [],
    });
    assert.equal(
      (await server.receipt((receipt) => receipt.job === order.order.job && receipt.index === 1)).because,
      'cancelled',
    );
  });

  it('sends logs of a long job while it runs, and progress from its standard output', async () => {
    const order = cluster.order({
      argv: ['/bin/sh', '-c', `echo '::writ::{"progress":0.4,"message":"half"}'; sleep 0.8; echo end`],
    });
    lease(order, 0, 1);
    const progress = await server.hear('progress', (message) => message.task.job === order.order.job);
    assert.equal(progress.progress, 400);
    assert.equal(progress.message, 'half');
    const receipt = await ended(order, 1);
    const sent = server.requests.filter(
      ({ path }) => path.includes(order.order.job) && path.includes('stdout'),
    );
    assert.ok(sent.length >= 2, 'one while it ran, one after');
    assert.equal(digestOf(Buffer.concat(sent.map(({ body }) => body))), receipt.stdout.digest);
  });

  /** Says each line by itself, waits for each answer, and prints it. */
  const saying = (...lines: readonly string[]): string =>
    lines
      .map(
        (line) =>
          `node -e 'require("net").connect(process.env.WRIT_JOB_API).end(process.argv[1] + "\\n").pipe(process.stdout)' '${line}'`,
      )
      .join('; ');
  it('hears progress by the socket of the attempt', async () => {
    const order = cluster.order({
      argv: ['/bin/sh', '-c', saying('progress 0.4 half by socket')],
    });
    lease(order, 0, 1);
    const progress = await server.hear('progress', (message) => message.task.job === order.order.job);
    assert.deepEqual([progress.progress, progress.message], [400, 'half by socket']);
    assert.equal((await ended(order, 1)).because, 'exit');
  });

  it('collects what the order lets a job name, and fails one that names what is not there', async () => {
    const answers = join(base, 'shared', 'answers');
    const outputs = { patterns: ['out/*'], required: false };
    const run = async (script: string) => {
      const order = cluster.order({ argv: ['/bin/sh', '-c', `exec >${answers}; ${script}`], outputs });
      lease(order, 0, 1);
      return { ...(await ended(order, 1)), answers: readFileSync(answers, 'utf8') };
    };
    const good = await run(
      `mkdir out; echo a >out/a; ${saying('output out/a', 'output ../a', 'output else')}`,
    );
    assert.match(good.answers, /^ok\nerror job_api\.not_a_path .*\nerror job_api\.not_ordered .*\n$/);
    assert.equal(good.because, 'exit');
    assert.deepEqual(
      good.outputs.map(({ path }) => path),
      ['out/a'],
    );
    const missing = await run(`mkdir out; echo a >out/a; ${saying('output out/b')}`);
    assert.equal(missing.because, 'output_missing');
    assert.match(missing.detail, /out\/b/);
    const linked = await run(`mkdir out; ln -s /etc/passwd out/a; ${saying('output out/a')}`);
    assert.equal(linked.because, 'sandbox');
    assert.deepEqual(linked.outputs, []);
    const failed = await run(`${saying('output out/b')}; exit 3`);
    assert.deepEqual([failed.because, failed.exit], ['exit', { code: 3 }]);
  });

  it('goes on with other jobs while one pours into its socket', async () => {
    const flood = `for (let n = 0; n < 8; n++) { const it = require("net").connect(process.env.WRIT_JOB_API);
      it.on("error", () => {}); const line = "{".repeat(200) + "\\nprogress 0.5 x\\n";
      const pour = () => { while (it.write(line.repeat(100))); it.once("drain", pour); }; pour(); }`;
    const loud = cluster.order({ argv: ['/bin/sh', '-c', `exec node -e '${flood}'`] });
    const task = { index: 0, attempt: 1, token: token() };
    server.lease(loud, [task]);
    await server.hear('progress', (message) => message.task.job === loud.order.job);
    const quiet = cluster.order({
      argv: ['/bin/sh', '-c', 'sleep 0.1; echo fine'],
      array: { is: 'range', from: 0, to: 9 },
    });
    server.lease(
      quiet,
      Array.from({ length: 10 }, (_, index) => ({ index, attempt: 1, token: token() })),
    );
    for (let index = 0; index < 10; index += 1) {
      const receipt = await server.receipt((found) => found.job === quiet.order.job && found.index === index);
      assert.deepEqual([receipt.because, receipt.exit], ['exit', { code: 0 }]);
    }
    assert.ok(!server.receipts.some(({ job }) => job === loud.order.job), 'it still pours');
    const { pid } = agent;
    const resident = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    assert.ok(Number(resident) < 250_000, `${resident} KiB`);
    server.send({ is: 'cancel', how: 'kill', tasks: [{ job: loud.order.job, ...task }] });
    assert.equal((await ended(loud, 1)).because, 'cancelled');
  });

  it('fetches inputs by digest and refuses other bytes', async () => {
    const bytes = Buffer.from('#!/bin/sh\ncat data/in.txt\n');
    const input = Buffer.from('hello from an input\n');
    const good = new Map([bytes, input].map((one) => [digestOf(one), one]));
    const files = [
      { path: 'run.sh', mode: 'executable' as const, digest: digestOf(bytes), size: bytes.length },
      { path: 'data/in.txt', mode: 'file' as const, digest: digestOf(input), size: input.length },
    ];
    const orderOf = () =>
      cluster.order({
        runs: {
          is: 'command',
          variants: [
            {
              platform: { os: null, arch: null },
              command: { argv: ['./run.sh'], variables: [], inputs: { is: 'list', files }, secrets: [] },
            },
          ],
        },
      });
    server.answer = (method, path) =>
      method === 'GET' && path.includes('/files/')
        ? { status: 200, body: Buffer.from('x'.repeat(20)) }
        : undefined;
    const swapped = orderOf();
    lease(swapped, 0, 1);
    assert.match((await ended(swapped, 1)).because, /^input\./);
    server.answer = (method, path) => {
      const found = good.get(decodeURIComponent(path.split('/').at(-1) ?? ''));
      return method === 'GET' && found ? { status: 200, body: found } : undefined;
    };
    const order = orderOf();
    lease(order, 0, 1);
    const receipt = await ended(order, 1);
    server.answer = () => undefined;
    assert.equal(receipt.because, 'exit');
    assert.equal(receipt.stdout.digest, digestOf(input));
  });

  it('sends outputs under their digests before the receipt that names them', async () => {
    const order = cluster.order({
      argv: ['/bin/sh', '-c', 'mkdir out; echo result > out/a.txt; echo other > b.txt'],
      outputs: { patterns: ['out/**'], required: true },
    });
    lease(order, 0, 1);
    const receipt = await ended(order, 1);
    assert.deepEqual(
      receipt.outputs.map(({ path }) => path),
      ['out/a.txt'],
    );
    const put = server.requests.find(
      ({ method, path }) =>
        method === 'PUT' && path.includes(`${receipt.outputs[0]!.digest}?job=${receipt.job}`),
    );
    assert.equal(put?.body.toString('utf8'), 'result\n');
  });

  it('ends the link over a message that it does not know, and comes back', async () => {
    const { links } = server;
    server.sendText('{"is":"lease","mayRunTwice":true}');
    for (let look = 0; look < 100 && server.links === links; look += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(server.links > links);
    const order = cluster.order({});
    await new Promise((resolve) => setTimeout(resolve, 200));
    lease(order, 0, 1);
    assert.deepEqual((await ended(order, 1)).exit, { code: 0 });
  });

  it('goes on while the link is away, and loses no receipt', async () => {
    const order = cluster.order({ argv: ['/bin/sh', '-c', 'sleep 0.4; exit 7'] });
    server.isAccepting = false;
    const quick = cluster.order({ argv: ['/bin/true'] });
    lease(quick, 0, 1);
    const first = await ended(quick, 1);
    lease(order, 0, 1);
    await server.hear('started', ({ tasks }) => tasks.some(({ job }) => job === order.order.job));
    const hellos = server.heard.filter(({ is }) => is === 'hello').length;
    server.cut();
    const receipt = await ended(order, 1);
    assert.deepEqual(receipt.exit, { code: 7 });
    server.isAccepting = true;
    const hello = server.heard.filter(({ is }) => is === 'hello')[hellos];
    assert.deepEqual(
      hello?.is === 'hello' && hello.held.map(({ job }) => job).toSorted(),
      [quick.order.job, order.order.job].toSorted(),
      'held until its receipt is accepted, as what runs is',
    );
    assert.ok(
      server.receipts.filter(({ seq }) => seq === first.seq).length >= 2,
      'sent again, because nobody had accepted it',
    );
    const numbers = [...new Set(server.receipts.map(({ seq }) => seq))].toSorted((a, b) => a - b);
    assert.deepEqual(
      numbers,
      numbers.map((_, at) => at + 1),
    );
  });

  it('adopts its own success with its short log, also when its receipt came too late', async () => {
    const order = cluster.order({ argv: ['/bin/echo', 'late'] });
    server.isAccepting = false;
    lease(order, 0, 1);
    const { seq, stdout } = await ended(order, 1);
    server.send({ is: 'accepted', upTo: seq, refused: [{ seq, code: 'lease.stale' }] });
    server.isAccepting = true;
    lease(order, 0, 2);
    const adopted = await ended(order, 2);
    assert.deepEqual([adopted.kind, adopted.stdout], ['adopted', stdout]);
    const sent = server.heard
      .flatMap((message) => (message.is === 'receipts' ? message.receipts : []))
      .at(server.receipts.indexOf(adopted));
    assert.equal(Buffer.from(sent?.stdout ?? '', 'base64').toString(), 'late\n');
  });

  it('renews what has ended for as long as the server has not read its receipt, also when it holds nothing else', async () => {
    const order = cluster.order({ argv: ['/bin/true'] });
    server.isAccepting = false;
    lease(order, 0, 1, 1);
    await ended(order, 1);
    const renewals = () =>
      server.heard.filter(
        (message) => message.is === 'renew' && message.tasks.some(({ job }) => job === order.order.job),
      ).length;
    const before = renewals();
    for (let look = 0; look < 600 && renewals() === before; look += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    assert.ok(renewals() > before);
    server.isAccepting = true;
    const { seq } = await ended(order, 1);
    server.send({ is: 'accepted', upTo: seq, refused: [] });
  });

  it('starts nothing again after it was killed in the middle, and its chain goes on', async () => {
    const file = join(base, 'shared', 'killed');
    const order = cluster.order({ argv: ['/bin/sh', '-c', `echo run >> ${file}; sleep 30`] });
    lease(order, 0, 1);
    await server.hear('started', ({ tasks }) => tasks.some(({ job }) => job === order.order.job));
    const last = Math.max(...server.receipts.map(({ seq }) => seq));
    const hellos = server.heard.filter(({ is }) => is === 'hello').length;
    await agent.kill();
    agent = runRealAgent(base);
    const again = () => server.heard.filter(({ is }) => is === 'hello')[hellos];
    for (let look = 0; look < 400 && !again(); look += 1)
      await new Promise((resolve) => setTimeout(resolve, 50));
    const hello = again();
    assert.ok(hello?.is === 'hello', agent.log());
    assert.equal(hello.seq, last);
    assert.deepEqual(
      hello.held.map(({ job }) => job).filter((job) => job === order.order.job),
      [],
      'what was killed is not said to be held',
    );
    lease(order, 0, 1);
    assert.equal((await ended(order, 1)).because, 'replay.attempt_used');
    assert.equal(counted(file), 1);
    assert.ok(
      server.receipts.every(
        (receipt) => receipt.seq > last === (receipt.job === order.order.job) || receipt.seq <= last,
      ),
    );
  });

  it('names the signer set that it held at the start, whatever it has learned since', async () => {
    const order = cluster.order({ argv: ['/bin/sleep', '1'] });
    lease(order, 0, 1);
    await server.hear('started', ({ tasks }) => tasks.some(({ job }) => job === order.order.job));
    const { nonce: _, ...first } = cluster.sets.newest.set as SignerSet & { nonce?: string };
    const second = seal(
      PAYLOAD_TYPES.signerSet,
      {
        ...first,
        cluster: cluster.sets.cluster,
        version: 2,
        previous: cluster.sets.newest.digest,
        time: Date.now(),
      },
      [cluster.person.signer],
    );
    server.answer = (method, path) =>
      method === 'GET' && path.startsWith(LINK_ROUTES.sets)
        ? { status: 200, body: JSON.stringify({ sets: [second.envelope], freshness: null }) }
        : undefined;
    server.send({ is: 'set', set: { version: 2, digest: second.digest } });
    await server.hear('set', ({ set }) => set.version === 2);
    server.answer = () => undefined;
    assert.equal((await ended(order, 1)).set.version, 1);
    const later = cluster.order({});
    lease(later, 0, 1);
    assert.deepEqual((await ended(later, 1)).set, { version: 2, digest: second.digest });
  });
});
