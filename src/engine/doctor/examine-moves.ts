// Doctor's look at a rollout that is mixed: an org that moves into a data center that is still on the legacy model falls to
// its legacy number (row 45 of an org's life). Only ever warns.
import { type DataCenterRow, listDataCenters } from '../../stores/control/data-centers.js';
import type { EngineContext } from '../context.js';
import { createExaminer, type Finding } from './finding.js';

/** Once done, its orgs stay on credits, also while it is rolled out again. */
const isMigrated = ({ stage, doneAt }: DataCenterRow): boolean => doneAt !== null || stage === 'baking';

/** Nothing where all data centers are alike, and where control cannot be read: that has a finding of its own. */
export async function examineMoves({ control }: Pick<EngineContext, 'control'>): Promise<readonly Finding[]> {
  const rows = await control.inTransaction(listDataCenters).catch(() => []);
  const [migrated, legacy] = [rows.filter(isMigrated), rows.filter((row) => !isMigrated(row))];
  if (migrated.length === 0 || legacy.length === 0) return [];
  const list = (some: readonly DataCenterRow[]): string => some.map(({ id }) => id).join(', ');
  const found = `the rollout is mixed: ${list(migrated)} on credits, ${list(legacy)} not yet; an org that moves from the first to the second falls to its legacy number until then`;
  const fix = `Move no org to ${list(legacy)} yet; else give it its total without additional credits as legacy_limit.`;
  return [createExaminer('control', 'The control database').warning('moves', found, fix)];
}
