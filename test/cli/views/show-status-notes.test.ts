// The lines of `status` below a data center: what waits there, since when and why, and what is left.
import { describe, expect, test } from 'vitest';
import { plainPaint } from '../../../src/cli/terminal/paint.js';
import { showStatus } from '../../../src/cli/views/show-status.js';
import type { ExplainedSignUps } from '../../../src/engine/operate/read-run-of-cell.js';
import { sampleCommands, sampleDataCenter, sampleProgress, sampleStatus } from './sample-status.js';

const commands = sampleCommands;
const AT = new Date('2026-11-22T14:00:00Z');

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

  const waiting = {
    count: 3,
    since: new Date('2026-11-22T14:00:00Z'),
    oldestMs: 11_000,
    untriedMs: 0,
    readMs: 10_000,
    failure: '57014',
    givenUp: null,
  };
  const showSignUps = (signUps: Partial<ExplainedSignUps> & Pick<ExplainedSignUps, 'why'>): string =>
    showStatus(sampleStatus(sampleDataCenter({ waitingSignUps: { ...waiting, ...signUps } })), {
      commands,
      paint: plainPaint,
      width: 1_000,
    });

  test('says how many orgs have ids that are too long, where there are any', () => {
    const show = (leftOut: number): string =>
      showStatus(sampleStatus(sampleDataCenter({ leftOut })), { commands, paint: plainPaint, width: 1_000 });
    expect(show(0)).not.toContain('left out');
    expect(show(1)).toContain('      left out: 1 org, for ids of over 2,000 bytes; they keep what they have');
  });

  test.each([
    [{ stale: 0, followUpSkippedAt: AT }, 'done', undefined],
    [{ stale: 5 }, 'verifying', undefined],
    [
      { stale: 5, followUpSkippedAt: AT },
      'verifying',
      'was replaced after the plan was made (found 2026-11-22 14:00:00',
    ],
    [{ stale: 5, followedUp: true }, 'done', 'outside the guard-rails, or they changed once more; to write them: '],
    [
      { stale: 1 },
      'aborted',
      '1 org changed after the plan and was not written: there are more of them than the guard-r',
    ],
  ] as const)('says why orgs that changed after the plan are left out: %j at stage %s', (counts, stage, said) => {
    const dc = sampleDataCenter({ stage, progress: sampleProgress(counts) });
    const text = showStatus(sampleStatus(dc), { commands, paint: plainPaint, width: 1_000 });
    if (said === undefined) expect(text).not.toContain('stale: ');
    else expect(text).toContain(said);
    expect(text.includes('credit-rollout plan --dc eu, and apply it')).toBe(said !== undefined);
    expect(text.includes('a nightly run writes of them')).toBe(said !== undefined && stage === 'done');
  });

  test('says how many sign-ups wait for a worker, since when and why', () => {
    expect(showSignUps({ why: 'too_slow' })).toContain(
      'sign-ups: 3 wait to be written since 2026-11-22 14:00:00 UTC (15:00 Europe/Berlin): the source cannot be ' +
        'read for them in 10 s; the nightly run writes them (57014); credit-rollout doctor --dc eu',
    );
    expect(showSignUps({ why: 'being_written' })).toMatch(/: workers are writing them$/mu);
    // a worker comes by every second
    expect(showSignUps({ why: 'being_written', oldestMs: 900 })).not.toContain('sign-ups');
  });

  test.each([
    ['undecidable', 'cannot be decided; tried again every 10 minutes', 'credit-rollout quarantine --dc eu'],
    ['absent', 'the source does not have them; tried', 'credit-rollout doctor --dc eu'],
    ['left_to_night', 'that they had before; tried', 'credit-rollout reconcile --dc eu'],
  ] as const)('names sign-ups that were given up: %s', (why, text, help) => {
    const givenUp = { count: 2, since: new Date('2026-11-22T14:00:00Z'), why };
    const shown = showSignUps({ why: 'being_written', count: 0, since: null, oldestMs: 0, givenUp });
    expect(shown).toContain(
      'sign-ups: 2 not written in five tries, since 2026-11-22 14:00:00 UTC (15:00 Europe/Berlin): ',
    );
    expect(shown).toContain(text);
    expect(shown).toContain(help);
    expect(shown).not.toContain('to be written');
  });
});
