import type { FastifyInstance } from 'fastify';
import { addAgentRoutes } from './agent-routes.ts';
import { addClusterRoutes } from './cluster-routes.ts';
import { addFileRoutes } from './file-routes.ts';
import { addJobEvents } from './job-events.ts';
import { addJobRoutes } from './job-routes.ts';
import { addLogRoutes } from './log-routes.ts';
import type { PeopleParts } from './people-parts.ts';
import { addQueueRoutes } from './queue-routes.ts';
import { addRetentionRoutes } from './retention-routes.ts';
import { addServerRoutes } from './server-routes.ts';
import { addTokenRoutes } from './token-routes.ts';

/** Every route of the API of people. */
export function addRoutes(app: FastifyInstance, parts: PeopleParts): void {
  addClusterRoutes(app, parts);
  addJobRoutes(app, parts);
  addJobEvents(app, parts);
  addLogRoutes(app, parts);
  addFileRoutes(app, parts);
  addAgentRoutes(app, parts);
  addQueueRoutes(app, parts);
  addTokenRoutes(app, parts);
  addRetentionRoutes(app, parts);
  addServerRoutes(app, parts);
}
