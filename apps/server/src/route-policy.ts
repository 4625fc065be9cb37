/**
 * Who may use a route. `anyone`: nobody has to sign in. `member`, `administrator`: a token with that role at least, or
 * the socket. `socket`: only whoever can open the administrator's socket. `agent`: a certificate of an admitted agent.
 */
export type Policy = 'anyone' | 'member' | 'administrator' | 'socket' | 'agent';
export type Group = 'client' | 'admin' | 'agent';

declare module 'fastify' {
  interface FastifyContextConfig {
    policy?: Policy;
    /** Groups can be switched off on a listener. */
    group?: Group;
  }
}

/** A route without a declared policy does not exist: the server does not start. */
export function checkPolicy(
  route: {
    readonly method: string | string[];
    readonly url: string;
    readonly config?: { readonly policy?: Policy; readonly group?: Group } | undefined;
  },
  allowed: readonly Policy[],
): asserts route is { method: string; url: string; config: { policy: Policy; group: Group } } {
  const { policy, group } = route.config ?? {};
  if (policy === undefined || group === undefined || !allowed.includes(policy)) {
    throw new TypeError(
      `The route ${String(route.method)} ${route.url} declares no policy of ${allowed.join(', ')} and group: nobody may use it.`,
    );
  }
}
