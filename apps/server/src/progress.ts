export interface Progress {
  readonly thousandths: number | null;
  readonly message: string;
}

/** What running tasks said last. It is not kept: after a restart they say it again. */
export interface ProgressBoard {
  say(job: string, index: number, attempt: number, progress: Progress): void;
  of(job: string, index: number, attempt: number): Progress | null;
  forget(job: string, index: number): void;
  onSaid(listener: (job: string, index: number) => void): () => void;
}

const MOST = 20_000;

export function openProgress(): ProgressBoard {
  const said = new Map<string, { readonly attempt: number; readonly progress: Progress }>();
  const listeners = new Set<(job: string, index: number) => void>();
  return {
    say(job, index, attempt, progress) {
      const key = `${job}.${index}`;
      said.delete(key);
      said.set(key, { attempt, progress });
      if (said.size > MOST)
        for (const oldest of said.keys()) {
          said.delete(oldest);
          break;
        }
      for (const listener of listeners) listener(job, index);
    },
    of(job, index, attempt) {
      const found = said.get(`${job}.${index}`);
      return found?.attempt === attempt ? found.progress : null;
    },
    forget: (job, index) => void said.delete(`${job}.${index}`),
    onSaid(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
