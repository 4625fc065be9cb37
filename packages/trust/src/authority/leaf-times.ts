import type { Role } from '../certificates/leaf-uri.ts';
import { refusal } from './refuse.ts';

const hour = 3_600_000;
const day = 24 * hour;

/** How long a leaf of each role lasts at most. */
export const leafLifeMs: Readonly<Record<Role, number>> = {
  agent: day,
  gateway: day,
  server: 30 * day,
  user: 30 * day,
};

/** Leaves begin a minute early, for clocks that are a little behind. */
export const backdatedMs = 60_000;

export interface Times {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** The usual times of a new leaf. Certificates know whole seconds only. */
export function leafTimes(role: Role, now: number): Times {
  const second = Math.floor(now / 1000) * 1000;
  return { notBefore: second - backdatedMs, notAfter: second + leafLifeMs[role] };
}

/** Refuses what lasts longer than its role may, or longer than the certificate that issues it. */
export function checkLeafTimes(role: Role, times: Times, issuing: Times): void {
  const { notBefore, notAfter } = times;
  const wrong =
    [notBefore, notAfter].some((time) => !Number.isSafeInteger(time) || time % 1000 !== 0) ||
    notAfter <= notBefore ||
    notAfter - notBefore > leafLifeMs[role] + backdatedMs;
  if (wrong) {
    throw refusal(
      'authority.lifetime',
      `A certificate of role ${role} lasts ${leafLifeMs[role] / hour} hours at most, from and to whole seconds. Use leafTimes.`,
    );
  }
  if (notBefore < issuing.notBefore || notAfter > issuing.notAfter) {
    throw refusal(
      'authority.lifetime',
      'The certificate would outlast the one that issues it. Renew the issuing certificate first.',
    );
  }
}
