export { freeBuffers } from './free-buffers.ts';
export { makeFolder } from './make-folder.ts';
export { syncFolder, writePrivateFile } from './private-file.ts';
