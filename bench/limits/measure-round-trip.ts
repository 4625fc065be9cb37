import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { percentile } from '../statistics.ts';
import { runProgram } from '../run-program.ts';

/** Milliseconds for 200 bytes there and back, each after a rest, over a kept mutual TLS 1.3 connection between two processes. */
export async function measureRoundTrip(
  folder: string,
  times: number,
  restMs: number,
): Promise<{ readonly p50Ms: number; readonly p99Ms: number }> {
  const certificate = join(folder, 'echo.pem');
  const key = join(folder, 'echo.key');
  const wish =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=echo -addext subjectAltName=IP:127.0.0.1 -days 1';
  await runProgram(['openssl', ...wish.split(' '), '-keyout', key, '-out', certificate]);
  const echo = spawn(
    process.execPath,
    [fileURLToPath(new URL('tls-echo.ts', import.meta.url)), certificate, key],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  try {
    const [said] = (await once(echo.stdout, 'data')) as [Buffer];
    const cert = readFileSync(certificate);
    const socket = connect({
      host: '127.0.0.1',
      port: Number(said.toString()),
      cert,
      key: readFileSync(key),
      ca: cert,
      minVersion: 'TLSv1.3',
    });
    await once(socket, 'secureConnect');
    socket.setNoDelay(true);
    const message = Buffer.alloc(200, 'w');
    const took: number[] = [];
    for (let time = 0; time < times + 50; time += 1) {
      await sleep(restMs);
      const start = performance.now();
      let missing = message.length;
      socket.write(message);
      while (missing > 0) missing -= ((await once(socket, 'data')) as [Buffer])[0].length;
      // The first ones meet code that is not compiled yet.
      if (time >= 50) took.push(performance.now() - start);
    }
    socket.destroy();
    return { p50Ms: percentile(took, 50), p99Ms: percentile(took, 99) };
  } finally {
    echo.stdin.end();
    echo.kill();
  }
}
