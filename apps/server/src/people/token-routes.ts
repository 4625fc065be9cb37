import {
  API_ROUTES,
  encodeBase64Url,
  Id,
  MakeToken,
  shape,
  type TokenMade,
  type TokenView,
} from '@writ/contract';
import type { TokenRecord } from '@writ/store';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../server-error.ts';
import { PAGE_QUERY, pageOf, type PageQuery, when, whenOrNull } from './paging.ts';
import { byOf, type PeopleParts } from './people-parts.ts';

const config = { policy: 'administrator', group: 'admin' } as const;

export function addTokenRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { store, clock } = parts;

  app.post(API_ROUTES.makeToken[1], { config, schema: { body: MakeToken } }, async (request, reply) => {
    const { name, role, expiresSeconds } = request.body as {
      name: string;
      role: 'administrator' | 'member';
      expiresSeconds: number;
    };
    const now = clock.now();
    const token = `writ_${encodeBase64Url(parts.randomBytes(32))}`;
    const record = { id: parts.newId(), name, role, person: null, expires: now + expiresSeconds * 1000 };
    const answer = await store.tokens.addToken(record, Buffer.from(token), byOf(request.caller, clock));
    if (answer === 'conflict')
      throw new ServerError('conflict.state', 'This token exists already. Ask again.');
    const made: TokenMade = {
      ...tokenView({ ...record, created: now, lastUsed: null, revoked: null }),
      token,
    };
    return await reply.code(201).send(made);
  });

  app.get(
    API_ROUTES.listTokens[1],
    { config, schema: { querystring: shape(PAGE_QUERY) } },
    async (request) => {
      const { items, next } = await store.tokens.listTokens(pageOf(request.query as PageQuery));
      return { items: items.filter((token) => token.revoked === null).map(tokenView), next };
    },
  );

  app.delete(
    API_ROUTES.revokeToken[1],
    { config, schema: { params: shape({ id: Id }) } },
    async (request, reply) => {
      const isRevoked = await store.tokens.revokeToken(
        (request.params as { id: string }).id,
        byOf(request.caller, clock),
      );
      if (!isRevoked) throw new ServerError('not_found', 'There is no such token.');
      return await reply.code(204).send();
    },
  );
}

const tokenView = ({ id, name, role, created, expires, lastUsed }: TokenRecord): TokenView => ({
  id,
  name,
  role,
  created: when(created),
  expires: when(expires),
  lastUsed: whenOrNull(lastUsed),
});
