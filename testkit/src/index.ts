export * from './fault-proxy.ts';
export * from './open-shell.ts';
export * from './read-processes.ts';
export * from './start-agent.ts';
export * from './start-cluster.ts';
