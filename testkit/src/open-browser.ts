import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

/** A page in a real Chromium, driven by its own protocol. */
export interface Page {
  /** The value of an expression there. */
  evaluate(expression: string): Promise<unknown>;
  /** Chooses files in an input, as a person does. */
  chooseFiles(selector: string, files: readonly string[]): Promise<void>;
  /** What went wrong there by itself: uncaught errors, and what the page's policy kept out. */
  readonly faults: readonly string[];
}

export interface Browser extends AsyncDisposable {
  open(url: string): Promise<Page>;
}

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--remote-debugging-port=0',
];

export async function openBrowser(): Promise<Browser> {
  const folder = mkdtempSync(join(tmpdir(), 'writ-browser-'));
  const child = spawn('chromium', [...ARGUMENTS, `--user-data-dir=${folder}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: folder, LANG: 'C.UTF-8' },
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const close = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  };
  try {
    const address = await new Promise<string>((resolve, reject) => {
      let text = '';
      child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`chromium ended with ${code}\n${text}`)));
    });
    const call = await openProtocol(address);
    return { open: (url) => openPage(call, url), [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

type Parameters = Readonly<Record<string, unknown>>;
interface Protocol {
  send(method: string, parameters?: Parameters, target?: string): Promise<Record<string, unknown>>;
  listen(target: string, hear: (method: string, parameters: Record<string, unknown>) => void): void;
}

async function openProtocol(address: string): Promise<Protocol> {
  const socket = new WebSocket(address);
  const waiting = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();
  const listeners = new Map<string, (method: string, parameters: Record<string, unknown>) => void>();
  let next = 1;
  socket.addEventListener('message', ({ data }) => {
    const message = JSON.parse(String(data)) as {
      id?: number;
      sessionId?: string;
      method?: string;
      params?: Record<string, unknown>;
      result?: Record<string, unknown>;
      error?: { message: string };
    };
    if (message.id === undefined) {
      listeners.get(message.sessionId ?? '')?.(message.method ?? '', message.params ?? {});
      return;
    }
    const answer = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error) answer?.reject(new Error(message.error.message));
    else answer?.resolve(message.result ?? {});
  });
  socket.addEventListener('close', () => {
    for (const answer of waiting.values()) answer.reject(new Error('the browser is gone'));
  });
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve());
    socket.addEventListener('error', () => reject(new Error(`${address} does not answer`)));
  });
  return {
    send(method, params = {}, sessionId) {
      const answer = Promise.withResolvers<Record<string, unknown>>();
      const id = next++;
      waiting.set(id, answer);
      socket.send(JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
      return answer.promise;
    },
    listen: (target, hear) => void listeners.set(target, hear),
  };
}

async function openPage(protocol: Protocol, url: string): Promise<Page> {
  const { targetId } = await protocol.send('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await protocol.send('Target.attachToTarget', { targetId, flatten: true });
  const target = String(sessionId);
  const faults: string[] = [];
  const loaded = Promise.withResolvers<void>();
  protocol.listen(target, (method, parameters) => {
    if (method === 'Page.loadEventFired') loaded.resolve();
    if (method === 'Runtime.exceptionThrown' || method === 'Log.entryAdded')
      faults.push(JSON.stringify(parameters));
  });
  for (const domain of ['Page', 'Runtime', 'Log', 'DOM']) await protocol.send(`${domain}.enable`, {}, target);
  await protocol.send('Page.navigate', { url }, target);
  await loaded.promise;
  return {
    faults,
    async evaluate(expression) {
      const given = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await protocol.send('Runtime.evaluate', given, target);
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
      return (result as { value?: unknown }).value;
    },
    async chooseFiles(selector, files) {
      const { root } = (await protocol.send('DOM.getDocument', {}, target)) as { root: { nodeId: number } };
      const { nodeId } = await protocol.send('DOM.querySelector', { nodeId: root.nodeId, selector }, target);
      await protocol.send('DOM.setFileInputFiles', { nodeId, files }, target);
    },
  };
}
