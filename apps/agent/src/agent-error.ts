export type AgentErrorCode =
  | 'agent.state_missing'
  | 'agent.state_damaged'
  | 'agent.state_held'
  | 'agent.moved'
  | 'agent.launcher_lost'
  | 'config.bad'
  | 'record.not_durable'
  | 'record.lost'
  | 'record.damaged'
  | 'join.no_answer'
  | 'join.refused'
  | 'join.unavailable'
  | 'join.set_wrong'
  | 'join.server_wrong'
  | 'join.invite_wrong'
  | 'join.certificate_wrong'
  | 'join.other_cluster'
  | 'join.answer_malformed'
  | 'lease.over'
  | 'link.refused'
  | 'link.version'
  | 'link.malformed'
  | 'link.closed'
  | 'file.unavailable'
  | 'file.digest_wrong'
  | 'file.refused';

/** The one error of this program. The message says what happened, why, and what to do next. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
