/** What asks a program in the foreground to stop. */
export function onStopSignals(tell: (signal: NodeJS.Signals) => void): Disposable {
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, tell);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, tell);
    },
  };
}
