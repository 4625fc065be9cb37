/** What the tables call those who pass files on. */
export const WRIT = 'writ';
export const PEER = 'curl, nginx, sha256sum';

export const MIB = 2 ** 20;
