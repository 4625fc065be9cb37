import {
  type AgentView,
  API_ROUTES,
  BanAgent,
  descriptionCheck,
  type Envelope,
  type InviteView,
  MakeAdmission,
  MakeInvite,
  Name,
  PAYLOAD_TYPES,
  shape,
} from '@writ/contract';
import type { AgentRecord, InviteRecord } from '@writ/store';
import { judgeAdmission, judgeInvite, readUnverified, TrustError } from '@writ/trust';
import type { FastifyInstance } from 'fastify';
import { ServerError } from '../server-error.ts';
import { judgeQuietly } from './list-admitted.ts';
import { PAGE_QUERY, pageOf, type PageQuery, when, whenOrNull } from './paging.ts';
import { byOf, type PeopleParts } from './people-parts.ts';

const NAME_PARAMS = shape({ name: Name });

export function addAgentRoutes(app: FastifyInstance, parts: PeopleParts): void {
  const { store, clock, cluster, members } = parts;
  const findAgent = async (params: unknown): Promise<AgentRecord> => {
    const agent = await store.trust.findAgent((params as { name: string }).name);
    if (!agent) throw new ServerError('not_found', 'There is no such agent, or it is not yours to see.');
    return agent;
  };

  app.get(
    API_ROUTES.listAgents[1],
    { config: { policy: 'member', group: 'client' }, schema: { querystring: shape(PAGE_QUERY) } },
    async (request) => {
      const { items, next } = await store.trust.listAgents(pageOf(request.query as PageQuery));
      return { items: await Promise.all(items.map(async (agent) => await agentView(parts, agent))), next };
    },
  );

  app.get(
    API_ROUTES.readAgent[1],
    { config: { policy: 'member', group: 'client' }, schema: { params: NAME_PARAMS } },
    async (request) => await agentView(parts, await findAgent(request.params)),
  );

  app.post(
    API_ROUTES.banAgent[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { params: NAME_PARAMS, body: BanAgent } },
    async (request) => {
      const agent = await findAgent(request.params);
      const { reason } = request.body as { reason: string };
      const by = byOf(request.caller, clock);
      await store.trust.setAgentState(agent.identity, 'banned', reason, by);
      // Its connections are closed before the answer; its work goes back at once.
      members.stop(agent.identity, agent.name);
      for (let isMore = true; isMore;) ({ isMore } = await store.leases.loseAgent(agent.identity, [], by));
      await parts.dispatch.lookAgain();
      return await agentView(parts, await findAgent(request.params));
    },
  );

  for (const [route, isDrained] of [
    [API_ROUTES.drainAgent, true],
    [API_ROUTES.resumeAgent, false],
  ] as const)
    app.post(
      route[1],
      { config: { policy: 'administrator', group: 'admin' }, schema: { params: NAME_PARAMS } },
      async (request) => {
        const agent = await findAgent(request.params);
        await store.trust.drainAgent(agent.identity, isDrained, byOf(request.caller, clock));
        await parts.dispatch.lookAgain();
        if (isDrained) parts.dispatch.callBack((identity) => identity === agent.identity);
        return await agentView(parts, await findAgent(request.params));
      },
    );

  app.post(
    API_ROUTES.makeInvite[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { body: MakeInvite } },
    async (request, reply) => {
      const { invite: envelope } = request.body as { invite: Envelope };
      const { invite, digest } = refuseAs('invite.refused', '/invite', () =>
        judgeInvite(envelope, cluster.sets()),
      );
      if (invite.until <= clock.now())
        throw new ServerError(
          'invite.refused',
          'This invite has expired already. Is the clock of that machine right?',
          [{ pointer: '/invite', detail: 'invite.expired' }],
        );
      const answer = await store.trust.addInvite(
        {
          digest,
          inviteKey: invite.inviteKey,
          role: invite.role,
          name: invite.name,
          until: invite.until,
          envelope,
        },
        byOf(request.caller, clock),
      );
      if (answer === 'conflict')
        throw new ServerError('invite.refused', 'Another invite has this key.', [
          { pointer: '/invite', detail: 'invite.key_used' },
        ]);
      const record = await store.trust.readInvite(digest);
      if (!record) throw new ServerError('server.failed', 'The invite was not stored.');
      cluster.witness(invite.by.person, invite.by.key, invite.issued, clock.now());
      return await reply.code(answer === 'added' ? 201 : 200).send(inviteView(record));
    },
  );

  app.get(
    API_ROUTES.listInvites[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { querystring: shape(PAGE_QUERY) } },
    async (request) => {
      const { items, next } = await store.trust.listInvites(pageOf(request.query as PageQuery));
      return { items: items.map(inviteView), next };
    },
  );

  app.post(
    API_ROUTES.makeAdmission[1],
    { config: { policy: 'administrator', group: 'admin' }, schema: { body: MakeAdmission } },
    async (request, reply) => {
      const { admission } = request.body as { admission: Envelope };
      const judged = refuseAs('admission.refused', '/admission', () =>
        judgeAdmission(admission, null, cluster.sets()),
      );
      try {
        await parts.admit(admission, null, byOf(request.caller, clock));
      } catch (error) {
        if (error instanceof TrustError && error.code === 'admission.name_taken')
          throw new ServerError('conflict.name', error.message, [
            { pointer: '/admission', detail: error.code },
          ]);
        refuseAs('admission.refused', '/admission', () => {
          throw error;
        });
      }
      const agent = await store.trust.readAgent(judged.identity);
      if (!agent) throw new ServerError('server.failed', 'The admission was not stored.');
      return await reply.code(201).send(await agentView(parts, agent));
    },
  );
}

function refuseAs<T>(code: 'invite.refused' | 'admission.refused', pointer: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    throw new ServerError(code, `${error.message}.`, [{ pointer, detail: error.code }], { cause: error });
  }
}

async function agentView({ store, cluster, links }: PeopleParts, agent: AgentRecord): Promise<AgentView> {
  const link = links().get(agent.identity);
  const said =
    agent.description &&
    readUnverified(agent.description, { type: PAYLOAD_TYPES.description, check: descriptionCheck });
  const admission = await store.trust.readAdmission(agent.admission);
  const admitted =
    admission &&
    judgeQuietly(() => judgeAdmission(admission.envelope, admission.inviteEnvelope, cluster.sets()));
  const slots = said?.slots ?? 0;
  return {
    name: agent.name,
    identity: agent.identity,
    state: agent.state === 'active' ? 'active' : 'banned',
    isDrained: agent.isDrained,
    isConnected: link !== undefined,
    lastSeen: whenOrNull(link?.lastHeard ?? agent.lastSeen),
    isBusy: link !== undefined && link.held >= slots,
    running: Math.min(link?.held ?? 0, slots),
    slots,
    writ: said?.writ ?? null,
    os: said?.os ?? null,
    arch: said?.arch ?? null,
    cores: said?.cores ?? null,
    memoryBytes: said?.memoryBytes ?? null,
    megaflops: said?.megaflops ?? null,
    counters: said?.counters ?? [],
    profiles: said?.profiles ?? [],
    labels: [...(admitted?.labels ?? [])],
    queues: [...(admitted?.queues ?? [])],
    tasksDone: agent.tasksDone,
  };
}

const inviteView = ({
  digest,
  inviteKey,
  role,
  name,
  until,
  admission,
  revoked,
}: InviteRecord): InviteView => ({
  digest,
  inviteKey,
  role,
  name,
  until: when(until),
  admission,
  isRevoked: revoked !== null,
});
