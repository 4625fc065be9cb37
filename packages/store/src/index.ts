export * from './store-error.ts';
export type * from './store.ts';
export { openStore, type OpenStoreAsked } from './open-store.ts';
