// `calendar` for people and for programs: one page per data center, its one-off instants first, then its events in
// order.
import type { CalendarEvent, EventKind } from '../../domain/calendar/calendar-event.js';
import type { CalendarPage } from '../../domain/calendar/lay-out-calendar.js';
import type { Calendar } from '../../engine/operate/read-calendar.js';
import { formatAdvice } from '../../kernel/advice.js';
import type { CommandNames } from '../terminal/command-names.js';
import { showInstant } from '../terminal/numbers.js';
import type { Paint } from '../terminal/paint.js';
import { layOutTable } from '../terminal/table.js';

interface CalendarView {
  readonly commands: Pick<CommandNames, 'showAdvice'>;
  readonly paint: Paint;
}

const WORDS: Readonly<Record<EventKind, string>> = {
  not_before: 'start date',
  start: 'starts',
  bake_ends: 'bake ends',
  cutover: 'cut-over',
  alarm_48h: 'alarm 48 h before',
  alarm_2h: 'alarm 2 h before',
  night: 'night',
  window_opens: 'window opens',
  window_closes: 'window closes',
  clock_change: 'clocks change',
};

const STATES: Readonly<Record<CalendarEvent['state'], string>> = {
  past: '',
  to_come: '',
  due_now: 'due now',
  due: 'due now',
  running: 'runs',
  ran: 'ran',
  caught_up: 'caught up',
  missed: 'missed',
};

const COLUMNS = [{ title: 'LOCAL' }, { title: 'UTC' }, { title: 'WHAT' }, { title: '' }];

export function showCalendar({ at, pinned, pages }: Calendar, view: CalendarView): string {
  const source = pinned ? 'instants as the first apply pinned them' : 'not pinned before the first apply';
  return [...pages.flatMap((page) => [...showPage(page, view), '']), `As of ${showInstant(at)} · ${source}`].join('\n');
}

function showPage(page: CalendarPage, { paint, commands }: CalendarView): readonly string[] {
  const { id, zone, stage, after, blockedBy, period } = page;
  const outside = page.oneOffs.filter(({ at }) => at < period.from || at >= period.to);
  const table = (events: readonly CalendarEvent[]): readonly string[] =>
    layOutTable(
      COLUMNS,
      events.map((event) => toRow(event, commands)),
    ).map((line) => `    ${line}`);
  return [
    paint(`${id}  ${zone}  ${stage}`, 'bold'),
    ...(after.length === 0 ? [] : [`    waits for: ${after.join(', ')}`]),
    ...blockedBy.map((reason) => `    held: ${reason}`),
    ...(outside.length === 0 ? [] : ['    Before or after:', ...table(outside).slice(1)]),
    ...(page.events.length === 0 ? ['    Nothing happens in this period.'] : table(page.events)),
  ];
}

const toRow = (event: CalendarEvent, commands: CalendarView['commands']): readonly string[] => [
  `${event.local.slice(0, secondsMatter(event.at) ? 19 : 16).replace('T', ' ')} ${event.offset}`,
  `${event.at
    .toISOString()
    .slice(0, secondsMatter(event.at) ? 19 : 16)
    .replace('T', ' ')}Z`,
  `${WORDS[event.kind]}${event.earliest ? ', at the earliest' : ''}`,
  [STATES[event.state], commands.showAdvice(event.note ?? '')].filter((part) => part !== '').join(': '),
];

const secondsMatter = (at: Date): boolean => at.getTime() % 60_000 !== 0;

export function calendarDocument({ at, pinned, pages }: Calendar): Readonly<Record<string, unknown>> {
  return {
    at,
    pinned,
    dataCenters: pages.map(({ period, ...page }) => ({
      ...page,
      oneOffs: page.oneOffs.map(toDocument),
      events: page.events.map(toDocument),
      from: period.from,
      to: period.to,
    })),
  };
}

const toDocument = ({ note, ...event }: CalendarEvent): Readonly<Record<string, unknown>> => ({
  ...event,
  note: note && formatAdvice(note),
});
