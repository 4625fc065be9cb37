/** Why the authority did not issue, or could not be read. */
export type AuthorityCode =
  | 'authority.serial'
  | 'authority.lifetime'
  | 'authority.names'
  | 'authority.key_taken'
  | 'authority.exists'
  | 'authority.missing'
  | 'authority.not_private'
  | 'authority.unreadable'
  | 'authority.secret_wrong';
