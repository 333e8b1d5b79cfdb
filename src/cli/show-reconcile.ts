// `reconcile` for people and for programs: what a reconciliation would do, and the nights that were. Org ids go only to the
// screen of who asked for a dry run.
import { CAUSES } from '../domain/drift/cause.js';
import { type DriftTotals, totalDrift } from '../domain/drift/drift-counts.js';
import type { DriftMovement, DriftOutcome } from '../domain/drift/movement.js';
import type { ListedNight, NightList } from '../engine/list-nights.js';
import type { DriftPreview, PreviewedOrg } from '../engine/preview-drift.js';
import { showCount, showInstant, showOrgs } from './show-number.js';
import { layOutTable } from './show-table.js';

const right = (title: string) => ({ title, align: 'right' }) as const;

const MOVEMENTS: Readonly<Record<DriftMovement, string>> = {
  first: 'first decision',
  raise: 'raise',
  fall: 'fall',
  inputs: 'inputs only',
  same: 'nothing to write',
  gone: 'retired',
};
const OUTCOMES: Readonly<Record<DriftOutcome, string>> = {
  to_heal: 'to be healed',
  healed: 'healed',
  proposed: 'proposed',
  unchanged: 'no longer needed',
};

/** The dry run; `next`: the command that does it. */
export function showPreview(preview: DriftPreview, next: string): string {
  const { dataCenter, counts, orgs, undecidable, reasons, listed } = preview;
  const { found } = totalDrift(counts);
  const read = `${showOrgs(orgs)} read at ${showInstant(preview.snapshotAt)}`;
  const aside = undecidable === 0 ? [] : [`! ${showOrgs(undecidable)} cannot be decided and keep what they have today`];
  const waiting = showWaiting(preview);
  if (found === 0)
    return [`✔ ${dataCenter}: every allotment is what its inputs give; ${read}`, ...aside, ...waiting].join('\n');
  const heal = counts.filter(({ outcome }) => outcome === 'to_heal').reduce((sum, count) => sum + count.orgs, 0);
  return [
    `≠ ${dataCenter}: ${showOrgs(found)} differ, ${showCount(heal)} of them would be healed; ${read}`,
    ...aside,
    ...reasons.map((reason) => `! ${reason}: all of these are proposed, none is written`),
    '',
    ...layOutCounts(preview).map((line) => `  ${line}`),
    '',
    ...layOutTable(ORG_COLUMNS, listed.map(toOrgRow)).map((line) => `  ${line}`),
    ...(listed.length < found ? [`  … ${showCount(found - listed.length)} more: --limit`] : []),
    ...waiting,
    '',
    `Nothing was changed. To do it: ${next}`,
  ].join('\n');
}

const layOutCounts = ({ counts }: DriftPreview): readonly string[] =>
  layOutTable(
    [{ title: 'CAUSE' }, { title: 'MOVEMENT' }, right('ORGS'), { title: 'WHAT BECOMES OF IT' }],
    [...counts]
      .sort((a, b) => CAUSES.indexOf(a.cause) - CAUSES.indexOf(b.cause) || b.orgs - a.orgs)
      .map(({ cause, movement, orgs, outcome }) => [cause, MOVEMENTS[movement], showCount(orgs), OUTCOMES[outcome]]),
  );

const ORG_COLUMNS = [
  { title: 'ORG' },
  { title: 'CAUSE' },
  { title: 'MOVEMENT' },
  right('BEFORE'),
  right('AFTER'),
  right('FLOOR PROPOSED'),
  { title: '' },
];

/** What earlier nights left to people. */
function showWaiting({ dataCenter, waiting }: DriftPreview): readonly string[] {
  if (waiting.length === 0) return [];
  const table = layOutTable(
    [{ title: 'ORG' }, { title: 'CAUSE' }, right('FLOOR'), right('PROPOSED'), { title: 'SINCE' }],
    waiting.map(({ orgId, cause, floor, proposedFloor, since }) => [
      orgId,
      cause,
      showNumber(floor),
      showNumber(proposedFloor),
      showInstant(since),
    ]),
  );
  const first = waiting[0];
  return [
    '',
    `Floors that nights proposed, for two people to decide: credit-rollout override ${first?.orgId} --dc ${dataCenter} --floor ${first?.proposedFloor} --reason TEXT`,
    ...table.map((line) => `  ${line}`),
  ];
}

