// Windows: who may run when, checked against a minute-by-minute reading of the local clock.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decideWindows, isWindowOpen, WEEKDAYS, type WindowSpec } from '../../../src/domain/windows/windows.js';

const MINUTE_MS = 60_000;
const night: WindowSpec = { from: '22:00', to: '05:00' };

describe('isWindowOpen', () => {
  test.each([
    ['before it opens', '2025-10-06T16:29:59Z', false, '2025-10-06T16:30:00.000Z'],
    ['when it opens', '2025-10-06T16:30:00Z', true, '2025-10-06T23:30:00.000Z'],
    ['after midnight', '2025-10-06T20:00:00Z', true, '2025-10-06T23:30:00.000Z'],
    ['when it closes', '2025-10-06T23:30:00Z', false, '2025-10-07T16:30:00.000Z'],
  ])('knows a window over midnight %s', (_when, at, open, changesAt) => {
    const answer = isWindowOpen([night], 'Asia/Kolkata', new Date(at));
    expect(answer.open).toBe(open);
    expect(answer.changesAt?.toISOString()).toBe(changesAt);
  });

  test('allows everything without windows, for ever', () => {
    const answer = isWindowOpen([], 'UTC', new Date('2025-10-06T12:00:00Z'));
    expect(answer).toMatchObject({ open: true, changesAt: null });
  });

  test('lets a deny window win, and allows the rest when only deny windows are given', () => {
    const holiday: WindowSpec = { from: '00:00', to: '00:00', dates: ['2025-12-25'], deny: true };
    const during = isWindowOpen([night, holiday], 'UTC', new Date('2025-12-25T23:00:00Z'));
    expect(during.open).toBe(false);
    expect(during.reason).toBe('inside the deny window 00:00–00:00 on 2025-12-25, UTC');
    expect(during.changesAt?.toISOString()).toBe('2025-12-26T00:00:00.000Z');
    const before = isWindowOpen([holiday], 'UTC', new Date('2025-12-01T00:00:00Z'));
    expect(before.open).toBe(true);
    expect(before.changesAt?.toISOString()).toBe('2025-12-25T00:00:00.000Z');
  });

  test('counts weekdays by the date on which a window opens', () => {
    const friday: WindowSpec = { ...night, days: ['fri'] };
    expect(isWindowOpen([friday], 'UTC', new Date('2025-10-11T04:59:00Z')).open).toBe(true);
    expect(isWindowOpen([friday], 'UTC', new Date('2025-10-10T04:59:00Z')).open).toBe(false);
    expect(isWindowOpen([friday], 'UTC', new Date('2025-10-11T22:00:00Z')).open).toBe(false);
  });

  test('goes on through windows that touch', () => {
    const touching: readonly WindowSpec[] = [night, { from: '05:00', to: '08:00' }];
    const answer = isWindowOpen(touching, 'UTC', new Date('2025-10-06T23:00:00Z'));
    expect(answer.changesAt?.toISOString()).toBe('2025-10-07T08:00:00.000Z');
  });

  test('never changes when the windows cover every minute', () => {
    const whole: WindowSpec = { from: '03:00', to: '03:00' };
    const answer = isWindowOpen([whole], 'America/New_York', new Date('2025-10-06T12:00:00Z'));
    expect(answer).toMatchObject({ open: true, changesAt: null });
  });

  test('knows that dates in the past and windows under a ban never open', () => {
    const past: WindowSpec = { ...night, dates: ['2024-01-01'] };
    const banned: readonly WindowSpec[] = [night, { from: '12:00', to: '12:00', deny: true }];
    for (const windows of [[past], banned]) {
      const answer = isWindowOpen(windows, 'Europe/Berlin', new Date('2025-10-06T23:00:00Z'));
      expect(answer).toMatchObject({ open: false, changesAt: null });
    }
  });

  test('opens after a gap, and once in an overlap', () => {
    const early: WindowSpec = { from: '02:15', to: '03:15' };
    const spring = isWindowOpen([early], 'Europe/Berlin', new Date('2025-03-30T00:59:59Z'));
    expect(spring.changesAt?.toISOString()).toBe('2025-03-30T01:00:00.000Z');
    const autumn = isWindowOpen([early], 'Europe/Berlin', new Date('2025-10-26T00:15:00Z'));
    expect(autumn).toMatchObject({ open: true, changesAt: new Date('2025-10-26T02:15:00Z') });
  });

  test('closes at the skipped day of Apia and does not open on it', () => {
    const eve = isWindowOpen([night], 'Pacific/Apia', new Date('2011-12-30T09:00:00Z'));
    expect(eve).toMatchObject({ open: true, changesAt: new Date('2011-12-30T10:00:00Z') });
    const after = isWindowOpen([night], 'Pacific/Apia', new Date('2011-12-30T10:00:00Z'));
    expect(after).toMatchObject({ open: false, changesAt: new Date('2011-12-31T08:00:00Z') });
  });

  test('answers by the local clock on days without a change of offset', () => {
    fc.assert(
      fc.property(windowsOf(['2025-06-10', '2025-06-12']), fc.integer({ min: 0, max: 3 * 1440 }), (windows, minute) => {
        const at = new Date(Date.UTC(2025, 5, 10) + minute * MINUTE_MS);
        expect(isWindowOpen(windows, 'Asia/Kolkata', at).open).toBe(openByTheClock(windows, at, 330));
      }),
    );
  });

  test('changes first at changesAt, also on days when the clocks change', () => {
    const place = fc.constantFrom(
      ['Australia/Lord_Howe', '2025-10-04T00:00:00Z'],
      ['Australia/Lord_Howe', '2025-04-05T00:00:00Z'],
      ['America/Santiago', '2025-09-06T00:00:00Z'],
      ['Africa/Cairo', '2025-04-24T00:00:00Z'],
      ['Asia/Beirut', '2025-10-25T00:00:00Z'],
      ['America/New_York', '2025-11-01T12:00:00Z'],
      ['Europe/Berlin', '2025-03-29T12:00:00Z'],
      ['Asia/Kolkata', '2025-10-06T00:00:00Z'],
      ['Pacific/Apia', '2011-12-29T00:00:00Z'],
    );
    const dates = ['2025-10-05', '2025-04-06', '2025-09-07', '2025-11-02', '2011-12-30', '2011-12-31'];
    fc.assert(
      fc.property(windowsOf(dates), place, fc.nat(1440), (windows, [zone = '', start = ''], minute) => {
        const from = Date.parse(start) + minute * MINUTE_MS;
        const until = from + 1800 * MINUTE_MS;
        const { open, changesAt } = isWindowOpen(windows, zone, new Date(from));
        const promised = changesAt === null || changesAt.getTime() >= until ? null : changesAt.getTime();
        expect(firstChange(windows, zone, from, until, open)).toBe(promised);
      }),
      { numRuns: 10 },
    );
  });
});

