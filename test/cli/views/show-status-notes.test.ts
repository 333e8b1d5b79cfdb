// The lines of `status` below a data center: what waits there, since when and why, and what is left.
import { describe, expect, test } from 'vitest';
import { plainPaint } from '../../../src/cli/terminal/paint.js';
import { showStatus } from '../../../src/cli/views/show-status.js';
import { sampleCommands, sampleDataCenter, sampleStatus } from './sample-status.js';

const commands = sampleCommands;

describe('showStatus', () => {
  test('says how much of the time that is left is planned waiting', () => {
    const hour = 3_600_000;
    const remaining = {
      lowMs: 3 * hour,
      highMs: 5 * hour,
      waits: [
        { for: 'window', lowMs: 0, highMs: 2 * hour },
        { for: 'bake', lowMs: hour, highMs: hour },
      ],
    } as const;
    const text = showStatus(sampleStatus(sampleDataCenter({ remaining })), {
      commands,
      paint: plainPaint,
      width: 1_000,
    });
    expect(text).toContain('left: about 3–5 h, of which 0 s to 2 h outside the windows, 1 h bake');
  });

  test('says how many sign-ups wait for a worker, since when and why', () => {
    const waiting = {
      count: 3,
      since: new Date('2026-11-22T14:00:00Z'),
      oldestMs: 9,
      readMs: 10_000,
      failure: '57014',
    };
    const show = (why: 'too_slow' | 'being_written'): string =>
      showStatus(sampleStatus(sampleDataCenter({ waitingSignUps: { ...waiting, why } })), {
        commands,
        paint: plainPaint,
        width: 1_000,
      });
    expect(show('too_slow')).toContain(
      'sign-ups: 3 wait for their credits since 2026-11-22 14:00:00 UTC (15:00 Europe/Berlin): the source cannot be ' +
        'read for them in 10 s; the nightly run writes them (57014); credit-rollout doctor --dc eu',
    );
    expect(show('being_written')).toMatch(/: workers are writing them$/mu);
  });
});
