import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { divideConnections } from '../../../src/cli/commands/up.js';
import { createCommandNames } from '../../../src/cli/terminal/command-names.js';
import { chooseExitCode, exitCodeOf, exitCodeOfHealth } from '../../../src/cli/terminal/exit-code.js';
import { createLiveArea } from '../../../src/cli/terminal/live-area.js';
import { showChange, showCount, showInstant, showRange, showShare } from '../../../src/cli/terminal/numbers.js';
import { plainPaint } from '../../../src/cli/terminal/paint.js';
import { layOutTable } from '../../../src/cli/terminal/table.js';
import { toJson } from '../../../src/cli/terminal/to-json.js';
import { wrapToWidth } from '../../../src/cli/terminal/wrap.js';
import { drawBar, showProgress, showStatusLine } from '../../../src/cli/views/show-progress.js';
import { showStatus } from '../../../src/cli/views/show-status.js';
import { showSummary } from '../../../src/cli/views/show-summary.js';
import { byCommand, byWaiting } from '../../../src/domain/rollout/hold.js';
import type { DataCenterStatus, Status } from '../../../src/engine/operate/read-status.js';
import { advise, command } from '../../../src/kernel/advice.js';
import { type CapturedIo, captureIo } from '../captured-io.js';
import { sampleCommands, sampleDataCenter, sampleProgress, sampleStatus } from './sample-status.js';

const commands = sampleCommands;

describe('showShare', () => {
  test('never exceeds 100 %, and is 100 % only when all is done', () => {
    fc.assert(
      fc.property(fc.double({ min: -1, max: 3, noNaN: true }), (share) => {
        const percent = Number.parseFloat(showShare(share));
        expect(percent).toBeLessThanOrEqual(100);
        expect(percent === 100).toBe(share >= 1);
        expect(percent === 0).toBe(share <= 0);
      }),
    );
  });
});

describe('drawBar', () => {
  test('keeps its width', () => {
    fc.assert(
      fc.property(fc.double({ min: -1, max: 3, noNaN: true }), (share) => {
        expect([...drawBar(share, 20)]).toHaveLength(20);
      }),
    );
  });
});

describe('showRange', () => {
  test.each([
    [120_000, 240_000, '2–4 min'],
    [3_000, 4_200, '3–5 s'],
    [100, 900, '< 1 s'],
    [5_000, 5_000, '5–6 s'],
    [3 * 3_600_000, 5 * 3_600_000, '3–5 h'],
    [50 * 3_600_000, 80 * 3_600_000, '2–4 d'],
  ])('shows %i to %i ms as %s', (lowMs, highMs, shown) => expect(showRange({ lowMs, highMs })).toBe(shown));
});

describe('showCount', () => {
  test('is exact beyond 2^53', () => expect(showCount('9007199254740993')).toBe('9,007,199,254,740,993'));
});

describe('showChange', () => {
  test.each([
    ['1000', '1041', '+4.1 %'],
    ['1000', '900', '-10.0 %'],
    ['0', '5', '–'],
    ['1000', '1000', '0 %'],
    ['100000', '100001', '+0.1 %'],
    ['100000', '1', '-99.9 %'],
    ['1000', '2000', '+100 %'],
  ])('shows %s → %s as %s', (before, after, shown) => expect(showChange(before, after)).toBe(shown));
});

describe('showInstant', () => {
  test('shows UTC and the local clock', () =>
    expect(showInstant(new Date('2026-11-22T14:02:11Z'), 'Asia/Kolkata')).toBe(
      '2026-11-22 14:02:11 UTC (19:32 Asia/Kolkata)',
    ));
});

describe('layOutTable', () => {
  test('aligns every column', () =>
    expect(
      layOutTable(
        [{ title: 'A' }, { title: 'N', align: 'right' }],
        [
          ['longer', '1'],
          ['x', '1,000'],
        ],
        80,
      ),
    ).toEqual(['A           N', 'longer      1', 'x       1,000']));
});

describe('createCommandNames', () => {
  test('shows commands as npm runs them, with the configuration that was named', () => {
    const npm = createCommandNames({ script: 'rollout', config: 'my fleet.yaml' });
    expect(npm.show('status')).toBe("npm run -s rollout -- --config 'my fleet.yaml' status");
    // what cannot be shown is not written as another name
    const shown = (config: string) => createCommandNames({ script: 'start', config }).show('status');
    expect(['x\u202e', 'a\nb', 'x\\u202e'].filter((name) => !shown(name).includes(' --config FILE '))).toEqual([]);
  });
  test.each([
    [byCommand('resume', '--dc', 'eu'), 'npm run -s rollout -- resume --dc eu'],
    [{ ...byCommand('abort', '--dc', 'eu'), after: ', then apply' }, 'npm run -s rollout -- abort --dc eu, then apply'],
    [byWaiting('it starts by itself'), 'it starts by itself'],
  ])('shows what ends a hold as npm runs it: %j', (release, text) =>
    expect(createCommandNames({ script: 'start', config: undefined }).showRelease(release)).toBe(text),
  );
  test('shows the commands of an advice as npm runs them, and its text as it is', () =>
    expect(
      createCommandNames({ script: 'start', config: undefined }).showAdvice(
        advise`credit-rollout writes only to a primary. Run: ${command('init')}`,
      ),
    ).toBe('credit-rollout writes only to a primary. Run: npm run -s rollout -- init'));
});

