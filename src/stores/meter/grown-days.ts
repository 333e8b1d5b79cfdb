// Which days of orgs a memory must still bring elsewhere. One that was collected and not confirmed is collected again.

export interface OrgDay {
  readonly orgId: string;
  readonly day: string;
}

export interface GrownDays {
  mark(one: OrgDay): void;
  forgetDay(day: string): void;
  /** As MeterStore.collect(). */
  collect(limit: number, call: 'first' | 'next'): readonly OrgDay[];
  confirm(stored: readonly OrgDay[]): void;
  /** All, which is then confirmed. */
  takeAll(): readonly OrgDay[];
}

const keyOf = ({ orgId, day }: OrgDay): string => `${day}:${orgId}`;

export function createGrownDays(): GrownDays {
  /** Those that have grown since the last round began, those that it has left, and those that are not confirmed. */
  let grown = new Map<string, OrgDay>();
  let left = new Map<string, OrgDay>();
  let collected = new Map<string, OrgDay>();
  return {
    mark: (one) => void grown.set(keyOf(one), one),
    forgetDay: (day) => {
      for (const marked of [grown, left, collected])
        for (const [key, one] of marked) if (one.day === day) marked.delete(key);
    },
    collect: (limit, call) => {
      if (call === 'first') {
        [left, collected] = [new Map([...left, ...collected]), new Map()];
        // what grows from now on is collected in the next round, also when this one is confirmed afterwards
        if (left.size === 0) [left, grown] = [grown, left];
      }
      const taken = [...left].slice(0, limit);
      for (const [key, one] of taken) {
        left.delete(key);
        collected.set(key, one);
      }
      return taken.map(([, one]) => one);
    },
    confirm: (stored) => {
      for (const one of stored) collected.delete(keyOf(one));
    },
    takeAll: () => {
      const all = [...collected.values(), ...left.values(), ...grown.values()];
      [collected, left, grown] = [new Map(), new Map(), new Map()];
      return all;
    },
  };
}
