// When a data center at rest starts: what it waits for, from the order of data centers to its window.
import { describe, expect, test } from 'vitest';
import { AWAY, CLOSED_WINDOW, dc, LATER } from './sample-snapshot.js';
import { decide } from './step-scene.js';

const asked = dc({ requested: true });

describe('decideStep: a data center that rests', () => {
  test.each([
    ['starts when it was asked for and nothing is in its way', asked, [], { steps: ['activate'], holds: [] }],
    ['does nothing when nobody asked', dc(), [], { steps: [], holds: [] }],
    [
      'closes a fence that is not known to be closed before anything else',
      dc({ requested: true, fenceConfirmedClosed: false }),
      [],
      { steps: ['close_fence'], holds: [] },
    ],
    ['waits for its cell', dc({ requested: true, cell: AWAY }), [], { steps: [], holds: ['cell_unreachable'] }],
    [
      'waits for a cell whose fence must be closed',
      dc({ fenceConfirmedClosed: false, cell: AWAY }),
      [],
      { steps: [], holds: ['cell_unreachable'] },
    ],
    ['waits for its start date', dc({ requested: true, notBeforeAt: LATER }), [], { steps: [], holds: ['not_before'] }],
    [
      'waits for its window',
      dc({ requested: true, window: CLOSED_WINDOW }),
      [],
      { steps: [], holds: ['window_closed'] },
    ],
    ['waits while paused', dc({ requested: true, intent: 'pause' }), [], { steps: [], holds: ['paused'] }],
    [
      'waits for a failed predecessor',
      asked,
      [dc({ id: 'in', position: 0, stage: 'failed' })],
      { steps: [], holds: ['predecessor_failed'] },
    ],
    [
      'waits for a predecessor that was asked for',
      asked,
      [dc({ id: 'in', position: 0, requested: true })],
      { steps: [], holds: ['waits_for_order'] },
    ],
    [
      'waits for a predecessor that bakes',
      asked,
      [dc({ id: 'in', position: 0, stage: 'baking' })],
      { steps: [], holds: ['waits_for_order'] },
    ],
    [
      'waits for a predecessor under way',
      asked,
      [dc({ id: 'in', position: 0, stage: 'verifying' })],
      { steps: [], holds: ['waits_for_order'] },
    ],
    [
      'waits for the slot that a later one holds',
      asked,
      [dc({ id: 'us', position: 2, stage: 'migrating' })],
      { steps: [], holds: ['slot_taken'] },
    ],
    [
      'waits for another one’s fence',
      asked,
      [dc({ id: 'us', position: 2, stage: 'aborted', fenceConfirmedClosed: false })],
      { steps: [], holds: ['not_quiet'] },
    ],
    [
      'does not wait for one that was done before and was asked for again',
      asked,
      [dc({ id: 'in', position: 0, stage: 'done', requested: true })],
      { steps: ['activate'], holds: [] },
    ],
    [
      'stands last where it was done before',
      dc({ stage: 'done', requested: true }),
      [dc({ id: 'us', position: 2, requested: true })],
      { steps: [], holds: ['waits_for_order'] },
    ],
    [
      'does not wait for a predecessor that nobody asked for',
      asked,
      [dc({ id: 'in', position: 0 })],
      { steps: ['activate'], holds: [] },
    ],
    [
      'does not wait for a done, an aborted or a later one',
      asked,
      [
        dc({ id: 'in', position: 0, stage: 'done' }),
        dc({ id: 'xx', position: 0, stage: 'aborted' }),
        dc({ id: 'us', position: 2, requested: true }),
      ],
      { steps: ['activate'], holds: [] },
    ],
    [
      'does not wait for a later one that failed or bakes',
      asked,
      [dc({ id: 'us', position: 2, stage: 'failed' }), dc({ id: 'uk', position: 3, stage: 'baking' })],
      { steps: ['activate'], holds: [] },
    ],
  ] as const)('%s', (_promise, one, others, expected) => {
    expect(decide(one, ...others)).toEqual(expected);
  });

  test('names every reason at once, the strongest first', () => {
    const one = dc({ requested: true, intent: 'pause', notBeforeAt: LATER, window: CLOSED_WINDOW, cell: AWAY });
    expect(
      decide(one, dc({ id: 'in', position: 0, stage: 'failed' }), dc({ id: 'us', position: 2, stage: 'migrating' }))
        .holds,
    ).toEqual(['paused', 'predecessor_failed', 'not_before', 'slot_taken', 'cell_unreachable', 'window_closed']);
  });
});
