// Which orgs of a data center make the sample calls.
import { listSpreadOrgs } from '../../stores/cell/usage/sample-orgs.js';
import type { CellDirectory } from '../context.js';

export function chooseSampleOrgs(
  { cells }: { readonly cells: CellDirectory },
  { dataCenter, limit }: { readonly dataCenter: string; readonly limit: number },
): ReturnType<typeof listSpreadOrgs> {
  return cells.get(dataCenter).inTransaction('reader', (tx) => listSpreadOrgs(tx, limit), { statementMs: 30_000 });
}
