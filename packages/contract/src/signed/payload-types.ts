const writ = <T extends string>(type: T) => `application/vnd.writ.${type}+json` as const;

/** What each kind of signed object calls itself. A receipt is an in-toto statement, so that tools of that world can read it. */
export const PAYLOAD_TYPES = {
  signerSet: writ('signer-set'),
  freshness: writ('freshness'),
  invite: writ('invite'),
  admission: writ('admission'),
  certificateRequest: writ('certificate-request'),
  description: writ('description'),
  order: writ('order'),
  definition: writ('definition'),
  childOrder: writ('child-order'),
  withdrawal: writ('withdrawal'),
  secret: writ('secret'),
  receipt: 'application/vnd.in-toto+json',
  received: writ('received'),
  auditHead: writ('audit-head'),
} as const;
export type PayloadType = (typeof PAYLOAD_TYPES)[keyof typeof PAYLOAD_TYPES];