describe('toJson', () => {
  test('writes snake_case keys, bigints as text and instants in ISO 8601', () =>
    expect(toJson({ runId: 5n, doneAt: new Date(0), holds: [{ needsPerson: true }], none: undefined })).toEqual({
      run_id: '5',
      done_at: '1970-01-01T00:00:00.000Z',
      holds: [{ needs_person: true }],
      none: null,
    }));
});

describe('chooseExitCode', () => {
  test('takes the first that applies of 1, 7, 6, 5, 4, 8, 3, 2', () => {
    expect(chooseExitCode([2, 3, 5])).toBe(5);
    expect(chooseExitCode([5, 7])).toBe(7);
    expect(chooseExitCode([3, 8, 0])).toBe(8);
    expect(chooseExitCode([4, 8])).toBe(4);
    expect(chooseExitCode([0, 0])).toBe(0);
  });
});

describe('exitCodeOfHealth', () => {
  test('is 1 where the ticks of a scheduler fail', () => {
    const tickFailures = [{ code: '23514', since: new Date(0) }];
    expect(exitCodeOfHealth({ dataCenters: [], tickFailures })).toBe(1);
  });

  const hold = {
    code: 'needs_approval',
    value: null,
    limit: null,
    release: byCommand('approve'),
    since: new Date(0),
  } as const;
  test.each([
    [[{}], 0],
    [[{ stage: 'aborted' }], 0],
    [[{ holds: [{ ...hold, needsPerson: false }] }], 0],
    [[{}, { holds: [{ ...hold, needsPerson: true }] }], 4],
    [[{ unreachable: 'database_unreachable' }, { holds: [{ ...hold, needsPerson: true }] }], 1],
    [[{ stage: 'failed', failure: 'verification_mismatch' }], 1],
  ] as const)('%j is %i', (all, code) =>
    expect(
      exitCodeOfHealth({ dataCenters: all.map((dc) => sampleDataCenter({ holds: [], ...dc })), tickFailures: [] }),
    ).toBe(code),
  );
});

describe('exitCodeOf', () => {
  test.each([
    [{ stage: 'done', state: 'done', progress: null }, 0],
    [{ stage: 'done', state: 'done', progress: sampleProgress({ quarantined: 1 }) }, 3],
    [{ stage: 'failed', state: 'failed', failure: 'verification_mismatch' }, 5],
    [{ stage: 'failed', state: 'failed', failure: 'batch_too_slow' }, 1],
    [{ stage: 'aborted', state: 'aborted' }, 1],
    [{ stage: 'migrating', state: 'paused' }, 4],
  ] as const)('%o ends with %i', (dc, code) => expect(exitCodeOf(sampleDataCenter(dc))).toBe(code));
});

describe('showStatus', () => {
  test('shows why a data center waits, since when, and the command that releases it', () => {
    const text = showStatus(sampleStatus(), { commands, paint: plainPaint, width: 1_000 });
    expect(text).toContain('‖ eu  paused');
    expect(text).toContain('an operator paused it, since 2026-11-22 14:00:00 UTC (15:00 Europe/Berlin)');
    expect(text).toContain('to continue: credit-rollout resume --dc eu');
  });
});

describe('showStatus of locks', () => {
  const show = (blocker: Partial<DataCenterStatus['blockers'][number]>): string => {
    const lock = { pid: 4711, role: 'deploy', application: 'psql', relation: 'public.orgs', mode: 'ACCESS EXCLUSIVE' };
    const blockers = [{ ...lock, queued: false, since: new Date('2026-11-22T14:00:00Z'), ...blocker }];
    return showStatus(sampleStatus(sampleDataCenter({ blockers })), {
      commands,
      paint: plainPaint,
      width: 1_000,
    });
  };
  test.each([
    [{}, 'session 4711 (role deploy, psql): ACCESS EXCLUSIVE on public.orgs, since 2026-11-22 14:00:00 UTC'],
    [
      { queued: true, since: null },
      'session 4711 (role deploy, psql): waits for ACCESS EXCLUSIVE on public.orgs; end it',
    ],
    [
      { pid: null, role: null, application: '', relation: null, mode: null, since: null },
      'blocked by a prepared transaction: it holds what ours waits for; end it, or wait',
    ],
  ])('says who holds which lock since when: %o', (blocker, line) => expect(show(blocker)).toContain(line));
});

