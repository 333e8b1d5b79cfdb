// Seals a action as control would, for suites whose cell has no control: as the owner, with the key that lies in the
// cell.
import type { CellDatabase } from '../../src/stores/cell/cell-database.js';
import { execute, selectRow } from '../../src/stores/query.js';
import type { Seal } from '../../src/stores/seal.js';

/** A cell without a key gets one. */
export function sealInCell(
  cell: Pick<CellDatabase, 'asOwner'>,
  kind: 'run' | 'maintenance' | 'cutover' | 'reversal' | 'override' | 'repair' | 'retention' | 'undo' | 'undo_run',
  content: Readonly<Record<string, unknown>>,
  validFor = '1 hour',
): Promise<Seal> {
  return cell.asOwner(async (tx) => {
    await execute(
      tx,
      `insert into credit_rollout.seal_key (inner_pad, outer_pad)
       select sha256(random()::text::bytea) || sha256('in'), sha256(random()::text::bytea) || sha256('out')
       on conflict do nothing`,
    );
    const { seal } = await selectRow<{ readonly seal: Seal }>(
      tx,
      `select (d || jsonb_build_object('mac', encode(sha256(k.outer_pad
           || sha256(k.inner_pad || convert_to(d::text, 'UTF8'))), 'hex')))::text as seal
       from credit_rollout.seal_key k cross join (
         select :content::jsonb || jsonb_build_object('kind', :kind::text, 'data_center', c.data_center,
           'expires_at', clock_timestamp() + :valid_for::interval) as d
         from credit_rollout.cell c) s`,
      { content: JSON.stringify(content), kind, valid_for: validFor },
    );
    return seal;
  });
}
