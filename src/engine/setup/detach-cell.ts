// `detach`: drops our views and triggers on the product's table, so that its owner can alter it. Our tables stay.
import { adviseFitting } from '../../domain/rollout/fitting-verbs.js';
import { RESTING_STAGES } from '../../domain/rollout/stage.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import { detachSource } from '../../stores/cell/setup/schema.js';
import { appendAudit } from '../../stores/control/audit.js';
import { lockDataCenter } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { dropSignUpTrigger, removeChangeFeed } from './triggers.js';

export interface DetachReport {
  /** The triggers of the change feed were removed too: request them again at `init`. */
  readonly changeFeed: boolean;
  /** The sign-up trigger was removed too, likewise. */
  readonly signUpTrigger: boolean;
}

/** Throws wrong_stage while a rollout is under way in the data center: it reads the views. */
export async function detachCell(
  context: EngineContext,
  dataCenter: string,
  reason: string | null,
): Promise<DetachReport> {
  return context.control.inTransaction(async (tx) => {
    const row = await lockDataCenter(tx, dataCenter);
    if (row !== undefined && (row.requestedAt !== null || !RESTING_STAGES.includes(row.stage)))
      throw new RolloutError('wrong_stage', {
        message:
          `Data center "${dataCenter}" has a rollout under way or requested (stage ${row.stage}), which reads the ` +
          `product's table.`,
        next: adviseFitting(dataCenter, row),
      });
    const cell = context.cells.get(dataCenter);
    const changeFeed = await removeChangeFeed(cell, context.clock);
    const signUpTrigger = await dropSignUpTrigger(cell, context.clock);
    await cell.asOwner(detachSource);
    await appendAudit(tx, { action: 'detach', dataCenter, reason });
    return { changeFeed, signUpTrigger };
  });
}
