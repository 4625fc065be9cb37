import manifest from '../package.json' with { type: 'json' };

/** Of this program; a build for publication puts the workspace's version in its place. */
export const VERSION = manifest.version;
