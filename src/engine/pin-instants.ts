// Pins the instants of the policy for one data center, in its zone: at the first apply, or when it is added later.
import type { PolicySections } from '../domain/config/policy.js';
import { parseLocalInstant } from '../domain/time/parse-instant.js';
import { advise, command } from '../kernel/advice.js';
import { RolloutError } from '../kernel/rollout-error.js';
import type { ControlTransaction } from '../stores/control/control-database.js';
import { lockDataCenter, transitionDataCenter } from '../stores/control/data-centers.js';

/** The database accepts no others than the policy has. Throws not_initialised. */
export async function pinInstants(
  tx: ControlTransaction,
  id: string,
  { rollout, signups }: PolicySections,
): Promise<void> {
  const row = await lockDataCenter(tx, id);
  if (row === undefined) throw missingInControl(id);
  const { notBefore } = rollout;
  const { cutover } = signups;
  const start = notBefore === undefined ? undefined : parseLocalInstant(notBefore, row.zone);
  const instant = cutover === undefined ? undefined : parseLocalInstant(cutover, row.zone);
  await transitionDataCenter(tx, row, {
    notBeforeAt: start?.instant ?? null,
    notBeforeLocal: start === undefined ? null : `${start.local} ${start.zone}`,
    cutoverAt: instant?.instant ?? null,
    cutoverLocal: instant === undefined ? null : `${instant.local} ${instant.zone}`,
  });
}

export const missingInControl = (id: string): RolloutError =>
  new RolloutError('not_initialised', {
    message: `Data center "${id}" does not belong to the fleet: init has not added it, or it was taken out.`,
    next: advise`Run: ${command`init --dc ${id}`}`,
  });
