export * from './store-error.ts';
export type * from './store.ts';
export { openStore } from './open-store.ts';
