// The nightly runs of the past, and what they found: for people, for programs and for a spreadsheet. Counts only.
import { CAUSES } from '../../domain/reconcile/cause.js';
import { DRIFT_TOTALS, type DriftTotals } from '../../domain/reconcile/drift-counts.js';
import type { ListedNight, NightList } from '../../engine/reconcile/list-nights.js';
import { formatCsv } from '../../kernel/csv.js';
import { showCount, showInstant } from '../terminal/numbers.js';
import { layOutTable, right } from '../terminal/table.js';

/** The nights, newest first. `older`: the command that lists older ones too. */
export function showNights({ nights, more }: NightList, older: string, width: number): string {
  if (nights.length === 0)
    return 'There was no nightly run yet. The first one is due at the first reconcile.at after a data center is done; calendar shows when.';
  return [
    ...layOutTable(
      [
        { title: 'DATA CENTER' },
        { title: 'NIGHT' },
        { title: 'STATE' },
        right('FOUND'),
        right('TREND', 1),
        right('HEALED'),
        right('PROPOSED'),
        { title: 'CAUSES' },
      ],
      nights.map(toNightRow),
      width,
    ),
    ...(more ? [`… there are older ones. To see more: ${older}`] : []),
  ].join('\n');
}

function toNightRow(night: ListedNight): readonly string[] {
  const { totals, trend } = night;
  return [
    night.dataCenter,
    night.localDate ?? `${showInstant(night.at)}${night.kind === 'sweep' ? ', sweep' : ', requested'}`,
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

/** One line per night, and a column per cause; `gone` is a movement, `cause_gone` why. */
export function nightsCsv({ nights }: NightList): string {
  const head = [
    ...['data_center', 'local_date', 'at', 'kind', 'state', 'run_id', 'requested_by', 'ended_at', 'trend'],
    ...DRIFT_TOTALS.map((name) => name.replaceAll(/([A-Z])/gu, '_$1').toLowerCase()),
    ...CAUSES.map((cause) => `cause_${cause.replaceAll(/[ -]/gu, '_')}`),
    'note',
  ];
  return formatCsv([head, ...nights.map(toCsvRow)]);
}

const toCsvRow = ({ totals, ...night }: ListedNight): Parameters<typeof formatCsv>[0][number] => [
  ...[night.dataCenter, night.localDate, night.at, night.kind, night.state, night.runId, night.requestedBy],
  ...[night.endedAt, night.trend],
  ...DRIFT_TOTALS.map((name) => totals?.[name] ?? null),
  ...CAUSES.map((cause) => (totals === null ? null : (totals.causes[cause] ?? 0))),
  night.note,
];
