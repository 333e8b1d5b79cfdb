// Zones: full names in their own spelling only.
import { describe, expect, test } from 'vitest';
import { parseZone } from '../../../src/domain/config/parse-zone.js';
import { failureOf } from './failure-of.js';

describe('parseZone', () => {
  test.each([
    'UTC',
    'Asia/Kolkata',
    'Asia/Calcutta',
    'Australia/Lord_Howe',
    'America/Argentina/Buenos_Aires',
    'America/Port_of_Spain',
    'Antarctica/DumontDUrville',
    'Europe/Kyiv',
    'Pacific/Apia',
    'US/Eastern',
    'Australia/NSW',
    'Etc/GMT+5',
  ])('accepts %s', (zone) => {
    expect(parseZone(zone, 'zone')).toBe(zone);
  });

  test.each([
    ['asia/kolkata', 'Asia/Kolkata'],
    ['AMERICA/NEW_YORK', 'America/New_York'],
    ['Asia/Kolkatta', 'Asia/Kolkata'],
    ['Europe/Berln', 'Europe/Berlin'],
    ['America/New York', 'America/New_York'],
    ['utc', 'UTC'],
  ])('rejects %s and suggests %s', (zone, suggestion) => {
    const failure = failureOf(() => parseZone(zone, 'zone'));
    expect(failure).toMatchObject({ code: 'invalid_zone', next: `Write ${suggestion}.` });
    expect(failure.message).toContain(`"${zone}"`);
  });

  test.each([
    'IST',
    'EST',
    'GMT',
    'Z',
    '',
    'utc+25',
    '+05:30',
    'Mars/Olympus',
    'ETC/GMT+5',
    'system',
    '/',
    null,
    5,
    true,
  ])('rejects %j and names it', (zone) => {
    const failure = failureOf(() => parseZone(zone, 'zone'));
    expect(failure.code).toBe('invalid_zone');
    expect(failure.message).toContain(`zone is ${JSON.stringify(zone)}`);
  });
});
