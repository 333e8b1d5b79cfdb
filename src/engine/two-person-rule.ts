// The rule of two people: the error that explains it, and what to do. The databases enforce the rule as well.
import { RolloutError } from '../kernel/rollout-error.js';
import type { Person } from '../stores/control/person.js';

/** Throws same_person when the author approves. `what`: "The plan in-7". */
export function requireSecondPerson(what: string, author: string, approver: Person): void {
  if (author !== approver.name) return;
  throw new RolloutError('same_person', {
    message: `${what} needs a second person: its author and its approver are both "${author}".`,
    next: NEXT[approver.knownBy],
  });
}

const NEXT = {
  login: `Let somebody else approve it. Who shares a login of the control database counts as one person. \
Give each a login of their own in the role that docs/how-to/install-a-fleet.md#people-and-logins makes:
CREATE ROLE somebody LOGIN PASSWORD '…' IN ROLE credit_rollout_control_approver;`,
  machine: `On the embedded servers a person is the user of the machine, and no other user can reach them. \
For two people, use a control database with a login for each: docs/how-to/plan-and-approve.md#3-approve.`,
} as const satisfies Record<Person['knownBy'], string>;
