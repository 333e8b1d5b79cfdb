// Refuses what would wait for ever: windows that do not open again, by the clock of control.

import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import { describeNeverOpen, findFirstOpening } from '../../domain/windows/first-opening.js';
import type { WindowSpec } from '../../domain/windows/windows.js';
import { RolloutError } from '../../kernel/rollout-error.js';

/** Throws windows_never_open with the reason. */
export function refuseClosedWindows({ id, zone }: DataCenterConfig, windows: readonly WindowSpec[], now: Date): void {
  if (findFirstOpening(windows, zone, now) !== null) return;
  throw new RolloutError('windows_never_open', {
    message: `No window of rollout.windows opens again in data center "${id}": ${describeNeverOpen(windows)}.`,
  });
}
