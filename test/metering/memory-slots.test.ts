// The slots of an org in memory are as a map by id would have them, however they were taken and whoever asked for them
// by id meanwhile.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OrgSlots, Slot } from '../../src/stores/meter/memory-slots.js';

const picks = (does: 'free' | 'find') => fc.record({ does: fc.constant(does), which: fc.nat() });
const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      does: fc.constantFrom('take' as const, 'take unlisted' as const, 'take unlisted' as const),
      lastsMs: fc.integer({ min: 1, max: 100 }),
    }),
  },
  { weight: 6, arbitrary: picks('free') },
  picks('find'),
  fc.record({ does: fc.constant('wait' as const), ms: fc.nat(10) }),
);

test('hold those that were taken, and neither freed nor expired', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const slots = new OrgSlots();
      const owner = Symbol('a memory');
      const taken: Slot[] = [];
      const held = new Set<Slot>();
      let nowMs = 0;
      const pick = (which: number): Slot | undefined => [...held][which % Math.max(held.size, 1)];
      for (const one of steps) {
        if (one.does === 'wait') nowMs += one.ms;
        if (one.does === 'take' || one.does === 'take unlisted') {
          const slot = new Slot(slots, taken.length, 'a day', 'get', 1, true, owner, nowMs + one.lastsMs);
          if (one.does === 'take') slots.take(slot);
          else slots.takeUnlisted(slot);
          taken.push(slot);
          held.add(slot);
        }
        if (one.does === 'free' || one.does === 'find') {
          const slot = pick(one.which);
          if (slot === undefined) continue;
          if (one.does === 'find') expect(slots.find(slot.callId)).toBe(slot);
          else {
            slots.free(slot);
            held.delete(slot);
          }
        }
        for (const slot of held) if (slot.expiresAtMs <= nowMs) held.delete(slot);
        expect(slots.count(nowMs)).toBe(held.size);
        expect(slots.isIdle()).toBe(held.size === 0);
        // who holds one that is over must know that it is
        for (const slot of taken) expect(slot.owner).toBe(held.has(slot) ? owner : undefined);
      }
      for (const { callId } of taken) expect(slots.find(callId)).toBe([...held].find((slot) => slot.callId === callId));
      expect(new Set(slots.list())).toEqual(held);
    }),
    { numRuns: 300 },
  );
});
