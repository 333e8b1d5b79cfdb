// Remembers the nights' time and caps, so that every scheduler and command goes by the same.
import type { ReconcileSettings } from '../../domain/config/rollout-config.js';
import { saveReconcile } from '../../stores/control/rollout.js';
import type { EngineContext } from '../context.js';

export type { ReconcileSettings } from '../../domain/config/rollout-config.js';

/** The newest word holds; a night that is due already keeps its instant. */
export async function keepReconcile(
  { control }: Pick<EngineContext, 'control'>,
  settings: ReconcileSettings,
): Promise<void> {
  await control.inTransaction((tx) => saveReconcile(tx, settings));
}