describe('showStatus of logins', () => {
  const show = (logins: Status['logins']): string =>
    showStatus({ ...sampleStatus(), logins }, { commands, paint: plainPaint, width: 1_000 });
  const worker = { process: 'worker', dataCenter: 'eu', login: 'w1', powers: ['fencer', 'reader'] } as const;

  test('has one line for each kind of process that may do more, with the way to correct it', () => {
    const others = [
      { ...worker, login: 'w2' },
      { process: 'scheduler', dataCenter: null, login: 's', powers: ['superuser'] } as const,
    ];
    const fix = 'Give it a login of its own: docs/how-to/install-a-fleet.md';
    expect(
      show([worker, ...others])
        .split('\n')
        .filter((line) => line.includes('more than its work')),
    ).toEqual([
      `A worker of eu runs as w1, which may do more than its work (fencer, reader), and 1 more. ${fix}`,
      `A scheduler runs as s, which may do more than its work (superuser). ${fix}`,
    ]);
  });
  test('says nothing where nobody may do more', () => expect(show([])).not.toContain('more than its work'));
});

describe('showStatus without a scheduler', () => {
  const show = (dc: DataCenterStatus): string =>
    showStatus({ ...sampleStatus(dc), schedulersAlive: 0 }, { commands, paint: plainPaint, width: 1_000 });
  test('warns that no night begins where all is done', () =>
    expect(show(sampleDataCenter({ stage: 'done', state: 'done', holds: [] }))).toContain(
      'No scheduler runs, so no nightly run begins. Start one: credit-rollout up',
    ));
  test('warns of nothing where nothing was rolled out', () =>
    expect(show(sampleDataCenter({ stage: 'pending', state: 'pending', holds: [] }))).not.toContain('No scheduler'));
});

describe('showProgress', () => {
  test('shows only the data centers that were named', () =>
    expect(showProgress(sampleStatus(), ['eu'], { paint: plainPaint, width: 120 })).toHaveLength(1));
  test('never shows more orgs done than expected', () => {
    const dc = sampleDataCenter({ progress: sampleProgress({ orgsDone: 120, orgsExpected: 100 }) });
    expect(showProgress(sampleStatus(dc), ['eu'], { paint: plainPaint, width: 120 })[0]).toContain('100/100 orgs');
  });
});

describe('showStatusLine', () => {
  test('is one line', () => {
    const line = showStatusLine(sampleDataCenter({}), commands);
    expect(line).toMatch(/^eu migrating: 50\/100 50\.0%; Wrote: 50 .*; State: paused, an operator paused it; ETA: /u);
  });
});

describe('showSummary', () => {
  test('has a row per data center', () =>
    expect(showSummary(sampleStatus(), ['eu'], { paint: plainPaint, width: 80 }).match(/eu +/gu)).toHaveLength(2)); // one in each of its tables
});

const toScreen = (io: CapturedIo) => ({
  io,
  toLines: (text: string, width = io.width()) => wrapToWidth(text, width).split('\n'),
});

describe('createLiveArea', () => {
  test('leaves colours whole and never fills the last column', () => {
    const io = captureIo({ isTerminal: true, width: 4 });
    createLiveArea(toScreen(io), () => 0).draw(['\u001b[32mabcdef\u001b[0m'], 'a');
    expect(io.output()).toContain('\u001b[32mabc\u001b[0m\u001b[K\n');
  });
  test('repeats nothing in a log until something changes', () => {
    const io = captureIo();
    const area = createLiveArea(toScreen(io), () => 0);
    area.draw(['one'], 'a');
    area.draw(['two'], 'a');
    area.draw(['three'], 'b');
    expect(io.output()).toBe('one\nthree\n');
  });
  test('redraws in place on a terminal', () => {
    const io = captureIo({ isTerminal: true });
    const area = createLiveArea(toScreen(io), () => 0);
    area.draw(['one', 'two'], 'a');
    area.draw(['three'], 'a');
    expect(io.output()).toContain('\u001b[2Athree');
  });
});

describe('divideConnections', () => {
  test('keeps up to 17 data centers within 80 connections', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 17 }), fc.integer({ min: 1, max: 32 }), (dataCenters, lanes) => {
        expect(12 + dataCenters * (2 + divideConnections(dataCenters, lanes))).toBeLessThanOrEqual(80);
      }),
    );
  });
});