function firstChange(
  windows: readonly WindowSpec[],
  zone: string,
  from: number,
  until: number,
  open: boolean,
): number | null {
  for (let at = from + MINUTE_MS; at < until; at += MINUTE_MS) {
    if (decideWindows(windows, zone, new Date(at)).open !== open) return at;
  }
  return null;
}

function windowsOf(dates: readonly string[]): fc.Arbitrary<readonly WindowSpec[]> {
  const time = fc
    .tuple(fc.nat(23), fc.constantFrom(0, 15, 30, 59))
    .map(([hour, minute]) => `${String(hour).padStart(2, '0')}:${String(minute).padStart(2, '0')}`);
  const window = fc.record(
    {
      from: time,
      to: time,
      days: fc.subarray([...WEEKDAYS], { minLength: 1 }),
      dates: fc.subarray([...dates], { minLength: 1 }),
      deny: fc.constant(true as const),
    },
    { requiredKeys: ['from', 'to'] },
  );
  return fc.array(window, { minLength: 1, maxLength: 4 });
}

/** An independent reading: minutes of the day at a fixed offset. */
function openByTheClock(windows: readonly WindowSpec[], at: Date, offsetMinutes: number): boolean {
  const local = new Date(at.getTime() + offsetMinutes * MINUTE_MS);
  const yesterday = new Date(local.getTime() - 1440 * MINUTE_MS);
  const active = windows.filter((window) => {
    const now = local.toISOString().slice(11, 16);
    const overnight = window.to <= window.from;
    const today = opensOn(window, local) && window.from <= now && (overnight || now < window.to);
    return today || (overnight && opensOn(window, yesterday) && now < window.to);
  });
  if (active.some((window) => window.deny)) return false;
  return active.length > 0 || windows.every((window) => window.deny);
}

function opensOn(window: WindowSpec, day: Date): boolean {
  if (!window.days && !window.dates) return true;
  const names = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
  return (
    window.days?.some((name) => name === names[day.getUTCDay()]) === true ||
    window.dates?.includes(day.toISOString().slice(0, 10)) === true
  );
}
