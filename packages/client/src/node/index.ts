export * from './collect-inputs.ts';
export * from './open-fetch.ts';
export * from './open-submitter.ts';
export * from './people-folder.ts';
export { readPrivateFile, writePrivateFile } from './private-file.ts';
export * from './reach-context.ts';
export { openSocketPath, type SocketPath } from './socket-path.ts';
export * from './upload-files.ts';
export * from './write-outputs.ts';
