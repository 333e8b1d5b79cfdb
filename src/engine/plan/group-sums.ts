// Adds up the groups that the statements of a plan count. There are hundreds in each of hundreds of statements: what is kept
// is changed in place, since copies that live until the next statement would pile up until a full collection.
import { type CountedGroup, type PlanGroup, toGroup } from '../../stores/cell/plan/plan-groups.js';
import { add, most } from './summarize-groups.js';

type GroupSum = { -readonly [Key in keyof CountedGroup]: CountedGroup[Key] };

export interface GroupSums {
  add(groups: readonly CountedGroup[]): void;
  /** What they come to now. */
  list(): readonly PlanGroup[];
}

/** Starts with none. */
export function createGroupSums(): GroupSums {
  const sums = new Map<string | number, GroupSum>();
  return {
    add: (groups) => {
      for (const group of groups) {
        const key = group.reason ?? group.kind;
        const sum = sums.get(key);
        if (sum === undefined) sums.set(key, { ...group });
        else addTo(sum, group);
      }
    },
    list: () => [...sums.values()].map(toGroup),
  };
}

function addTo(sum: GroupSum, group: CountedGroup): void {
  sum.orgs += group.orgs;
  if (group.reason !== null) return; // nothing else is known of them
  sum.before = add(sum.before, group.before);
  sum.after = add(sum.after, group.after);
  sum.planCredits = add(sum.planCredits, group.planCredits);
  sum.grandfathered = add(sum.grandfathered, group.grandfathered);
  sum.factor = most(sum.factor, group.factor);
  sum.floorOverPlan = most(sum.floorOverPlan, group.floorOverPlan);
  sum.short += group.short;
}
