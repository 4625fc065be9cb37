import { type Static, Type } from '../type.ts';
import { Digest, Ed25519Key, Text } from '../names.ts';
import { check, orNull, shape } from '../shape.ts';
import { Envelope } from '../signed/envelope.ts';
import { CertificateReply } from './messages.ts';

/**
 * `writ-enrol/1` on the agents' port: TLS in which only the server shows a certificate, one JSON message a line.
 * 1 ask → what to judge the server by; 2 admit or renew → a certificate. The seed of an invite never travels.
 */
export const ENROL_PROTOCOL = 'writ-enrol/1';

export const EnrolAsk = Type.Union([
  shape({ is: Type.Literal('join'), enrol: Type.Literal(1), inviteKey: Ed25519Key, set: Digest }),
  /** A member whose leaf has expired. `request`: certificate request signed by identity and TLS key. */
  shape({ is: Type.Literal('renew'), enrol: Type.Literal(1), request: Envelope }),
]);
export type EnrolAsk = Static<typeof EnrolAsk>;
export const enrolAskCheck = check(EnrolAsk);

export const EnrolOffer = shape({
  is: Type.Literal('offer'),
  /** Signer sets from version 1 to the newest, oldest first. */
  sets: Type.Array(Envelope, { minItems: 1, maxItems: 1000 }),
  freshness: orNull(Envelope),
  invite: Envelope,
  /** The present admission of the machine that the invite names: what a new one for that name follows. */
  supersedes: orNull(Digest),
});
export const EnrolAdmit = shape({ is: Type.Literal('admit'), admission: Envelope, request: Envelope });
export const enrolAdmitCheck = check(EnrolAdmit);
export const EnrolRefused = shape({ is: Type.Literal('refused'), code: Text(64), detail: Text(1000) });

export const EnrolReply = Type.Union([
  EnrolOffer,
  EnrolRefused,
  shape({ is: Type.Literal('admitted'), certificate: CertificateReply, admission: Digest }),
]);
export type EnrolReply = Static<typeof EnrolReply>;
export const enrolReplyCheck = check(EnrolReply);
