import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { text } from 'node:stream/consumers';
import { findProgram } from '../bring-program.ts';
import { endWithUs } from '../end-with-us.ts';
import { freePort } from '../free-port.ts';
import { runProgram } from '../run-program.ts';

/** A web server that takes and gives files over TLS 1.3. */
export interface Nginx extends AsyncDisposable {
  /** By which its processes are known. */
  readonly folder: string;
  readonly url: string;
  /** Of its certificate. */
  readonly certificate: string;
  /** Where the files lie. */
  readonly files: string;
}

const PATIENCE_MS = 10_000;

export async function startNginx(folder: string): Promise<Nginx> {
  const certificate = join(folder, 'nginx.pem');
  const key = join(folder, 'nginx.key');
  const wish =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=nginx -addext subjectAltName=IP:127.0.0.1 -days 1';
  await runProgram(['openssl', ...wish.split(' '), '-keyout', key, '-out', certificate]);
  const files = join(folder, 'files');
  mkdirSync(files);
  const port = await freePort();
  const configuration = join(folder, 'nginx.conf');
  writeFileSync(configuration, configurationOf({ folder, files, certificate, key, port }));
  const line = ['-p', folder, '-c', configuration, '-e', join(folder, 'error.log')];
  const child = spawn(findProgram('nginx') ?? 'nginx', line, { stdio: ['ignore', 'ignore', 'pipe'] });
  endWithUs(child);
  const ended = once(child, 'exit');
  const complained = text(child.stderr);
  const end = performance.now() + PATIENCE_MS;
  while (!(await listens(port))) {
    if (child.exitCode !== null) throw new Error(`nginx did not start: ${await complained}`);
    if (performance.now() > end) throw new Error('nginx gives no sign');
    await sleep(20);
  }
  return {
    folder,
    url: `https://127.0.0.1:${port}`,
    certificate,
    files,
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

const configurationOf = (place: {
  readonly folder: string;
  readonly files: string;
  readonly certificate: string;
  readonly key: string;
  readonly port: number;
}): string => `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes auto;
pid ${place.folder}/nginx.pid;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path ${place.folder}/body;
  proxy_temp_path ${place.folder}/proxy;
  fastcgi_temp_path ${place.folder}/fastcgi;
  uwsgi_temp_path ${place.folder}/uwsgi;
  scgi_temp_path ${place.folder}/scgi;
  client_max_body_size 0;
  client_body_buffer_size 1m;
  output_buffers 4 1m;
  ssl_protocols TLSv1.3;
  ssl_session_tickets off;
  ssl_certificate ${place.certificate};
  ssl_certificate_key ${place.key};
  server {
    listen 127.0.0.1:${place.port} ssl;
    root ${place.files};
    dav_methods PUT;
  }
}
`;

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