const showNumber = (credits: bigint | null): string => (credits === null ? '–' : showCount(credits));

const toOrgRow = (org: PreviewedOrg): readonly string[] => [
  org.orgId,
  org.cause,
  MOVEMENTS[org.movement],
  showNumber(org.beforeTotal),
  showNumber(org.afterTotal),
  showNumber(org.proposedFloor),
  OUTCOMES[org.outcome],
];

export function previewDocument(preview: DriftPreview, next: string): Readonly<Record<string, unknown>> {
  const { listed, counts, ...rest } = preview;
  const { found } = totalDrift(counts);
  const orgs = listed.map(({ orgId, cause, movement, outcome, beforeTotal, afterTotal, proposedFloor }) => ({
    orgId,
    cause,
    movement,
    outcome,
    beforeTotal,
    afterTotal,
    proposedFloor,
  }));
  return { executed: false, ...rest, found, counts, listed: orgs, more: listed.length < found, next };
}

/** The nights, newest first. */
export function showNights({ nights, more }: NightList): string {
  if (nights.length === 0) return 'No night yet: they begin on the day after a data center is done.';
  return [
    ...layOutTable(
      [
        { title: 'DATA CENTER' },
        { title: 'NIGHT' },
        { title: 'STATE' },
        right('FOUND'),
        right('TREND'),
        right('HEALED'),
        right('PROPOSED'),
        { title: 'CAUSES' },
      ],
      nights.map(toNightRow),
    ),
    ...(more ? ['… older ones: --limit'] : []),
  ].join('\n');
}

function toNightRow(night: ListedNight): readonly string[] {
  const { totals, trend } = night;
  return [
    night.dataCenter,
    night.localDate ?? `${showInstant(night.at)}${night.kind === 'sweep' ? ', sweep' : ', asked for'}`,
    night.state.replace('_', ' '),
    totals === null ? '–' : showCount(totals.found),
    trend === null ? '–' : `${trend > 0 ? '+' : ''}${showCount(trend)}`,
    totals === null ? '–' : showCount(totals.healed),
    totals === null ? '–' : showCount(totals.proposed),
    totals === null ? (night.note ?? '') : showCauses(totals),
  ];
}

const showCauses = ({ causes }: DriftTotals): string =>
  Object.entries(causes)
    .map(([cause, orgs]) => `${cause} ${showCount(orgs)}`)
    .join(', ');

export function nightsDocument({ nights, more }: NightList): Readonly<Record<string, unknown>> {
  return { nights, more };
}

const TOTALS = [
  'found',
  'healed',
  'proposed',
  'unchanged',
  'first',
  'raises',
  'falls',
  'gone',
  'floorsProposed',
] as const;

/** One line per night, and a column per cause. */
export function nightsCsv({ nights }: NightList): string {
  const head = [
    ...['data_center', 'local_date', 'at', 'kind', 'state', 'run_id', 'requested_by', 'ended_at', 'trend'],
    ...TOTALS.map((name) => name.replaceAll(/([A-Z])/gu, '_$1').toLowerCase()),
    ...CAUSES.map((cause) => cause.replaceAll(/[ -]/gu, '_')),
    'note',
  ];
  return [head, ...nights.map(toCsvRow)].map((row) => `${row.map(quoteCell).join(',')}\n`).join('');
}

const toCsvRow = (night: ListedNight): readonly string[] => {
  const { totals } = night;
  const cell = (value: string | number | bigint | Date | null): string =>
    value === null ? '' : value instanceof Date ? value.toISOString() : String(value);
  return [
    ...[night.dataCenter, night.localDate, night.at, night.kind, night.state, night.runId, night.requestedBy].map(cell),
    ...[night.endedAt, night.trend].map(cell),
    ...TOTALS.map((name) => cell(totals === null ? null : totals[name])),
    ...CAUSES.map((cause) => cell(totals === null ? null : (totals.causes[cause] ?? 0))),
    cell(night.note),
  ];
};

/** A text of people: quoted where needed, and never a formula in a spreadsheet. */
function quoteCell(text: string): string {
  const safe = /^[=+@\t\r]|^-\D/u.test(text) ? `'${text}` : text;
  return /[",\r\n]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
