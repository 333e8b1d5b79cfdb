// What every use-case about one org begins with: its id as the cell spells it, and the rate card that the cell decides
// with. Reads only.
import { quoteValue } from '../../kernel/quote-value.js';
import { RolloutError } from '../../kernel/rollout-error.js';
import type { CellTransaction } from '../../stores/cell/cell-database.js';
import { type CellRow, findCell, rejectChangedSource } from '../../stores/cell/identity.js';
import { parseOrgId, spellOrgId } from '../../stores/cell/org/orgs.js';
import { loadStoredCard, type StoredCard } from '../../stores/cell/org/rates.js';

export interface OrgName {
  readonly dataCenter: string;
  /** As typed. */
  readonly orgId: string;
}

/**
 * `7` for `007` where ids are numbers, `Acme` for `ACME` where case does not count; does not check that the org exists.
 * Throws invalid_org_id, source_changed: there the org would be looked for where it is not.
 */
export async function getOrgId(tx: CellTransaction, { dataCenter, orgId }: OrgName): Promise<string> {
  await rejectChangedSource(tx, dataCenter);
  const id = await parseOrgId(tx, orgId);
  if (id !== undefined) return spellOrgId(tx, id);
  throw new RolloutError('invalid_org_id', {
    message: `${quoteValue(orgId)} is not an org id of the type that data center "${dataCenter}" uses.`,
  });
}

export const orgNotFound = ({ dataCenter, orgId }: OrgName): RolloutError =>
  new RolloutError('org_not_found', {
    message:
      `Data center "${dataCenter}" has no org ${quoteValue(orgId)}, ` +
      'neither in its source nor among the allotments.',
  });

interface ActiveCard {
  /** The row that names the card. */
  readonly cell: CellRow;
  readonly card: StoredCard;
}

/** Throws not_initialised before the first run. */
export async function getActiveCard(tx: CellTransaction, dataCenter: string): Promise<ActiveCard> {
  const cell = await findCell(tx);
  const card = cell?.activeCard ? await loadStoredCard(tx, cell.activeCard) : undefined;
  if (cell === undefined || card === undefined)
    throw new RolloutError('not_initialised', { message: `Data center "${dataCenter}" has no active rate card yet.` });
  return { cell, card };
}
