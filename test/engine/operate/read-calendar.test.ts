// The calendar over a real control database and cells: what is pinned, recorded and asked for, and that reading moves
// nothing.

import { afterEach, describe, expect, test } from 'vitest';
import { calendarDocument, showCalendar } from '../../../src/cli/views/show-calendar.js';
import { type Calendar, type CalendarRequest, readCalendar } from '../../../src/engine/operate/read-calendar.js';
import { formatAdvice } from '../../../src/kernel/advice.js';
import { createFleet, type Fleet, type FleetOptions } from '../../support/fleet.js';

const dropped: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const drop of dropped.splice(0).reverse()) await drop();
});

async function makeFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = await createFleet({ orgs: 20, ...options });
  dropped.push(fleet.drop);
  return fleet;
}

const read = ({ engine, config }: Fleet, change: Partial<CalendarRequest> = {}): Promise<Calendar> =>
  readCalendar(engine, { config, dataCenters: config.dataCenters, ...change });
const show = (calendar: Calendar): string =>
  showCalendar(calendar, {
    commands: { showAdvice: formatAdvice },
    paint: (text) => text,
    width: () => 1_000,
  });
const STATE = `select md5(string_agg(d::text, '|' order by id)) as state from credit_rollout_control.data_centers d`;

describe('readCalendar', () => {
  test('shows the configuration before the first apply, the pinned instants after it, and moves nothing', async () => {
    const sections = 'signups: { cutover: 2025-10-30 }';
    const fleet = await makeFleet({ rollout: '{ notBefore: 2025-10-06 }', sections });
    const [before] = await fleet.control(STATE);
    const first = await read(fleet);
    expect(first.pinned).toBe(false);
    expect(await fleet.control(STATE)).toEqual([before]);
    expect(first.pages[0]?.oneOffs).toMatchObject([
      { kind: 'not_before', state: 'due_now', note: 'it has passed' },
      { kind: 'cutover', state: 'due_now' },
      { kind: 'start', state: 'due_now', note: expect.arrayContaining(['once it is requested: ']) },
    ]);
    await fleet.apply(fleet.cell(0));
    const second = await read(fleet);
    expect(second.pinned).toBe(true);
    expect(second.pages[0]?.oneOffs.map(({ at }) => at)[0]).toEqual(first.pages[0]?.oneOffs.map(({ at }) => at)[0]);
    expect(show(second)).toContain('due now: it has passed');
  });

  test('shows the nights that there were, and those to come', async () => {
    const fleet = await makeFleet({});
    await fleet.apply(fleet.cell(0));
    expect(await fleet.drive()).toEqual(['done']);
    const { id, zone } = fleet.cell(0).dataCenter;
    await fleet.control(
      `insert into credit_rollout_control.due_work (data_center, kind, local_date, due_at, due_local, state, ended_at, note)
       select '${id}', 'reconcile', date '2025-10-06', timestamptz '2025-10-05T22:15:00Z', '', 'missed', now(), 'no scheduler'`,
    );
    const past = await read(fleet, { from: '2025-10-01', to: '2025-10-10' });
    expect(past.pages[0]?.events.filter(({ kind }) => kind === 'night')).toMatchObject([
      { state: 'missed', note: 'no scheduler' },
    ]);
    const coming = await read(fleet);
    const nights = coming.pages[0]?.events.filter(({ kind, state }) => kind === 'night' && state === 'to_come') ?? [];
    expect(nights.length).toBeGreaterThanOrEqual(13);
    expect(nights.every(({ earliest }) => !earliest)).toBe(true);
    expect(show(coming)).toContain(`${id}  ${zone}  done`);
    expect(calendarDocument(coming)).toMatchObject({
      dataCenters: [{ dataCenter: id, from: coming.pages[0]?.period.from }],
    });
  });

  test('tells what one data center waits for, and shows only the ones that were named', async () => {
    const fleet = await makeFleet({ cells: [{ orgs: [] }, { orgs: [] }] });
    await fleet.apply(...fleet.cells);
    const dataCenters = fleet.config.dataCenters.slice(1);
    const { pages } = await read(fleet, { dataCenters });
    expect(pages).toMatchObject([
      {
        id: dataCenters[0]?.id,
        after: [fleet.config.dataCenters[0]?.id],
        blockedBy: expect.arrayContaining([expect.stringContaining('an earlier data center is not done')]),
      },
    ]);
  });
});

describe('apply', () => {
  test('rejects windows that do not open again, and writes nothing', async () => {
    const fleet = await makeFleet({ rollout: '{ windows: [{ from: "22:00", to: "05:00", dates: [2024-02-29] }] }' });
    await expect(fleet.apply(fleet.cell(0))).rejects.toMatchObject({
      code: 'windows_never_open',
      message: expect.stringContaining('their dates are over'),
    });
    expect(await fleet.control('select pinned_at from credit_rollout_control.rollout')).toEqual([{ pinned_at: null }]);
  });
});
