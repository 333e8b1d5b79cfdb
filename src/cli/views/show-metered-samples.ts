// What the sample calls used, by data center, and how to see the page of the org that ran into its limit.

import { relative } from 'node:path';
import type { UsageReport } from '../../engine/usage/read-usage.js';
import { showName } from '../../kernel/printable.js';
import { showCount } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { indent, layOutTable, right } from '../terminal/table.js';

export interface MeteredSamples {
  readonly usage: readonly UsageReport[];
  /** Of the first org that has nothing left or was refused; null: there is none. */
  readonly page: { readonly orgId: string; readonly dataCenter: string; readonly path: string } | null;
}

/** No lines where nothing was measured. */
export function showMeteredSamples(
  { usage, page }: MeteredSamples,
  { paint, width }: { readonly paint: Paint; readonly width: number },
): readonly string[] {
  if (usage.length === 0) return [];
  const table = layOutTable(COLUMNS, usage.map(toRow), width - 2);
  return [
    '',
    ...indent(table).map((line, index) => (index === 0 ? paint(line, 'bold') : line)),
    '  ACTIVE: orgs with calls today. 80 %: orgs that used that much of their day. REFUSED: orgs, for it.',
    ...(page === null ? [] : ['', ...describePage(page)]),
  ];
}

const COLUMNS = [{ title: 'USAGE' }, right('ACTIVE', 1), right('CREDITS USED TODAY'), right('80 %'), right('REFUSED')];

function toRow({ dataCenter, editions }: UsageReport): readonly string[] {
  const sum = (key: 'active' | 'near' | 'refusedToday'): number =>
    editions.reduce((total, edition) => total + edition[key], 0);
  const used = editions.reduce((total, { usedToday }) => total + BigInt(usedToday), 0n);
  return [dataCenter, ...[sum('active'), used, sum('near'), sum('refusedToday')].map(showCount)];
}

const OPEN: Readonly<Partial<Record<NodeJS.Platform, string>>> = { darwin: 'open', win32: 'start' };

function describePage({ orgId, dataCenter, path }: NonNullable<MeteredSamples['page']>): readonly string[] {
  const near = relative(process.cwd(), path);
  return [
    `Org ${showName(orgId)} in ${dataCenter} used up its day. Its API details page:`,
    `  ${OPEN[process.platform] ?? 'xdg-open'} ${near.startsWith('..') ? path : near}`,
  ];
}
