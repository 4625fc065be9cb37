// Runs a script under Node 24, whatever Node started this file: plain JavaScript that Node 18 understands.
//   node scripts/with-node.mjs SCRIPT [ARGUMENT …]
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const OLDEST = 24;
const root = dirname(dirname(fileURLToPath(import.meta.url)));

installWhatTheLockNames();
runUnder(findNode());

function installWhatTheLockNames() {
  const stamp = join(root, 'node_modules', '.writ-lock');
  const wanted = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  if (!installedByHand()) {
    process.stderr.write('installing what package-lock.json names …\n');
    const npm = spawnSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      shell: process.platform === 'win32',
    });
    if (npm.error) stop(`npm could not be started: ${npm.error.message}. Install npm 10 or newer.`);
    if (npm.status !== 0) stop('npm ci failed (its reasons are above). Nothing was started.');
  }
  writeFileSync(stamp, wanted);
}

// npm leaves what it installed in node_modules/.package-lock.json; where that agrees, nothing is installed again.
function installedByHand() {
  const installed = readLock(join(root, 'node_modules', '.package-lock.json'));
  const wanted = readLock(join(root, 'package-lock.json'));
  if (!installed || !wanted) return false;
  return Object.entries(wanted.packages).every(([place, entry]) => {
    if (!place.startsWith('node_modules/') || entry.link) return true;
    const there = installed.packages[place];
    if (there) return there.version === entry.version;
    return Boolean(entry.optional) && !isForThisMachine(entry);
  });
}

function isForThisMachine(entry) {
  // A binary for another C library is left out although system and processor agree; absent ones of those do not count.
  if (entry.libc || !entry.os || !entry.cpu) return false;
  return entry.os.includes(process.platform) && entry.cpu.includes(process.arch);
}

function readLock(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return undefined;
  }
}

function findNode() {
  const brought = join(root, 'node_modules', '.bin', 'node');
  if (existsSync(brought) && spawnSync(brought, ['--version']).status === 0) return brought;
  if (Number(process.versions.node.split('.')[0]) >= OLDEST) return process.execPath;
  return stop(
    `Writ needs Node ${OLDEST} or newer; this is ${process.version}, and the registry has no Node to bring along ` +
      `for ${process.platform}-${process.arch}. Install Node ${OLDEST} and run the same command again.`,
  );
}

function runUnder(node) {
  const path = `${dirname(node)}${process.platform === 'win32' ? ';' : ':'}${process.env.PATH ?? ''}`;
  // Types are stripped and code is compiled once for all processes, not once in each.
  const compiled = process.env.NODE_COMPILE_CACHE ?? join(root, 'node_modules', '.cache', 'compile');
  const env = { ...process.env, PATH: path, NODE_COMPILE_CACHE: compiled };
  const child = spawn(node, process.argv.slice(2), { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT']) {
    process.on(signal, () => {
      // The terminal has sent Ctrl-C to the child as well; a second one would cut its farewell short.
      const fromTerminal = process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT');
      if (!fromTerminal) child.kill(signal);
    });
  }
  child.on('error', (error) => stop(`${node} could not be started: ${error.message}`));
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}

function stop(why) {
  process.stderr.write(`${why}\n`);
  process.exit(1);
}
