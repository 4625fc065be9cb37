import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import { API_CODES, type ApiCode, BOUNDS, type Problem } from '@writ/contract';
import { TrustError } from '@writ/trust';
import fastify, { type FastifyInstance } from 'fastify';
import { asServerError, schemaController } from '../fastify-schemas.ts';
import { limitRate } from '../limit-rate.ts';
import { checkPolicy, type Group, type Policy } from '../route-policy.ts';
import { ServerError } from '../server-error.ts';
import { allow, type Caller, findCallerWith } from './caller.ts';
import type { PeopleParts } from './people-parts.ts';
import { addRoutes } from './routes.ts';
import { parseStrictJson } from './strict-json.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller;
    /** Rejects when the caller may not ask for this any more. */
    askAgain: () => Promise<void>;
  }
}

export interface DeclaredRoute {
  readonly method: string;
  readonly url: string;
  readonly policy: Policy;
  readonly group: Group;
}

export interface PeopleApp {
  answer(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): void;
  readonly routes: readonly DeclaredRoute[];
  close(): Promise<void>;
}

const NOBODY: Caller = { role: 'nobody', actor: 'nobody', source: '' };

/** The API of people. It listens nowhere: requests are handed to it. */
export async function openPeopleApp(parts: PeopleParts): Promise<PeopleApp> {
  const routes: DeclaredRoute[] = [];
  const app = makeApp(parts, (route) => routes.push(route));
  addRoutes(app, parts);
  await app.ready();
  return {
    answer: (request, response) => app.routing(request as IncomingMessage, response as ServerResponse),
    routes,
    close: async () => await app.close(),
  };
}

function makeApp(parts: PeopleParts, onRoute: (route: DeclaredRoute) => void): FastifyInstance {
  const { log } = parts;
  const findCaller = findCallerWith(parts);
  const isTooOften = limitRate(parts.clock, STRANGERS);
  const isTooMuch = limitRate(parts.clock, ALL_STRANGERS);
  const app = fastify({
    logger: false,
    schemaController,
    bodyLimit: 2 * BOUNDS.documentBytes,
    exposeHeadRoutes: false,
    requestIdHeader: false,
    genReqId: () => parts.newId(),
    // A request that waits for another one's end is not served while the server stops.
    forceCloseConnections: false,
    routerOptions: { maxParamLength: 200, ignoreTrailingSlash: false, caseSensitive: true },
  });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    const parsed = parseStrictJson(body as Buffer);
    if ('value' in parsed) done(null, parsed.value);
    else
      done(
        new ServerError('request.malformed', `This body is refused: ${parsed.fault.detail}.`, [parsed.fault]),
      );
  });
  app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, (_request, body, done) =>
    done(null, body),
  );

  app.decorateRequest('caller');
  app.decorateRequest('askAgain');
  app.addHook('onRoute', (route) => {
    checkPolicy(route, ['anyone', 'member', 'administrator', 'socket']);
    onRoute({
      method: String(route.method),
      url: route.url,
      policy: route.config.policy,
      group: route.config.group,
    });
  });
  // Before the body is read, and before anything says whether there is such a route.
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
      'writ-request': request.id,
    });
    request.caller = NOBODY;
    request.askAgain = async () => {
      request.caller = await findCaller(request.raw);
      allow(request.routeOptions.config.policy ?? 'member', request.caller);
    };
    await request.askAgain();
  });

  /** The first of a flood stand in the audit trail; the rest would only fill the disk. */
  const isFlood = (error: unknown, caller: Caller, address: string): boolean =>
    error instanceof ServerError &&
    error.code === 'auth.refused' &&
    caller.role === 'nobody' &&
    (isTooOften(address) || isTooMuch('all'));

  const answerProblem = (error: unknown, requestId: string): Problem => {
    const known =
      error instanceof TrustError
        ? new ServerError('request.malformed', error.message, [{ pointer: '', detail: error.code }])
        : asServerError(error);
    const [status, title] = API_CODES[known.code];
    return {
      type: `https://writ.invalid/errors#${known.code}`,
      title,
      status,
      code: known.code,
      detail: known.message,
      ...(known.errors.length > 0 && { errors: [...known.errors] }),
      requestId,
    };
  };
  app.setErrorHandler(async (error, request, reply) => {
    const isTooMany = isFlood(error, request.caller, request.raw.socket.remoteAddress ?? '');
    const problem = answerProblem(isTooMany ? tooManyTokens() : error, request.id);
    if (problem.status >= 500)
      log('error', 'request.failed', {
        request: request.id,
        route: request.routeOptions.url,
        code: problem.code,
        error,
      });
    if (refusalsToRecord.has(problem.code as ApiCode))
      await recordRefusal(
        parts,
        request.caller,
        `${request.method} ${request.routeOptions.url ?? ''}`,
        problem,
        request.raw.socket.remoteAddress,
      );
    return await reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
  });
  app.setNotFoundHandler(() => {
    throw new ServerError('not_found', 'There is no such route.');
  });
  return app;
}

/** Wrong tokens from one address, and from all together. */
const STRANGERS = { most: 60, perMs: 60_000 };
const ALL_STRANGERS = { most: 600, perMs: 60_000 };
const tooManyTokens = (): ServerError =>
  new ServerError('request.rate', 'Too many wrong tokens came from there. Try again in a minute.');

/** Refusals that an auditor looks for. */
const refusalsToRecord: ReadonlySet<ApiCode> = new Set<ApiCode>([
  'auth.refused',
  'auth.forbidden',
  'order.refused',
  'set.refused',
  'invite.refused',
  'admission.refused',
]);

async function recordRefusal(
  parts: PeopleParts,
  caller: Caller,
  object: string,
  problem: Problem,
  address: string | undefined,
): Promise<void> {
  const by = { actor: caller.actor, source: caller.source || (address ?? ''), now: parts.clock.now() };
  const detail = problem.errors?.[0] ? `${problem.code} ${problem.errors[0].detail}` : problem.code;
  await parts.store.audit
    .record({
      action: 'request.refused',
      object: object.slice(0, 200),
      outcome: 'refused',
      detail: detail.slice(0, 2_000),
      by,
    })
    .catch((error: unknown) => parts.log('error', 'audit.failed', { error }));
}
