// What one org has and uses, for people: its terms, today, and the days with calls of the last 30.

import { type ApiDetails, shareOfToday, usedOf } from '../../domain/usage/api-details.js';
import { showName } from '../../kernel/printable.js';
import { showCount, showInstant } from '../terminal/numbers.js';
import { indent, layOutTable, right } from '../terminal/table.js';

export function showDetails(details: ApiDetails, width: number): string {
  const { orgId, dataCenter, days, kinds, exception } = details;
  return [
    `org ${showName(orgId)} in ${dataCenter}: ${describeTotal(details)}`,
    ...indent(describeToday(details)),
    ...(kinds.length === 0
      ? []
      : [
          '',
          ...indent(
            layOutTable(
              [{ title: 'CALL' }, right('CALLS TODAY'), right('CREDITS')],
              kinds.map(({ kind, calls, credits }) => [kind, showCount(calls), showCount(credits)]),
              width - 2,
            ),
          ),
        ]),
    ...(days.length === 0
      ? []
      : [
          '',
          ...indent(
            layOutTable(
              [
                { title: 'DAY' },
                { title: 'UNIT' },
                right('USED'),
                right('CALLS', 2),
                right('REFUSED'),
                right('AT ONCE', 1),
              ],
              days.map((day) => [
                day.day,
                day.model === 'credits' ? 'credits' : 'calls',
                showCount(usedOf(day)),
                showCount(day.calls),
                showCount(day.refusedByCredits + day.refusedByConcurrency),
                showCount(day.peakInFlight),
              ]),
              width - 2,
            ),
          ),
        ]),
    ...(exception === null ? [] : ['', `  Its newest exception is ${exception.state}.`]),
  ].join('\n');
}

function describeTotal({ total, model, edition, paid }: ApiDetails): string {
  const plan = `${edition === null ? 'no edition' : showName(edition)}${paid === false ? ', unpaid' : ''}`;
  if (total === null) return `its number cannot be decided (${plan})`;
  return `${showCount(total)} ${model === 'credits' ? 'credits' : 'calls'} a day (${plan})`;
}

function describeToday(details: ApiDetails): readonly string[] {
  const { zone, resetsAt, base, variable, grandfathered, additional, concurrencyLimit, days, today } = details;
  const { unit, used, percent } = shareOfToday(details);
  const now = days.find((day) => day.day === today);
  return [
    ...(base === null
      ? []
      : [
          `base ${showCount(base)} + variable ${showCount(variable ?? 0n)} + grandfathered ${showCount(grandfathered ?? 0n)} + additional ${showCount(additional ?? 0n)}`,
        ]),
    ...(concurrencyLimit === null ? [] : [`at most ${concurrencyLimit} calls at once`]),
    `used today ${showCount(used)} ${unit === 'credits' ? 'credits' : 'calls'}${percent === null ? '' : `, ${percent} %`}`,
    ...(now === undefined || now.refusedByCredits + now.refusedByConcurrency === 0n
      ? []
      : [
          `refused today ${showCount(now.refusedByCredits)} for the day's limit, ${showCount(now.refusedByConcurrency)} for calls at once`,
        ]),
    `resets at ${showInstant(resetsAt, zone)}`,
  ];
}
