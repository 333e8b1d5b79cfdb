// Whether the configuration still names the source that the views hang on. Judges the name alone and changes nothing.
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import { describeNeverOpen, findFirstOpening } from '../../domain/windows/first-opening.js';
import type { WindowSpec } from '../../domain/windows/windows.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { findCell } from '../../stores/cell/identity.js';
import { isSameSource } from '../../stores/cell/setup/source.js';
import type { EngineContext } from '../context.js';

/** Throws source_changed, invalid_source_name. A cell that cannot be read or is detached passes: what needs it says so. */
export async function rejectOtherSource(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenters: readonly DataCenterConfig[],
): Promise<void> {
  const attached = await Promise.all(dataCenters.map((dataCenter) => findOther({ cells }, dataCenter)));
  for (const [index, { id, source }] of dataCenters.entries()) {
    const other = attached[index];
    if (other !== undefined)
      throw new RolloutError('source_changed', {
        message: `The configuration names ${source} as the source of data center "${id}", but its views hang on ${other}.`,
      });
  }
}

/** The attached source where it is another one than the configured. */
async function findOther(
  { cells }: Pick<EngineContext, 'cells'>,
  { id, source }: DataCenterConfig,
): Promise<string | undefined> {
  try {
    return await cells.get(id).inTransaction('reader', async (tx) => {
      const cell = await findCell(tx);
      if (cell?.source == null || cell.sourceSignature === null) return undefined;
      return (await isSameSource(tx, source, cell.source)) ? undefined : cell.source;
    });
  } catch (error) {
    if (isRolloutError(error) && error.code === 'invalid_source_name') throw error;
    return undefined;
  }
}

// Refuses what would wait for ever: windows that do not open again, by the clock of control.

/** Throws windows_never_open with the reason. */
export function rejectClosedWindows({ id, zone }: DataCenterConfig, windows: readonly WindowSpec[], now: Date): void {
  if (findFirstOpening(windows, zone, now) !== null) return;
  throw new RolloutError('windows_never_open', {
    message: `No window of rollout.windows opens again in data center "${id}": ${describeNeverOpen(windows)}.`,
  });
}

// Whether an apply would give a data center another rate card, which it does even where no org is written. Reads only.

/** The hash of the card that the cell has, where it is another one than `cardHash`; undefined: none, or this one. */
export async function findCardChange(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  cardHash: string,
): Promise<string | undefined> {
  const cell = await cells.get(dataCenter).inTransaction('reader', findCell);
  return cell?.activeCard == null || cell.activeCard === cardHash ? undefined : cell.activeCard;
}
