// What is checked before a rollout is requested: the source, the windows, and whether the card changes. Writes nothing.
import type { DataCenterConfig } from '../../domain/config/rollout-config.js';
import { describeNeverOpen, findFirstOpening } from '../../domain/windows/first-opening.js';
import type { WindowSpec } from '../../domain/windows/windows.js';
import { isRolloutError, RolloutError } from '../../kernel/rollout-error.js';
import { findCell } from '../../stores/cell/identity.js';
import { isSameSource } from '../../stores/cell/setup/source.js';
import type { EngineContext } from '../context.js';

/**
 * The configuration must name the source that the views are made on; only the names are compared. Throws
 * source_changed, invalid_source_name. A cell that is detached or cannot be read passes: what needs the cell reports
 * that.
 */
export async function rejectOtherSource(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenters: readonly DataCenterConfig[],
): Promise<void> {
  const attached = await Promise.all(dataCenters.map((dataCenter) => findOther({ cells }, dataCenter)));
  for (const [index, { id, source }] of dataCenters.entries()) {
    const other = attached[index];
    if (other !== undefined)
      throw new RolloutError('source_changed', {
        message: `Data center "${id}": its configured source is ${source}, but its views are made on ${other}.`,
      });
  }
}

/** The attached source, where it is not the configured one. */
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

/** A rollout must not wait for ever. Throws windows_never_open with the reason; `now` is of control's clock. */
export function rejectClosedWindows({ id, zone }: DataCenterConfig, windows: readonly WindowSpec[], now: Date): void {
  if (findFirstOpening(windows, zone, now) !== null) return;
  throw new RolloutError('windows_never_open', {
    message: `No window of rollout.windows opens again in data center "${id}": ${describeNeverOpen(windows)}.`,
  });
}

/**
 * The hash of the cell's card, where an apply would replace it with `cardHash`, which it does even where no org is
 * written. Undefined: the cell has no card, or has this one.
 */
export async function findCardChange(
  { cells }: Pick<EngineContext, 'cells'>,
  dataCenter: string,
  cardHash: string,
): Promise<string | undefined> {
  const cell = await cells.get(dataCenter).inTransaction('reader', findCell);
  return cell?.activeCard == null || cell.activeCard === cardHash ? undefined : cell.activeCard;
}
