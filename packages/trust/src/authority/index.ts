export { loadOrCreateSecret, loadSecret } from './authority-secret.ts';
export type { AuthorityCode } from './codes.ts';
export {
  type Authority,
  createAuthority,
  type NewAuthority,
  type Now,
  renewIssuing,
} from './create-authority.ts';
export { type IsKeyOfAnother, type IssuedLeaf, issueLeaf, type LeafRequest } from './issue-leaf.ts';
export { loadAuthority, loadRootKey, saveAuthority, saveIssuing } from './keep-authority.ts';
export { backdatedMs, leafLifeMs, leafTimes } from './leaf-times.ts';
export { newSerial, type RandomBytes } from './new-serial.ts';
