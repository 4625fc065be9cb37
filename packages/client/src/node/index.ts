export * from './collect-inputs.ts';
export * from './open-fetch.ts';
export * from './people-folder.ts';
export { readPrivateFile, writePrivateFile } from './private-file.ts';
export * from './upload-files.ts';
export * from './write-outputs.ts';
