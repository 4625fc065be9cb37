import type { Description } from '@writ/contract';
import type { Admitted, MachineFacts } from '@writ/trust';

const STRICTNESS = ['strict', 'user', 'bare'];

/** What an agent says about itself and what its admission says, as the checks of orders want it. */
export const factsOf = (said: Description, admitted: Admitted): MachineFacts => ({
  os: said.os,
  arch: said.arch,
  host: said.host,
  cores: said.cores,
  memoryBytes: said.memoryBytes,
  counters: said.counters,
  admitted,
  profiles: said.profiles.toSorted(
    (one, other) => STRICTNESS.indexOf(one.profile) - STRICTNESS.indexOf(other.profile),
  ),
});
