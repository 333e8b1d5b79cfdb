// When a scheduler looks again by itself, from control's rows and control's clock.
import { decideNextLook } from '../../domain/rollout/decide-next-look.js';
import { readControlClock } from '../../stores/control/control-database.js';
import { listDataCenters } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';

/** In ms; `usualMs` where control cannot be read. */
export async function findNextLook({ control }: Pick<EngineContext, 'control'>, usualMs: number): Promise<number> {
  try {
    return await control.inTransaction(async (tx) =>
      decideNextLook(await listDataCenters(tx), await readControlClock(tx), usualMs),
    );
  } catch {
    return usualMs;
  }
}
